/** A disk that comes as a stream, gathered beside a target: as `side_by_side.ts`, front to back. */
import {
  Batch,
  type Core,
  readAtOnce,
  RegrainError,
  SECTOR_SIZE,
  type Target,
} from "../../core-as/host/mod.ts";
import type { ReadNext } from "../../core-as/host/forward/mod.ts";
import type { Load } from "./side_by_side.ts";
import { TargetRuns } from "./target_runs.ts";

export interface DiskStream {
  readonly read: ReadNext;
  /** How messages name it. */
  readonly path: string;
  /** Bytes that have to come. */
  readonly sizeBytes: number;
  /** What to do when fewer or more came. */
  readonly hints: { readonly tooShort: string; readonly tooLong: string };
}

/**
 * @throws {RegrainError} `TRUNCATED` when the stream ends before the disk does, `SIZE_MISMATCH` when it goes on behind;
 *   what came before that was handed on.
 */
export async function gatherStream(
  stream: DiskStream,
  target: Target,
  { core, take }: { core: Core; take: (load: Load) => Promise<void> },
): Promise<void> {
  const half = core.buffer.length / 2;
  const held = new TargetRuns(target);
  const items = new Batch();
  const reads = new Batch();
  for (let done = 0; done < stream.sizeBytes;) {
    const wanted = Math.min(half, stream.sizeBytes - done);
    const got = await fill(stream.read, core.buffer.subarray(0, wanted));
    items.clear();
    reads.clear();
    let lengthBytes = 0;
    while (lengthBytes < got) {
      const { isData, untilBytes } = await held.at(done + lengthBytes);
      const length = Math.min(untilBytes - done, got) - lengthBytes;
      const at = half + lengthBytes;
      if (isData) reads.add({ offsetBytes: done + lengthBytes, lengthBytes: length, at });
      else core.buffer.fill(0, at, at + length);
      lengthBytes += length;
    }
    if (reads.count > 0) await readAtOnce(target, reads, core.buffer);
    if (got > 0) items.add({ offsetBytes: done, lengthBytes: got, at: 0 });
    done += got;
    await take({ items, skippedBytes: 0, doneBytes: done, scratch: core.lists[0] });
    if (got < wanted) throw ended(stream, done);
  }
  if (await stream.read(new Uint8Array(SECTOR_SIZE)) > 0) {
    throw new RegrainError("SIZE_MISMATCH", `goes on behind the ${stream.sizeBytes} bytes of the disk`, {
      path: stream.path,
      offsetBytes: stream.sizeBytes,
      hint: stream.hints.tooLong,
    });
  }
}

/** Reads until the buffer is full or the stream has ended. */
async function fill(read: ReadNext, into: Uint8Array): Promise<number> {
  let length = 0;
  while (length < into.length) {
    const got = await read(into.subarray(length));
    if (got === 0) break;
    length += got;
  }
  return length;
}

function ended({ path, sizeBytes, hints }: DiskStream, doneBytes: number): RegrainError {
  return new RegrainError(
    "TRUNCATED",
    doneBytes === 0
      ? "is empty: whatever was to write the disk wrote nothing"
      : `ended after ${doneBytes} of ${sizeBytes} bytes`,
    { path, offsetBytes: doneBytes, hint: hints.tooShort },
  );
}
