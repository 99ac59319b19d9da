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
 * A run that was interrupted and is started again continues the file: what it holds came from the target as it
 * was at first and is not saved again, since by then the target may hold new data there.
 */
import {
  Batch,
  type Core,
  formatCid,
  type LinkIdentity,
  readBytes,
  RegrainError,
  type Source,
  type Target,
} from "../../core-as/host/mod.ts";
import type { Io, LogFile } from "../io/mod.ts";
import { RbdDiff, rbdDiffEnd, type RbdDiffExtent, rbdDiffHeader, rbdDiffRecord } from "../stream/rbd_diff.ts";

const HEAD_BYTES = 17;
/** Room for the heads of zeros that an earlier turn of the arena left, and of the first data. */
const FRONT_BYTES = 64;
/** Zeros are told from data at this granularity. */
const BLOCK_BYTES = 4096;
const NAME_PREFIX = "regrain-undo-";

/** What the snapshot name of an undo file says. */
export interface UndoIds {
  /** Fingerprint of the plan that it undoes. */
  readonly plan: string;
  /** Blocks that the plan leaves alone, and their hash: they tell the target. */
  readonly blocks: readonly number[];
  readonly blocksHash: string;
  /** Content ids that a VMDK target had before. */
  readonly base?: { readonly cid: number; readonly longContentId: string | undefined } | undefined;
}

/** Writes the ids as a snapshot name, the one free field that rbd-diff has; it stays below 255 characters. */
export function undoName({ plan, blocks, blocksHash, base }: UndoIds): string {
  const places = blocks.map((block) => block.toString(16)).join(".");
  const cid = base === undefined ? "" : `-${formatCid(base.cid)}`;
  const long = base?.longContentId === undefined ? "" : `-${base.longContentId.toLowerCase()}`;
  return `${NAME_PREFIX}${plan}-${blocksHash}-${places}${cid}${long}`;
}

/** The ids of a VMDK target, to be given back. */
export function baseIds(base: LinkIdentity | undefined): UndoIds["base"] {
  const cid = base?.descriptor?.cid;
  if (cid === undefined) return undefined;
  return { cid, longContentId: base?.descriptor?.ddb.get("longcontentid") };
}

const NAME_PATTERN = new RegExp(
  `^${NAME_PREFIX}([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-f.]*)(?:-([0-9a-f]{8}))?(?:-([0-9a-f]{32}))?$`,
);

/** Reads the ids of an undo file; `undefined` when the name is that of another kind of rbd-diff. */
export function parseUndoName(name: string | undefined): UndoIds | undefined {
  const match = NAME_PATTERN.exec(name ?? "");
  if (!match) return undefined;
  const [, plan, blocksHash, places, cid, longContentId] = match;
  return {
    plan: plan!,
    blocksHash: blocksHash!,
    blocks: places === "" ? [] : places!.split(".").map((place) => parseInt(place, 16)),
    base: cid === undefined ? undefined : { cid: parseInt(cid, 16), longContentId },
  };
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

  /** Where the next bytes go. */
  private cursor: number;
  /** Tag of the first record behind the end record, while that is still in force. */
  private withheldTag: number | undefined;

  private constructor(
    private readonly core: Core,
    private readonly target: Target,
    private readonly log: LogFile,
    /** Where the end record stands. */
    private endAt: number,
    /** Everything of the target below this byte is saved; `undefined` when stretches come in any order. */
    private savedBytes: number | undefined,
  ) {
    this.cursor = endAt;
  }

  /**
   * Makes an undo file for stretches that come in any order. It cannot be continued later: what it holds could not
   * be told from what it lacks.
   *
   * @throws {RegrainError} `TARGET_UNSUITABLE` when the file exists.
   */
  static create(path: string, work: { core: Core; target: Target; io: Io; name: string }): UndoSaver {
    const { core, target, io, name } = work;
    if (io.stat(path)) throw foreign(path, "what comes through a pipe cannot continue it");
    const header = rbdDiffHeader({ sizeBytes: target.sizeBytes, toSnapshot: name });
    return UndoSaver.begin(io.openLog(path, { create: true }), { core, target, header, ordered: false });
  }

  private static begin(
    log: LogFile,
    work: { core: Core; target: Target; header: Uint8Array; ordered: boolean },
  ): UndoSaver {
    const { core, target, header, ordered } = work;
    log.write(0, header);
    log.write(header.length, rbdDiffEnd());
    log.sync();
    return new UndoSaver(core, target, log, header.length, ordered ? 0 : undefined);
  }

  /**
   * Opens an undo file: a new one, or the rest of one that an interrupted run of the same plan left.
   *
   * @throws {RegrainError} `TARGET_UNSUITABLE` when the file belongs to something else.
   */
  static async open(
    path: string,
    work: { core: Core; target: Target; io: Io; name: string },
  ): Promise<UndoSaver> {
    const { core, target, io, name } = work;
    const header = rbdDiffHeader({ sizeBytes: target.sizeBytes, toSnapshot: name });
    const exists = io.stat(path) !== undefined;
    const found = exists
      ? await continuation(path, io, { name, header, sizeBytes: target.sizeBytes })
      : undefined;
    const log = io.openLog(path, { create: !exists });
    if (found) return new UndoSaver(core, target, log, found.endBytes, found.reachedBytes);
    return UndoSaver.begin(log, { core, target, header, ordered: true });
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
      const lengthBytes = Math.min(end - at, room - this.filled - HEAD_BYTES);
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
    if (this.withheldTag === undefined) {
      this.withheldTag = bytes[0]!;
      bytes.set(rbdDiffEnd());
    }
    this.log.write(this.cursor, bytes);
    this.cursor += bytes.length;
    this.packedFrom = this.packed = FRONT_BYTES;
  }
}

/** How far an undo file goes; `undefined` when not even its header was written whole. */
async function continuation(
  path: string,
  io: Io,
  expected: { name: string; sizeBytes: number; header: Uint8Array },
): Promise<RbdDiffExtent | undefined> {
  const source = io.openSource(path);
  try {
    if (await isUnfinishedHeader(source, expected.header)) return undefined;
    const diff = await RbdDiff.open(source);
    const same = diff.meta.toSnapshot === expected.name && diff.meta.sizeBytes === expected.sizeBytes;
    if (same) return await diff.extent();
    throw foreign(path, "it was made by another apply, or for another target");
  } catch (cause) {
    if (cause instanceof RegrainError && cause.code === "NOT_A_DISK") {
      throw foreign(path, "it is no undo file");
    }
    throw cause;
  } finally {
    source.close();
  }
}

/**
 * True when the file is not longer than an empty undo file, and holds what one holds or zeros where that was
 * lost: no record was ever in force, and nothing is lost when it is begun again.
 */
async function isUnfinishedHeader(source: Source, header: Uint8Array): Promise<boolean> {
  const whole = [...header, ...rbdDiffEnd()];
  if (source.sizeBytes > whole.length) return false;
  const bytes = await readBytes(source, 0, source.sizeBytes);
  return bytes.every((byte, i) => byte === whole[i] || byte === 0);
}

function foreign(path: string, why: string): RegrainError {
  return new RegrainError("TARGET_UNSUITABLE", `the undo file exists, and ${why}`, {
    path,
    hint: "name another file with --undo; an undo file is never overwritten",
  });
}
