/** A disk that is one long run of zeros, in a file of a few KiB. */
import { Disk, type Link, openLink, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { core, memoryContext } from "./memory.ts";

const GRAIN_SECTORS = 128;
const TABLE_ENTRIES = 512;
const NAME = "zeros.vmdk";

/**
 * A hosted sparse base without a single grain: all of it reads as zeros (VMware Virtual Disk Format 5.0, "Hosted
 * Sparse Extent Header"). Its descriptor is inside.
 */
export function emptyBase(capacitySectors: number): Uint8Array<ArrayBuffer> {
  const tables = Math.ceil(capacitySectors / (GRAIN_SECTORS * TABLE_ENTRIES));
  const descriptor = [
    "# Disk DescriptorFile",
    "version=1",
    "CID=1111aaaa",
    "parentCID=ffffffff",
    'createType="monolithicSparse"',
    `RW ${capacitySectors} SPARSE "${NAME}"`,
    "",
  ].join("\n");
  const directorySector = 9;
  const overheadSectors = Math.ceil((directorySector + tables * 4 / SECTOR_SIZE) / GRAIN_SECTORS) *
    GRAIN_SECTORS;
  const bytes = new Uint8Array(overheadSectors * SECTOR_SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("KDMV"));
  view.setUint32(4, 1, true);
  view.setUint32(8, 1, true);
  view.setBigUint64(12, BigInt(capacitySectors), true);
  view.setBigUint64(20, BigInt(GRAIN_SECTORS), true);
  view.setBigUint64(28, 1n, true);
  view.setBigUint64(36, 8n, true);
  view.setUint32(44, TABLE_ENTRIES, true);
  view.setBigUint64(56, BigInt(directorySector), true);
  view.setBigUint64(64, BigInt(overheadSectors), true);
  bytes.set(new TextEncoder().encode("\n \r\n"), 73);
  bytes.set(new TextEncoder().encode(descriptor), SECTOR_SIZE);
  return bytes;
}

/** The disk, opened from memory. */
export async function openZeroDisk(sizeBytes: number): Promise<Disk> {
  const files = { [NAME]: emptyBase(sizeBytes / SECTOR_SIZE) };
  const link: Link = await openLink(NAME, memoryContext(files), "delta");
  return new Disk(core, [link]);
}
