/**
 * VMFS, the file system of a datastore: of interest where the virtual machine is itself an ESXi host.
 *
 * VMware has published nothing about it. Source: vmfs-tools and util-linux' libblkid, which agree. The header of the
 * volume is at 1 MiB, its data begins 16 MiB later, and the header of the file system is 2 MiB into that.
 *
 * This module is browser compatible.
 */
import { Header } from "../header.ts";
import { MIB, SECTOR_SIZE, toSafe } from "../units.ts";
import type { FileSystem, Rest } from "./file_system.ts";
import { hexText, nameText } from "./text.ts";

const VOLUME_AT = MIB;
const VOLUME_BYTES = 1024;
const VOLUME_MAGIC = 0xc001d00d;
const FILE_SYSTEM_AT = VOLUME_AT + 16 * MIB + 2 * MIB;
/** The second is that of volumes which ESXi keeps for itself. */
const FILE_SYSTEM_MAGICS: readonly number[] = [0x2fabf15e, 0x2fabf15f];

/** Its first megabyte says nothing, so this is looked for where nothing else was found. */
export const VMFS: Rest = {
  stretches: [
    { offsetBytes: VOLUME_AT, lengthBytes: VOLUME_BYTES },
    { offsetBytes: FILE_SYSTEM_AT, lengthBytes: SECTOR_SIZE },
  ],
  complete([volumeBytes, fileSystemBytes]): FileSystem | undefined {
    const volume = volumeBytes && new Header(volumeBytes, "");
    if (volume?.u32(0) !== VOLUME_MAGIC) return undefined;
    const inner = fileSystemBytes && new Header(fileSystemBytes, "");
    // Without it this is another extent of a datastore that begins elsewhere.
    const isFirst = inner !== undefined && FILE_SYSTEM_MAGICS.includes(inner.u32(0));
    return {
      type: "vmfs",
      label: isFirst ? nameText(inner.bytes.subarray(29, 157)) : undefined,
      uuid: isFirst
        ? datastoreUuid(inner.bytes.subarray(9, 25))
        : nameText(volume.bytes.subarray(0x214, 0x237)),
      sizeBytes: toSafe(volume.u64(0x200)),
    };
  },
};

/** As in `/vmfs/volumes/`: two u32, a u16 and six bytes. */
function datastoreUuid(bytes: Uint8Array): string {
  const part = (from: number, to: number) => hexText(bytes.slice(from, to).reverse());
  return `${part(0, 4)}-${part(4, 8)}-${part(8, 10)}-${hexText(bytes.subarray(10))}`;
}
