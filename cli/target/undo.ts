/**
 * Undo files: what stood in the target before it was overwritten, as an rbd-diff stream that `regrain apply`
 * and `rbd import-diff` take back.
 *
 * What an overwrite destroys is durable in the undo file before the overwrite begins. The file is a whole
 * stream at every moment: records are written behind its end record first and made durable, then the end
 * record's one byte is turned into the tag of the first of them, and that is made durable. So a power loss
 * leaves either all of a buffer's records or none, and never one whose data did not reach the medium; what
 * lies behind the end record then means nothing.
 *
 * Before anything else of the target is written, a few sectors are that change by it: the marks. The header names
 * them, then they are written and made durable, then the header says so. From then on a target without
 * them is not the one; before, only they can differ from what the file holds. So it is always known whether a
 * target is the right one, also after a power loss that took what was not durable.
 *
 * A run that was interrupted and is started again continues the file: what it holds came from the target as it
 * was at first and is not saved again, since by then the target may hold new data there. A file whose apply
 * is whole, or that was taken back, is not continued: since then others may have written to the target.
 */
import {
  applyCommand,
  Batch,
  type Core,
  readBytes,
  RegrainError,
  SECTOR_SIZE,
  type Source,
  type Target,
} from "../../core-as/host/mod.ts";
import type { Io, LogFile } from "../io/mod.ts";
import { rbdDiffEnd, rbdDiffRecord } from "../stream/rbd_diff.ts";
import { contentHash, hashStretch } from "./content_hash.ts";
import { type Difference, findDifferences, type Overwrite } from "./differences.ts";
import { requireOwnTarget } from "./recognise.ts";
import { RecordOutline, type Stretch } from "./record_outline.ts";
import { type PreparedDiff, prepareDiff } from "./undo_file.ts";
import { UndoHeader } from "./undo_header.ts";
import { MAX_NAMED, type UndoIds, type UndoState, UNTOUCHED_BLOCK_BYTES } from "./undo_name.ts";
import { RecordSum } from "./record_sum.ts";
import { type GuardedOperation, spoken } from "./spoken.ts";
import { encodeTrailer, type KnownStretch } from "./undo_trailer.ts";
import { nonZeroBlocks } from "./untouched.ts";

const HEAD_BYTES = 17;
/** Room for the heads of zeros that an earlier turn of the arena left, and of the first data. */
const FRONT_BYTES = 64;
/** Zeros are told from data at this granularity. */
const BLOCK_BYTES = 4096;
/** Most blocks that were left alone and are named past the end. */
const MAX_UNTOUCHED = 128;

/** What an undo file is made with: everything of its ids that is known before the first write. */
export type NewUndoIds = Omit<UndoIds, "version" | "state" | "marks">;

/** The files that the target's bytes are in: what is saved of them is for whoever may read these, and no others. */
function filesOf(target: Target): string[] {
  return target.targets?.flatMap(filesOf) ?? [target.path];
}

interface UndoWork {
  readonly core: Core;
  readonly target: Target;
  readonly io: Io;
}

/**
 * Saves what is about to be overwritten.
 *
 * The room of the seen map is free while data moves. Stretches are read into it with room for a head
 * before each, then packed in place: heads are put before what is data, blocks of zeros fall out. A packed
 * record never reaches beyond the place it was read to, since a head is shorter than the zeros it stands for.
 */
export class UndoSaver {
  private readonly reads = new Batch();
  /** Bytes of the arena that are spoken for. */
  private filled = FRONT_BYTES;
  /** Packed records stand in `[packedFrom, packed)` of the arena. */
  private packedFrom = FRONT_BYTES;
  private packed = FRONT_BYTES;
  /** A zero record that may still grow. */
  private zeros: { offsetBytes: number; lengthBytes: number } | undefined;

  private readonly core: Core;
  private readonly target: Target;
  /** Where the end record stands. */
  private endAt: number;
  /** Where the next bytes go. */
  private cursor: number;
  /** Everything of the target below this byte is saved; `undefined` when stretches come in any order. */
  private savedBytes: number | undefined;
  /** Tag of the first record behind the end record, while that is still in force. */
  private withheldTag: number | undefined;

