/** Which chunks of a target are not what a snapshot says: before a guarded restore, and after any, to verify it. */
import type { Target } from "../../../core-as/host/mod.ts";
import { chunkCount } from "../../../core-as/host/repo/mod.ts";
import { Gate } from "../../lanes/gate.ts";
import { TaskGroup } from "../../lanes/in_flight.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import type { Expectation, ExpectedChunk } from "./expected.ts";
import { Held } from "./held.ts";
import { targetCallsInFlight } from "./restore.ts";

export interface Comparing {
  readonly target: Target;
  readonly fromBytes?: number;
  /** Chunks that could not be read when they were restored: they must be zeros. */
  readonly zeroed?: ChunkSet;
  /** Told how many bytes of the disk were compared. */
  readonly onProgress: (comparedBytes: number) => void;
}

/** @throws {RegrainError} what reading the target, the map and the overlay may. */
export async function findChanged(expectation: Expectation, work: Comparing): Promise<ChunkSet> {
  const { snapshot, lanes } = expectation.disk;
  const { target, fromBytes = 0, zeroed, onProgress } = work;
  const inFlight = targetCallsInFlight(target, snapshot);
  const held = new Held(target, {
    lanes,
    calls: new Gate(inFlight),
    chunkBytes: snapshot.chunkBytes,
    inFlight,
  });
  const changed = new ChunkSet(chunkCount(snapshot));
  const tasks = new TaskGroup(Math.max(lanes.count + 1, inFlight));
  let comparedBytes = 0;
  try {
    for await (const chunk of expectation.chunks(fromBytes)) {
      await tasks.start(async () => {
        const isRight = zeroed?.has(chunk.chunk)
          ? await held.isZero(chunk)
          : await isHeld(expectation, held, chunk);
        if (!isRight) changed.add(chunk.chunk);
        onProgress(comparedBytes += chunk.lengthBytes);
      });
    }
  } finally {
    await tasks.settle();
  }
  tasks.check();
  return changed;
}

/** Whether a target holds a chunk; where nobody knows what it is, whether it is zeros. */
export async function isHeld(expectation: Expectation, held: Held, chunk: ExpectedChunk): Promise<boolean> {
  if (chunk.entry !== undefined) return await held.isThere(chunk.entry, chunk);
  if (!chunk.isOverlaid) return await held.isZero(chunk);
  const { plain } = await expectation.read(chunk);
  return plain === undefined ? await held.isZero(chunk) : await held.holds(plain, chunk.offsetBytes);
}
