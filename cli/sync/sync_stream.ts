/** A sync whose source comes as a stream, front to back: it is compared on its way. */
import type { Target } from "../../core-as/host/mod.ts";
import { adoptContentId } from "../target/content_id.ts";
import { whileOpen } from "../target/made_target.ts";
import { requireInPlace } from "../target/undisturbed.ts";
import type { SyncOutcome, SyncRequest, SyncTools } from "./sync_disks.ts";
import { prepareSyncTarget } from "./sync_disks.ts";
import { type DiskStream, gatherStream } from "./stream_beside.ts";
import { LoadWriter, type SyncCounts } from "./write.ts";

/** A stream, and how it is known that it was read to its end. */
export interface SyncedStream extends DiskStream {
  /** Throws when what came is not all. */
  succeeded?(): Promise<void>;
}

export interface StreamEvents {
  warn(sentence: string): void;
  begin(target: Target, totalBytes: number): Target;
  progress(counts: Readonly<SyncCounts>): void;
}

/**
 * @param inputs Files that the stream is known to be.
 * @throws {RegrainError} `TRUNCATED`, `SIZE_MISMATCH` when the stream is not as long as the disk; what reading and
 *   writing may. The target holds what came until then.
 */
export async function syncStream(
  { stream, inputs }: { stream: SyncedStream; inputs: readonly string[] },
  request: Pick<SyncRequest, "target" | "force" | "truncate" | "sparse" | "blockBytes">,
  tools: SyncTools,
  events: StreamEvents,
): Promise<SyncOutcome<never>> {
  const { io, context: { core } } = tools;
  const source = { sizeBytes: stream.sizeBytes, inputs, cid: undefined };
  const whole = { ...request, dryRun: false, undo: undefined, journal: undefined };
  const prepared = (await prepareSyncTarget(source, whole, tools))!;
  return await whileOpen(prepared.target, async () => {
    for (const warning of prepared.warnings) events.warn(warning);
    const target = events.begin(prepared.target, stream.sizeBytes);
    const { sparse, blockBytes } = request;
    const onProgress = (counts: Readonly<SyncCounts>) => events.progress(counts);
    const writer = new LoadWriter(core, target, { sparse, blockBytes, target, onProgress });
    await gatherStream(stream, target, { core, take: (load) => writer.take(load) });
    await stream.succeeded?.();
    await target.flush();
    requireInPlace(target);
    const cid = prepared.base && await adoptContentId(prepared.base, undefined, io);
    const result = { counts: writer.counts, resumedBytes: 0, cid, undoWarnings: [] };
    return { target: prepared, result, verified: undefined };
  });
}
