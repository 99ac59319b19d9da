/** Bytes of a view or of a file, as many as a page shows. */
import { MIB, readBytes, RegrainError, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import { type Answers, CHANGED, UNKNOWN_BELOW } from "../../shared/protocol.ts";
import type { OpenFiles } from "../sources/given.ts";
import type { DiskRuns } from "../disk/disk_runs.ts";

/** Owners of zeros and of nothing. */
const ZERO = -1;
const HOLE = -2;
const DAMAGED = -3;
/** No view shows more at once. */
const MAX_BYTES = 16 * MIB;

export interface Stretch {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** The part of a stretch that is there. */
function bounded({ offsetBytes, lengthBytes }: Stretch, sizeBytes: number): Stretch {
  const isOffset = Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes);
  if (!isOffset || offsetBytes < 0 || lengthBytes < 0) {
    throw new RegrainError("USAGE", `${offsetBytes} and ${lengthBytes} are no place and length`);
  }
  const from = Math.min(offsetBytes, sizeBytes);
  return { offsetBytes: from, lengthBytes: Math.min(lengthBytes, MAX_BYTES, sizeBytes - from) };
}

/** @param below What lies below the disk, if it is to be compared. */
export async function bytesOfView(
  runs: DiskRuns,
  stretch: Stretch,
  below?: DiskRuns,
): Promise<Answers["bytes"]> {
  const place = bounded(stretch, runs.capacitySectors * SECTOR_SIZE);
  const upper = await read(runs, place);
  if (!below) return upper;
  const lower = await read(below, place);
  return { ...upper, below: lower.bytes, changes: changesOf(upper, lower, place.offsetBytes) };
}

interface Read {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly owners: Int16Array<ArrayBuffer>;
}

/** Bytes of a disk; behind its end, which a disk above it may have outgrown, there are zeros. */
async function read(runs: DiskRuns, { offsetBytes, lengthBytes }: Stretch): Promise<Read> {
  const bytes = new Uint8Array(lengthBytes);
  const first = Math.floor(offsetBytes / SECTOR_SIZE);
  const owners = new Int16Array(Math.ceil((offsetBytes + lengthBytes) / SECTOR_SIZE) - first);
  const present = Math.min(lengthBytes, runs.capacitySectors * SECTOR_SIZE - offsetBytes);
  const presentSectors = Math.max(0, Math.min(owners.length, runs.capacitySectors - first));
  owners.fill(HOLE, 0, presentSectors).fill(ZERO, presentSectors);
  if (present > 0) {
    await runs.read(offsetBytes, bytes.subarray(0, present), owners.subarray(0, presentSectors));
  }
  return { bytes, owners };
}

/** How each byte of a disk compares with what lies below. */
function changesOf(upper: Read, lower: Read, offsetBytes: number): Uint8Array<ArrayBuffer> {
  const changes = new Uint8Array(upper.bytes.length);
  for (let i = 0; i < changes.length; i++) {
    const sector = Math.floor((offsetBytes % SECTOR_SIZE + i) / SECTOR_SIZE);
    if (upper.owners[sector] === HOLE) continue;
    // Where either is damaged nobody knows what differs.
    const isUnknown = [upper.owners[sector], lower.owners[sector]].includes(DAMAGED);
    if (isUnknown || lower.owners[sector] === HOLE) changes[i] = UNKNOWN_BELOW;
    else if (upper.bytes[i] !== lower.bytes[i]) changes[i] = CHANGED;
  }
  return changes;
}

export async function bytesOfFile(
  files: OpenFiles,
  name: string,
  stretch: Stretch,
): Promise<Answers["bytes"]> {
  const file = files.open(name);
  const { offsetBytes, lengthBytes } = bounded(stretch, file.sizeBytes);
  return { bytes: await readBytes(file, offsetBytes, lengthBytes), owners: undefined };
}