  private readonly outline: RecordOutline;
  /** End of the part of the disk, from its start, in which nothing was about to change. */
  private unchangedBytes = 0;

  private constructor(
    work: UndoWork,
    private readonly log: LogFile,
    private readonly header: UndoHeader,
    private readonly sum: RecordSum,
    found: { endBytes: number; reachedBytes: number; outline: RecordOutline },
  ) {
    this.core = work.core;
    this.target = work.target;
    this.endAt = this.cursor = found.endBytes;
    this.savedBytes = header.ids.isOrdered ? found.reachedBytes : undefined;
    this.outline = found.outline;
  }

  /**
   * Makes an undo file, or opens one that an interrupted run of the same plan left, to continue it. One for stretches
   * that come in any order cannot be continued: what it holds could not be told from what it lacks.
   *
   * @throws {RegrainError} `TARGET_UNSUITABLE` when the file belongs to something else, or is done with.
   */
  static async open(path: string, work: UndoWork, ids: NewUndoIds): Promise<UndoSaver> {
    const exists = work.io.stat(path) !== undefined;
    const found = exists ? await continuation(path, work, ids) : undefined;
    const log = work.io.openLog(path, { create: !exists, like: filesOf(work.target) });
    try {
      if (found) return await UndoSaver.continue(path, work, { log, found });
      const header = new UndoHeader(log, work.target.sizeBytes, {
        ...ids,
        version: 2,
        state: "prepared",
        marks: [],
      });
      header.begin();
      const empty = { endBytes: header.lengthBytes, reachedBytes: 0, outline: new RecordOutline() };
      return new UndoSaver(work, log, header, await RecordSum.begin(), empty);
    } catch (error) {
      log.close();
      throw error;
    }
  }

  private static async continue(
    path: string,
    work: UndoWork,
    { log, found }: { log: LogFile; found: PreparedDiff },
  ): Promise<UndoSaver> {
    const header = new UndoHeader(log, work.target.sizeBytes, found.undo!);
    const source = work.io.openSource(path);
    try {
      if (found.undo!.state === "prepared" && found.undo!.marks.length > 0) {
        // Whether they were written is not known: the target is made what it was, and they are chosen again.
        await restoreMarks({ ...found, source }, work.target);
        await work.target.flush();
        header.replace({ marks: [] });
      }
      return new UndoSaver(work, log, header, await RecordSum.of(source, found), found);
    } finally {
      source.close();
    }
  }

  /** What the file says of itself now. */
  get ids(): UndoIds {
    return this.header.ids;
  }

  /** True until the first sectors that change were written. */
  get needsMarks(): boolean {
    return this.ids.state === "prepared";
  }

  /** What a person should know of what the file takes back, one sentence each. */
  get warnings(): readonly string[] {
    if (this.ids.marks.length === 0) {
      return [
        "the target held all of it already: the undo file takes nothing back; if an earlier run wrote it, " +
        "only the undo file of that run takes it back",
      ];
    }
    if (this.unchangedBytes === 0) return [];
    return [
      `the target held the first part of it already, up to byte ${this.unchangedBytes}: if an earlier run ` +
      "wrote that, this undo file does not take it back",
    ];
  }

