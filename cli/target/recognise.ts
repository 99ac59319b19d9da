/**
 * Whether a target is the one that an undo file was made for, told by content: names and inodes change when a disk is
 * moved, and a clone has all the blocks that its template had.
 *
 * What tells: the marks, sectors that the apply wrote before and that taking back restores after everything else;
 * what else the apply wrote; what it left alone; and what it had not yet come to.
 */
import { Batch, RegrainError, SECTOR_SIZE, type Source } from "../../core-as/host/mod.ts";
import { contentHash, hashStretch } from "./content_hash.ts";
import { isEqual } from "./differences.ts";
import { spoken } from "./spoken.ts";
import type { PreparedDiff } from "./undo_file.ts";
import { type PlacedHash, type UndoIds, UNTOUCHED_BLOCK_BYTES } from "./undo_name.ts";
import type { KnownStretch } from "./undo_trailer.ts";
import { hashBlocks } from "./untouched.ts";

export interface Recognition {
  /** What cannot be told, one sentence each. */
  readonly warnings: readonly string[];
  /** It was taken back already, and the target holds what it held before. */
  readonly isReturned: boolean;
}

/** What a message says when a target is not recognised. */
type Obstacle = string | undefined;

/**
 * Makes sure that an undo file was made for this target, and that only the apply wrote to it since.
 *
 * @throws {RegrainError} `WRONG_BASE`.
 */
export async function requireOwnTarget(
  prepared: PreparedDiff,
  at: { target: Source; force: boolean },
): Promise<Recognition> {
  const { undo } = prepared;
  if (!undo || at.force) return { warnings: [], isReturned: false };
  if (undo.version === 1) return await recogniseFirstVersion(prepared, at.target);
  const obstacle = await obstacleTo(prepared, at.target);
  if (obstacle !== undefined) throw notRecognised(prepared, obstacle);
  const isReturned = undo.state === "returned" &&
    (undo.marks.length === 0 || await firstLackingMark(undo, at.target) !== undefined);
  return { warnings: warningsOf(undo), isReturned };
}

function warningsOf(undo: UndoIds): string[] {
  if (undo.state !== "prepared" && undo.state !== "writing") return [];
  const { run } = spoken(undo.operation);
  return [`its ${run} was interrupted: it takes back the part that was overwritten until then`];
}

/** @returns why the target is not the one, as a part of a sentence. */
async function obstacleTo(prepared: PreparedDiff, target: Source): Promise<Obstacle> {
  const undo = prepared.undo!;
  const outside = await untouchedObstacle(prepared, target) ?? await aheadObstacle(prepared, target);
  if (outside !== undefined) return outside;
  const lacking = await firstLackingMark(undo, target);
  if (undo.marks.length > 0 && lacking === undefined) return await writtenObstacle(prepared, target);
  if (mayLackMarks(undo)) return await beforeObstacle(prepared, target);
  return notWritten(undo, lacking!.offsetBytes);
}

function notWritten({ operation }: UndoIds, offsetBytes: number): string {
  return `it does not hold what the ${spoken(operation).run} wrote, at byte ${offsetBytes}`;
}

/** Whether the target of an undo file may be without its marks, and hold all that it held before. */
function mayLackMarks({ state, marks }: UndoIds): boolean {
  return marks.length === 0 || state === "prepared" || state === "returning" || state === "returned";
}

/** The first mark at which the target does not hold what the apply wrote. */
async function firstLackingMark({ marks }: UndoIds, target: Source): Promise<PlacedHash | undefined> {
  for (const mark of marks) if (!await holdsNamed(target, mark)) return mark;
  return undefined;
}

async function holdsNamed(target: Source, { offsetBytes, hash }: PlacedHash): Promise<boolean> {
  if (offsetBytes + SECTOR_SIZE > target.sizeBytes) return false;
  return (await hashStretch(target, { offsetBytes, lengthBytes: SECTOR_SIZE })).slice(0, hash.length) ===
    hash;
}

async function untouchedObstacle({ undo, trailer }: PreparedDiff, target: Source): Promise<Obstacle> {
  const { blocks, blocksHash } = undo!;
  const changed = `it is not what it was where the ${spoken(undo!.operation).run} wrote nothing`;
  if (blocks.some((block) => (block + 1) * UNTOUCHED_BLOCK_BYTES > target.sizeBytes)) return changed;
  if (blocks.length > 0 && await hashBlocks(target, blocks) !== blocksHash) return changed;
  const other = await firstOther(trailer?.untouched ?? [], target);
  return other && `${changed}, at byte ${other.offsetBytes}`;
}

/** What the undo file does not hold was not to be overwritten without it. */
async function aheadObstacle({ undo, saved }: PreparedDiff, target: Source): Promise<Obstacle> {
  for (const sector of undo!.ahead) {
    if (saved.has(sector.offsetBytes) || await holdsNamed(target, sector)) continue;
    const { run } = spoken(undo!.operation);
    return `byte ${sector.offsetBytes}, which it does not hold, was overwritten: the ${run} went on without it`;
  }
  return undefined;
}

