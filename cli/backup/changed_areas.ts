/** Lists of what changed on a disk, as other programs and `regrain map --json` write them. */
import { RegrainError } from "../../core-as/host/mod.ts";

/** A stretch of a disk that changed, in bytes. */
export interface ChangedArea {
  readonly start: number;
  readonly length: number;
}

/** Changes, and the size of the disk they are of, where the list tells. */
export interface ChangedAreas {
  readonly list: readonly ChangedArea[];
  readonly sizeBytes: number | undefined;
  /** What the list speaks of: outside of it may be other changes. `undefined` where that is the whole disk. */
  readonly covered?: readonly ChangedArea[] | undefined;
}

/**
 * Reads a list of changes: the document of `regrain map --json` (holes are what did not change), vSphere's
 * `{"changedArea": [{"start", "length"}]}`, or a bare list of `{"start", "length"}`; in bytes. vSphere answers in
 * pages: its `startOffset` and `length` tell what a page covers.
 *
 * @throws {RegrainError} `DESCRIPTOR_INVALID` that says which entry is wrong.
 */
export function parseChangedAreas(text: string, path: string): ChangedAreas {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new RegrainError("DESCRIPTOR_INVALID", "is no JSON document", { path, cause });
  }
  const isRecord = typeof document === "object" && document !== null && !Array.isArray(document);
  const record = isRecord ? document as Record<string, unknown> : {};
  const entries = Array.isArray(document) ? document : record.runs ?? record.changedArea ?? record.areas;
  if (!Array.isArray(entries)) {
    throw new RegrainError("DESCRIPTOR_INVALID", "holds no list of changes", {
      path,
      hint:
        'the output of regrain map --json, {"changedArea": [...]}, or a list of {"start", "length"}, in bytes',
    });
  }
  const list = entries.flatMap((entry, i) => areaOf(entry, { path, index: i }));
  const { capacityBytes } = record;
  return {
    list,
    sizeBytes: typeof capacityBytes === "number" ? capacityBytes : undefined,
    covered: coveredBy(record, path),
  };
}

/** What a document speaks of: the runs of a map name what did not change too, a page says from where to where. */
function coveredBy(record: Record<string, unknown>, path: string): readonly ChangedArea[] | undefined {
  const { runs, startOffset, length } = record;
  if (Array.isArray(runs)) {
    return (runs as ChangedArea[]).map(({ start, length }) => ({ start, length }));
  }
  if (startOffset === undefined && length === undefined) return undefined;
  const page = { start: startOffset ?? 0, length };
  if (isBytes(page.start) && isBytes(page.length)) return [{ start: page.start, length: page.length }];
  const message = 'its "startOffset" and "length" are no numbers of bytes: what it covers is not known';
  throw new RegrainError("DESCRIPTOR_INVALID", message, { path });
}

/** The first stretch of a disk that a list does not speak of. */
export function firstNotCovered(
  { covered }: Pick<ChangedAreas, "covered">,
  sizeBytes: number,
): { startBytes: number; endBytes: number } | undefined {
  if (covered === undefined) return undefined;
  let reachedBytes = 0;
  for (const { start, length } of [...covered].sort((a, b) => a.start - b.start)) {
    if (start > reachedBytes) return { startBytes: reachedBytes, endBytes: Math.min(start, sizeBytes) };
    reachedBytes = Math.max(reachedBytes, start + length);
  }
  return reachedBytes < sizeBytes ? { startBytes: reachedBytes, endBytes: sizeBytes } : undefined;
}

function areaOf(entry: unknown, about: { path: string; index: number }): ChangedArea[] {
  const { start, length, kind } = (entry ?? {}) as Record<string, unknown>;
  if (!isBytes(start) || !isBytes(length)) {
    throw new RegrainError(
      "DESCRIPTOR_INVALID",
      `entry ${about.index} has no "start" and "length" in bytes`,
      {
        path: about.path,
      },
    );
  }
  return kind === "hole" ? [] : [{ start, length }];
}

function isBytes(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 0;
}