  /**
   * Writes and makes durable some of what is about to be written, by which the target is known from then on; what was
   * there must have been saved. Where nothing is about to change, it does nothing.
   *
   * @param known Differences of the overwrite that were found already.
   */
  async mark(overwrite: Overwrite, known?: readonly Difference[]): Promise<void> {
    if (!this.needsMarks) return;
    const found = known && known.length > 0
      ? known
      : await findDifferences(overwrite, { places: MAX_NAMED.marks, thorough: true });
    const chosen = chooseMarks(found);
    if (chosen.length === 0) return this.passUnchanged(overwrite.stretches);
    const marks = await Promise.all(chosen.map(async ({ offsetBytes, after }) => ({
      offsetBytes,
      hash: (await contentHash(after)).slice(0, 8),
    })));
    this.header.replace({ marks });
    const writes = new Batch();
    const bytes = new Uint8Array(chosen.length * SECTOR_SIZE);
    for (const [i, { offsetBytes, after }] of chosen.entries()) {
      bytes.set(after, i * SECTOR_SIZE);
      writes.add({ offsetBytes, lengthBytes: SECTOR_SIZE, at: i * SECTOR_SIZE });
    }
    await this.target.write(writes, bytes);
    await this.target.flush();
    this.header.replace({ state: "writing" });
  }

  private passUnchanged(stretches: Batch): void {
    const last = stretches.count - 1;
    if (last < 0) return;
    const end = stretches.offsetBytes[last]! + stretches.lengthBytes[last]!;
    this.unchangedBytes = Math.max(this.unchangedBytes, end);
  }

  /**
   * The apply is whole and durable: the file is not continued from now on, and knows its target by much more.
   *
   * @param untouched Blocks that were left alone.
   * @param base Of a VMDK target: its descriptor before, and its CID now.
   */
  async finish(
    untouched: readonly number[],
    base: { descriptor?: Uint8Array | undefined; cidAfter?: number | undefined } = {},
  ): Promise<void> {
    const blocks = await nonZeroBlocks(this.target, { blocks: untouched, limit: MAX_UNTOUCHED });
    const alone = blocks.map((block) => ({
      offsetBytes: block * UNTOUCHED_BLOCK_BYTES,
      lengthBytes: UNTOUCHED_BLOCK_BYTES,
    }));
    const trailer = {
      written: await hashEach(this.target, this.outline.pieces()),
      untouched: await hashEach(this.target, alone),
      saved: this.sum.end(),
      ...base,
    };
    this.log.write(this.endAt + 1, await encodeTrailer(trailer));
    this.log.sync();
    this.header.replace({ state: "applied" });
  }

  /**
   * Saves what stands in the stretches and makes it durable. Holes are read
   * too: asking a file for them may cost a look at all its pages (tmpfs), reading them costs no more than
   * their length.
   */
  async save(stretches: Batch): Promise<void> {
    for (let i = 0; i < stretches.count; i++) {
      const end = stretches.offsetBytes[i]! + stretches.lengthBytes[i]!;
      const start = Math.max(stretches.offsetBytes[i]!, this.savedBytes ?? 0);
      if (start < end) await this.queue(start, end);
    }
    await this.drain();
    this.packZeros();
    this.append();
    this.commit();
  }

  close(): void {
    this.log.close();
  }

  /** Puts what was appended in force. */
  private commit(): void {
    if (this.withheldTag === undefined) return;
    this.log.write(this.cursor, rbdDiffEnd());
    this.log.sync();
    this.log.write(this.endAt, Uint8Array.of(this.withheldTag));
    this.log.sync();
    this.withheldTag = undefined;
    this.endAt = this.cursor;
  }

  private async queue(start: number, end: number): Promise<void> {
    const room = this.core.spare.length;
    for (let at = start; at < end;) {
      if (this.filled + HEAD_BYTES + BLOCK_BYTES > room) await this.drain();
      const lengthBytes = cutToBlock({ at, end }, room - this.filled - HEAD_BYTES);
      // A head lies between two stretches, so that they stay two transfers however they lie in the target.
      this.reads.add({ offsetBytes: at, lengthBytes, at: this.filled + HEAD_BYTES });
      this.filled += HEAD_BYTES + lengthBytes;
      at += lengthBytes;
    }
    if (this.savedBytes !== undefined) this.savedBytes = end;
  }

