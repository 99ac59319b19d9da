/** Bytes of a view or of a file, as many as a page shows. */
import { MIB, readBytes, RegrainError, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import type { Answers } from "../shared/protocol.ts";
import type { GivenFiles } from "./given.ts";
import type { DiskRuns } from "./runs.ts";

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

export async function bytesOfView(runs: DiskRuns, stretch: Stretch): Promise<Answers["bytes"]> {
  const { offsetBytes, lengthBytes } = bounded(stretch, runs.capacitySectors * SECTOR_SIZE);
  const bytes = new Uint8Array(lengthBytes);
  const first = Math.floor(offsetBytes / SECTOR_SIZE);
  const owners = new Int16Array(Math.ceil((offsetBytes + lengthBytes) / SECTOR_SIZE) - first).fill(-2);
  if (lengthBytes > 0) await runs.read(offsetBytes, bytes, owners);
  return { bytes, owners };
}

export async function bytesOfFile(
  files: GivenFiles,
  name: string,
  stretch: Stretch,
): Promise<Answers["bytes"]> {
  const file = files.open(name);
  const { offsetBytes, lengthBytes } = bounded(stretch, file.sizeBytes);
  return { bytes: await readBytes(file, offsetBytes, lengthBytes), owners: undefined };
}
