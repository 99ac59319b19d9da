/**
 * Applying an rbd-diff file: an undo file of ours, or what `rbd export-diff` wrote.
 *
 * An undo file notes that it is being taken back before the first write, and that it was when all is durable. The
 * sectors by which it knows its target are taken back last, so that the target is known until nothing is left to do.
 */
import {
  Batch,
  type Core,
  cutStretch,
  RegrainError,
  SECTOR_SIZE,
  type Target,
} from "../../core-as/host/mod.ts";
import type { Io, LogFile } from "../io/mod.ts";
import type { RbdDiffRecord } from "../stream/rbd_diff.ts";
import type { ApplyCounts } from "./counts.ts";
import { requireInPlace } from "./undisturbed.ts";
import { restoreMarks } from "./undo.ts";
import type { PreparedDiff } from "./undo_file.ts";
import { UndoHeader } from "./undo_header.ts";
import type { PlacedHash, UndoState } from "./undo_name.ts";

/** What a take-back works on. */
export interface TakeBackWork {
  readonly core: Core;
  readonly io: Io;
  readonly prepared: PreparedDiff;
  readonly target: Target;
}

/** What is noted in the undo file. */
class TakeBackNote {
  private readonly log: LogFile | undefined;
  private readonly header: UndoHeader | undefined;

  /** @throws {RegrainError} `PERMISSION`, `OPEN_FAILED` when nothing can be noted; nothing was written then. */
  constructor({ prepared, io }: Pick<TakeBackWork, "prepared" | "io">) {
    // Files of the first version, and those of other programs, have no room for a note.
    if (prepared.undo?.version !== 2) return;
    this.log = explained(() => io.openLog(prepared.source.path, { create: false }));
    this.header = new UndoHeader(this.log, prepared.diff.meta.sizeBytes, prepared.undo);
  }

  say(state: UndoState): void {
    explained(() => this.header?.replace({ state }));
  }

  close(): void {
    this.log?.close();
  }
}

/** Says why an undo file is written to when it is taken back. */
function explained<T>(write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    throw error.withHint(
      "an undo file notes that it is taken back, so that no later apply continues it: copy it to where it can be " +
        "written, and take back the copy",
    );
  }
}

export interface TakeBackOptions {
  readonly onProgress?: (counts: Readonly<ApplyCounts>) => void;
  /** Called when all is durable, before the undo file says that it was taken back. */
  readonly whenDurable?: () => Promise<void>;
}

/** Writes every record to the target; it is durable then. */
export async function takeBack(work: TakeBackWork, options: TakeBackOptions = {}): Promise<ApplyCounts> {
  const note = new TakeBackNote(work);
  try {
    note.say("returning");
    const counts = await writeRecords(work, options.onProgress ?? (() => {}));
    await work.target.flush();
    if ((work.prepared.undo?.marks.length ?? 0) > 0) {
      await restoreMarks(work.prepared, work.target);
      await work.target.flush();
    }
    requireInPlace(work.target);
    await options.whenDurable?.();
    note.say("returned");
    return counts;
  } finally {
    note.close();
  }
}

async function writeRecords(
  { core, prepared, target }: TakeBackWork,
  onProgress: (counts: Readonly<ApplyCounts>) => void,
): Promise<ApplyCounts> {
  const counts: ApplyCounts = { writtenBytes: 0, sparedBytes: 0, zeroedBytes: 0, skippedBytes: 0 };
  const reads = new Batch();
  const writes = new Batch();
  const move = async () => {
    await prepared.source.read(reads, core.buffer);
    await target.write(writes, core.buffer);
    counts.writtenBytes += writes.totalBytes;
    reads.clear();
    writes.clear();
    onProgress(counts);
  };
  const marks = prepared.undo?.marks ?? [];
  for await (const whole of prepared.diff.records()) {
    for (const record of withoutMarks(whole, marks)) {
      if (record.kind === "zero") {
        // Records may overlap in a stream of another program: the order of the file holds.
        await move();
        for (const piece of cutStretch(record)) {
          await target.zero({ ...piece, punch: true });
          counts.zeroedBytes += piece.lengthBytes;
          onProgress(counts);
        }
        continue;
      }
      for (let done = 0; done < record.lengthBytes;) {
        if (reads.totalBytes === core.buffer.length) await move();
        const at = reads.totalBytes;
        const lengthBytes = Math.min(record.lengthBytes - done, core.buffer.length - at);
        reads.add({ offsetBytes: record.dataAt + done, lengthBytes, at });
        writes.add({ offsetBytes: record.offsetBytes + done, lengthBytes, at });
        done += lengthBytes;
      }
    }
  }
  await move();
  counts.writtenBytes += marks.length * SECTOR_SIZE;
  counts.skippedBytes = prepared.diff.meta.sizeBytes - counts.writtenBytes - counts.zeroedBytes;
  return counts;
}

/** What of a record lies between the marks. */
function* withoutMarks(record: RbdDiffRecord, marks: readonly PlacedHash[]): Generator<RbdDiffRecord> {
  const { offsetBytes, lengthBytes } = record;
  const end = offsetBytes + lengthBytes;
  const inside = marks.filter((mark) => mark.offsetBytes >= offsetBytes && mark.offsetBytes < end);
  let from = offsetBytes;
  for (const at of [...inside.map((mark) => mark.offsetBytes).sort((a, b) => a - b), end]) {
    if (at > from) {
      yield {
        ...record,
        offsetBytes: from,
        lengthBytes: at - from,
        dataAt: record.dataAt + from - offsetBytes,
      };
    }
    from = at + SECTOR_SIZE;
  }
}
