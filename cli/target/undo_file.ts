/** Reading undo files, and rbd-diff files of other programs. */
import { KIB, quotePath, readBytes, RegrainError, SECTOR_SIZE, type Source } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { isRbdDiff, RbdDiff, type RbdDiffRecord } from "../stream/rbd_diff.ts";
import { RecordOutline } from "./record_outline.ts";
import { parseUndoName, type UndoIds } from "./undo_name.ts";
import { readTrailer, type UndoTrailer } from "./undo_trailer.ts";

/** Where the file has the old bytes of a sector; `undefined` of zeros. */
export interface SavedAt {
  readonly dataAt: number | undefined;
}

/** An rbd-diff file, read to its end and found sound. */
export interface PreparedDiff {
  readonly source: Source;
  readonly diff: RbdDiff;
  readonly writeBytes: number;
  readonly zeroBytes: number;
  readonly recordCount: number;
  /** Where the end record is, in bytes of the file. */
  readonly endBytes: number;
  /** End of the furthest record, in bytes of the image. */
  readonly reachedBytes: number;
  readonly outline: RecordOutline;
  /** Set when it is an undo file. */
  readonly undo: UndoIds | undefined;
  /** Of an undo file whose apply became whole. */
  readonly trailer: UndoTrailer | undefined;
  /** Of the sectors that an undo file names: those that a record holds. */
  readonly saved: ReadonlyMap<number, SavedAt>;
}

/** @throws {RegrainError} `TRUNCATED`, `DAMAGED`: nothing of a stream that was cut short is applied. */
export async function prepareDiff(source: Source): Promise<PreparedDiff> {
  const diff = await RbdDiff.open(source);
  const undo = parseUndoName(diff.meta.toSnapshot);
  const named = [...undo?.marks ?? [], ...undo?.ahead ?? []].map(({ offsetBytes }) => offsetBytes);
  const totals = { writeBytes: 0, zeroBytes: 0, recordCount: 0, reachedBytes: 0 };
  const outline = new RecordOutline();
  const saved = new Map<number, SavedAt>();
  let endBytes = diff.dataStartBytes;
  for await (const record of diff.records()) {
    const { kind, offsetBytes, lengthBytes } = record;
    totals[kind === "write" ? "writeBytes" : "zeroBytes"] += lengthBytes;
    totals.recordCount++;
    totals.reachedBytes = Math.max(totals.reachedBytes, offsetBytes + lengthBytes);
    endBytes = record.dataAt + (kind === "write" ? lengthBytes : 0);
    outline.add(record);
    for (const sector of named) if (holds(record, sector)) saved.set(sector, savedAt(record, sector));
  }
  const read = undo?.version === 2 ? await readTrailer(source, endBytes + 1) : undefined;
  const { trailer } = read ?? {};
  const prepared = { source, diff, ...totals, endBytes, outline, undo, trailer, saved };
  await requireAlone(source, { endBytes: read?.endBytes ?? endBytes + 1, isUndo: undo !== undefined });
  requireInside(prepared);
  return prepared;
}

/**
 * Every stretch that an undo file holds, in its order; nothing where there is none. Why one cannot be continued is said
 * when it is opened for that.
 */
export async function* savedIn(
  path: string,
  io: Pick<Io, "stat" | "openSource">,
): AsyncGenerator<RbdDiffRecord> {
  if (io.stat(path) === undefined) return;
  const source = io.openSource(path);
  try {
    const prepared = await prepareDiff(source);
    if (prepared.undo) yield* prepared.diff.records();
  } catch (error) {
    if (!(error instanceof RegrainError) || error.exit !== 4) throw error;
  } finally {
    source.close();
  }
}

/** What follows a stream is looked at up to here: padding of a sector or a block is zeros. */
const FOLLOWING_BYTES = 64 * KIB;

/**
 * Two streams in one file are not one, and only the first would be taken. Past the end of an undo file may be the rest
 * of records that did not count yet.
 */
async function requireAlone(
  source: Source,
  { endBytes, isUndo }: { endBytes: number; isUndo: boolean },
): Promise<void> {
  const lengthBytes = Math.min(FOLLOWING_BYTES, source.sizeBytes - endBytes);
  if (lengthBytes <= 0) return;
  const bytes = await readBytes(source, endBytes, lengthBytes);
  const { path } = source;
  const alone = `head -c ${endBytes} ${quotePath(path)} > FIRST makes a file of the first alone`;
  const at = { path, offsetBytes: endBytes };
  if (isRbdDiff(bytes)) {
    const rest = `tail -c +${endBytes + 1} ${quotePath(path)} > REST one of what follows`;
    const hint = `${alone}, ${rest}: apply FIRST, then REST`;
    throw new RegrainError("UNSUPPORTED", "another stream follows the first, and would not be applied", {
      ...at,
      hint,
    });
  }
  if (isUndo || bytes.every((byte) => byte === 0)) return;
  throw new RegrainError("DAMAGED", "something follows the end of the stream, which is no other stream", {
    ...at,
    hint: `it may be another file than it should be; if it is the right one, ${alone}`,
  });
}

/** Where an undo file that is whole says something of its target, that is there, and inside of the image. */
function requireInside({ source, diff, undo, trailer, endBytes }: PreparedDiff): void {
  if (undo?.state === "applied" && trailer === undefined) {
    throw new RegrainError(
      "TRUNCATED",
      "the end of the undo file, by which it knows its target, is not there",
      {
        path: source.path,
        offsetBytes: endBytes + 1,
      },
    );
  }
  const named = [...undo?.marks ?? [], ...undo?.ahead ?? []].map(({ offsetBytes }) =>
    offsetBytes + SECTOR_SIZE
  );
  const known = [...trailer?.written ?? [], ...trailer?.untouched ?? []];
  const ends = [...named, ...known.map(({ offsetBytes, lengthBytes }) => offsetBytes + lengthBytes)];
  if (ends.every((end) => end <= diff.meta.sizeBytes)) return;
  throw new RegrainError("DAMAGED", "the undo file names a place past the end of its image", {
    path: source.path,
  });
}

function holds(record: RbdDiffRecord, sector: number): boolean {
  return record.offsetBytes <= sector && sector + SECTOR_SIZE <= record.offsetBytes + record.lengthBytes;
}

function savedAt(record: RbdDiffRecord, sector: number): SavedAt {
  return { dataAt: record.kind === "zero" ? undefined : record.dataAt + sector - record.offsetBytes };
}