  /** Reads what is queued, packs it and appends it. */
  private async drain(): Promise<void> {
    const { reads } = this;
    if (reads.count > 0) await this.target.read(reads, this.core.spare);
    // Data that follows its head directly need not be moved; zeros that wait get their head in front of that.
    this.packedFrom = this.packed = FRONT_BYTES - (this.zeros ? HEAD_BYTES : 0);
    for (let i = 0; i < reads.count; i++) {
      this.pack(reads.offsetBytes[i]!, reads.at[i]!, reads.lengthBytes[i]!);
    }
    reads.clear();
    this.filled = FRONT_BYTES;
    this.append();
  }

  /** Splits what was read to `from` into data and zeros, by blocks of the target. */
  private pack(offsetBytes: number, from: number, lengthBytes: number): void {
    let dataFrom = 0;
    for (let at = 0; at < lengthBytes;) {
      const size = Math.min(lengthBytes - at, BLOCK_BYTES - (offsetBytes + at) % BLOCK_BYTES);
      if (this.core.kernels.isZero(this.core.spareAddress + from + at, size) === 1) {
        this.packData(offsetBytes + dataFrom, from + dataFrom, at - dataFrom);
        this.addZeros(offsetBytes + at, size);
        dataFrom = at + size;
      }
      at += size;
    }
    this.packData(offsetBytes + dataFrom, from + dataFrom, lengthBytes - dataFrom);
  }

  private packData(offsetBytes: number, from: number, lengthBytes: number): void {
    if (lengthBytes === 0) return;
    this.packZeros();
    this.packHead({ kind: "write", offsetBytes, lengthBytes });
    if (this.packed !== from) this.core.spare.copyWithin(this.packed, from, from + lengthBytes);
    this.packed += lengthBytes;
  }

  private packZeros(): void {
    if (this.zeros) this.packHead({ kind: "zero", ...this.zeros });
    this.zeros = undefined;
  }

  private packHead(record: Parameters<typeof rbdDiffRecord>[0]): void {
    this.outline.add(record);
    this.core.spare.set(rbdDiffRecord(record), this.packed);
    this.packed += HEAD_BYTES;
  }

  private addZeros(offsetBytes: number, lengthBytes: number): void {
    if (this.zeros && this.zeros.offsetBytes + this.zeros.lengthBytes === offsetBytes) {
      this.zeros.lengthBytes += lengthBytes;
      return;
    }
    this.packZeros();
    this.zeros = { offsetBytes, lengthBytes };
  }

  private append(): void {
    if (this.packed === this.packedFrom) return;
    const bytes = this.core.spare.subarray(this.packedFrom, this.packed);
    this.sum.add(bytes);
    if (this.withheldTag === undefined) {
      this.withheldTag = bytes[0]!;
      bytes.set(rbdDiffEnd());
    }
    this.log.write(this.cursor, bytes);
    this.cursor += bytes.length;
    this.packedFrom = this.packed = FRONT_BYTES;
  }
}

/** As much of a stretch as there is room for. It ends with a block: the file tells its target by whole sectors. */
function cutToBlock({ at, end }: { at: number; end: number }, roomBytes: number): number {
  if (end - at <= roomBytes) return end - at;
  return Math.floor((at + roomBytes) / BLOCK_BYTES) * BLOCK_BYTES - at;
}

async function hashEach(target: Source, stretches: readonly Stretch[]): Promise<KnownStretch[]> {
  const known: KnownStretch[] = [];
  for (const stretch of stretches) known.push({ ...stretch, hash: await hashStretch(target, stretch) });
  return known;
}

/** Few, and apart from each other. */
function chooseMarks(found: readonly Difference[]): readonly Difference[] {
  const { marks } = MAX_NAMED;
  if (found.length <= marks) return found;
  return Array.from({ length: marks }, (_, i) => found[Math.floor(found.length * i / marks)]!);
}