/** While it is written, or taken back, one part holds what was there before. */
async function writtenObstacle({ undo, trailer }: PreparedDiff, target: Source): Promise<Obstacle> {
  if (undo!.state !== "applied" && undo!.state !== "returned") return undefined;
  const other = await firstOther(trailer?.written ?? [], target);
  return other && notWritten(undo!, other.offsetBytes);
}

async function firstOther(
  stretches: readonly KnownStretch[],
  target: Source,
): Promise<KnownStretch | undefined> {
  for (const stretch of stretches) {
    if (stretch.offsetBytes + stretch.lengthBytes > target.sizeBytes) return stretch;
    if (await hashStretch(target, stretch) !== stretch.hash) return stretch;
  }
  return undefined;
}

/** Compares all that the undo file holds; at a mark either content is right. */
async function beforeObstacle(prepared: PreparedDiff, target: Source): Promise<Obstacle> {
  const { undo, diff, source } = prepared;
  const core = new Comparison(source, target, undo!.marks);
  for await (const record of diff.records()) {
    const otherAt = await core.firstOther(record);
    if (otherAt === undefined) continue;
    return undo!.state === "returned"
      ? `it was taken back already, and byte ${otherAt} was written since`
      : `it holds neither what the ${
        spoken(undo!.operation).run
      } wrote nor what it overwrote, at byte ${otherAt}`;
  }
  return undefined;
}

/** Bytes of a record and of the target, side by side. */
const COMPARE_BYTES = 256 * 1024;

class Comparison {
  private readonly old = new Uint8Array(COMPARE_BYTES);
  private readonly now = new Uint8Array(COMPARE_BYTES);
  private readonly batch = new Batch();

  constructor(
    private readonly source: Source,
    private readonly target: Source,
    private readonly marks: readonly PlacedHash[],
  ) {}

  /** The first byte of the disk at which the target does not hold what the record does. */
  async firstOther(
    record: { kind: "write" | "zero"; offsetBytes: number; lengthBytes: number; dataAt: number },
  ): Promise<number | undefined> {
    for (let done = 0; done < record.lengthBytes; done += COMPARE_BYTES) {
      const lengthBytes = Math.min(COMPARE_BYTES, record.lengthBytes - done);
      const offsetBytes = record.offsetBytes + done;
      if (offsetBytes + lengthBytes > this.target.sizeBytes) return offsetBytes;
      await this.read(this.target, { offsetBytes, lengthBytes }, this.now);
      if (record.kind === "write") {
        await this.read(this.source, { offsetBytes: record.dataAt + done, lengthBytes }, this.old);
      } else this.old.fill(0, 0, lengthBytes);
      const other = await this.compare(offsetBytes, lengthBytes);
      if (other !== undefined) return other;
    }
    return undefined;
  }

  private async compare(offsetBytes: number, lengthBytes: number): Promise<number | undefined> {
    const [old, now] = [this.old.subarray(0, lengthBytes), this.now.subarray(0, lengthBytes)];
    if (isEqual(old, now)) return undefined;
    for (let at = 0; at < lengthBytes; at += SECTOR_SIZE) {
      const sector = now.subarray(at, at + SECTOR_SIZE);
      if (isEqual(old.subarray(at, at + SECTOR_SIZE), sector)) continue;
      const mark = this.marks.find((each) => each.offsetBytes === offsetBytes + at);
      if (mark === undefined || (await contentHash(sector)).slice(0, mark.hash.length) !== mark.hash) {
        return offsetBytes + at;
      }
    }
    return undefined;
  }

  private async read(
    source: Source,
    { offsetBytes, lengthBytes }: { offsetBytes: number; lengthBytes: number },
    into: Uint8Array,
  ): Promise<void> {
    this.batch.clear();
    this.batch.add({ offsetBytes, lengthBytes, at: 0 });
    await source.read(this.batch, into);
  }
}

/** A file of the version before knows only blocks that the plan left alone, and of what came through a pipe none. */
async function recogniseFirstVersion(prepared: PreparedDiff, target: Source): Promise<Recognition> {
  const { blocks } = prepared.undo!;
  const obstacle = await untouchedObstacle(prepared, target);
  if (obstacle !== undefined) throw notRecognised(prepared, obstacle);
  const known = blocks.length === 0 ? "nothing but the size" : "only blocks that the apply left alone";
  return {
    warnings: [
      `it was made by an older version, and ${known} tells the target: make sure that it is the right one, ` +
      "and that nothing wrote to it since the apply",
    ],
    isReturned: false,
  };
}

function notRecognised({ source, undo }: PreparedDiff, obstacle: string): RegrainError {
  const { operation } = undo!;
  return new RegrainError(
    "WRONG_BASE",
    `the undo file was made for another target, or this one was written to since: ${obstacle}`,
    {
      path: source.path,
      hint: `it takes back only what the ${spoken(operation).run} overwrote; if a VM ran on this disk, ` +
        (operation === "apply"
          ? "start the source VM, which is untouched, or copy the base again"
          : operation === "restore"
          ? "restore a snapshot onto it once more"
          : "sync it once more") +
        "; --force takes it back all the same, and leaves a mix of both where anything else wrote to the disk",
    },
  );
}