/** Gives a target back what it held at the marks. Does not flush. */
export async function restoreMarks(prepared: PreparedDiff, target: Target): Promise<void> {
  const writes = new Batch();
  const marks = prepared.undo?.marks ?? [];
  const bytes = new Uint8Array(marks.length * SECTOR_SIZE);
  for (const [i, { offsetBytes }] of marks.entries()) {
    const at = i * SECTOR_SIZE;
    const saved = prepared.saved.get(offsetBytes);
    if (!saved) throw new RegrainError("DAMAGED", "no record holds a mark", { path: prepared.source.path });
    if (saved.dataAt !== undefined) {
      bytes.set(await readBytes(prepared.source, saved.dataAt, SECTOR_SIZE), at);
    }
    writes.add({ offsetBytes, lengthBytes: SECTOR_SIZE, at });
  }
  if (marks.length > 0) await target.write(writes, bytes);
}

/** What there is to continue; `undefined` when not even the header was written whole. */
async function continuation(
  path: string,
  { target, io }: UndoWork,
  expected: NewUndoIds,
): Promise<PreparedDiff | undefined> {
  const source = io.openSource(path);
  try {
    if (await isEmpty(source)) return undefined;
    const found = await prepareDiff(source);
    requireContinuable(path, { found, target, expected });
    await requireOwnTarget(found, { target, force: false });
    return found;
  } catch (cause) {
    if (!(cause instanceof RegrainError)) throw cause;
    if (cause.code === "NOT_A_DISK") throw foreign(path, "it is no undo file");
    if (cause.code === "WRONG_BASE") {
      throw foreign(path, `it does not belong to the target as it is (${cause.reason})`);
    }
    throw cause;
  } finally {
    source.close();
  }
}

/** Why an undo file that is done with is not continued. */
function whyDone({ state, operation }: UndoIds): string | undefined {
  const done: Partial<Record<UndoState, string>> = {
    applied: `the ${spoken(operation).run} that it takes back is whole`,
    returning: "it is being taken back",
    returned: "it was taken back",
  };
  return done[state];
}

function requireContinuable(
  path: string,
  { found, target, expected }: { found: PreparedDiff; target: Target; expected: NewUndoIds },
): void {
  const { undo, diff } = found;
  if (undo === undefined) throw foreign(path, "it is no undo file");
  const done = whyDone(undo);
  if (done !== undefined) {
    throw foreign(path, `${done}: what the target holds by now would not be saved`);
  }
  const first = takeBackFirst(path, target, undo);
  if (undo.version === 1) throw foreign(path, "an older version made it", first);
  if (!undo.isOrdered || !expected.isOrdered) {
    throw foreign(path, "what comes through a pipe cannot continue it", first);
  }
  if (undo.plan === expected.plan && diff.meta.sizeBytes === target.sizeBytes) return;
  throw foreign(path, `it was made by ${spoken(undo.operation).other}, or for another target`, first);
}

/** Something wrote to the target where the interrupted run left it as it was, so that nobody saved it. */
export function writtenSince(
  path: string,
  { operation, target, offsetBytes }: { operation: GuardedOperation; target: Target; offsetBytes: number },
): RegrainError {
  const why = `the target was written to since, at byte ${offsetBytes}, which it does not hold`;
  return foreign(path, why, takeBackFirst(path, target, { operation }));
}

/** True of a file without a byte that means anything: nothing is lost when it is begun again. */
async function isEmpty(source: Source): Promise<boolean> {
  if (source.sizeBytes > SECTOR_SIZE) return false;
  const bytes = await readBytes(source, 0, source.sizeBytes);
  return bytes.every((byte) => byte === 0);
}

/** A run that is not whole may have left a part of something else, which no second one covers. */
function takeBackFirst(path: string, target: Target, { operation }: Pick<UndoIds, "operation">): string {
  const command = applyCommand({ deltas: [path], target: target.path });
  return `if its ${spoken(operation).run} was on this target, take that back first with ${command}; ` +
    `then ${NAME_ANOTHER}`;
}

const NAME_ANOTHER = "name another file with --undo; an undo file is never overwritten";

function foreign(path: string, why: string, hint = NAME_ANOTHER): RegrainError {
  return new RegrainError("TARGET_UNSUITABLE", `the undo file exists, and ${why}`, { path, hint });
}
