/**
 * Lists of what changed on a disk, as other programs and `regrain map --json` write them.
 *
 * vSphere answers in parts: `QueryChangedDiskAreas` says by `startOffset` and `length` which stretch of the disk an
 * answer is about, and is asked again from its end. So half a list looks like a whole one, and what no answer covers
 * has to be read.
 */
import { RegrainError } from "../../../core-as/host/mod.ts";
import { Members, parseDocuments } from "./changed_documents.ts";

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

const FORMS = "the output of regrain map --json, vSphere's answers " +
  '({"startOffset", "length", "changedArea": [{"start", "length"}]}), or a list of {"start", "length"}, in bytes; ' +
  "without --changed the whole disk is read";

/**
 * Reads a list of changes: the document of `regrain map --json` (holes are what did not change), vSphere's answers, one
 * or several, in a list or one after the other, or a bare list of `{"start", "length"}`; in bytes. Names may be in
 * capitals, as PowerCLI writes them.
 *
 * @throws {RegrainError} `DESCRIPTOR_INVALID` that says which entry is wrong.
 */
export function parseChangedAreas(text: string, path: string): ChangedAreas {
  const documents = parseDocuments(text, path);
  const [first] = documents;
  if (documents.length > 1) return joined(documents, path);
  if (Array.isArray(first)) {
    return first.some((entry) => isAnswer(entry, path))
      ? joined(first, path)
      : { list: areasOf(first, path), sizeBytes: undefined };
  }
  if (isAnswer(first, path)) return joined(documents, path);
  const record = Members.of(first, path);
  const runs = record?.get("runs");
  const areas = runs ?? record?.get("areas");
  if (record === undefined || !Array.isArray(areas)) {
    throw new RegrainError("DESCRIPTOR_INVALID", "holds no list of changes", { path, hint: FORMS });
  }
  const sizeBytes = record.get("capacitybytes");
  return {
    list: areasOf(areas, path),
    sizeBytes: typeof sizeBytes === "number" ? sizeBytes : undefined,
    // The runs of a map name what did not change too.
    covered: runs === undefined ? undefined : stretchesOf(areas, path),
  };
}

/** True for an answer of vSphere's: it says what it is about, or has the list of changes that an answer has. */
function isAnswer(value: unknown, path: string): boolean {
  const record = Members.of(value, path);
  return record !== undefined && (record.has("startoffset") || record.has("changedarea"));
}

/** Several answers as one list: what none of them covers is not covered. */
function joined(answers: readonly unknown[], path: string): ChangedAreas {
  const parts = answers.map((answer, i) => partOf(answer, { path, number: i + 1 }));
  return {
    list: parts.flatMap(({ list }) => list),
    sizeBytes: undefined,
    covered: parts.map(({ covered }) => covered),
  };
}

/** One answer. One without areas has no changes in its stretch. */
function partOf(
  answer: unknown,
  { path, number }: { path: string; number: number },
): { list: ChangedArea[]; covered: ChangedArea } {
  const record = isAnswer(answer, path) ? Members.of(answer, path) : undefined;
  if (record === undefined) {
    throw new RegrainError("DESCRIPTOR_INVALID", `document ${number} is no answer of vSphere's`, {
      path,
      hint: FORMS,
    });
  }
  const [start, length] = [record.get("startoffset"), record.get("length")];
  if (!isBytes(start) || !isBytes(length)) {
    const missing = [...isBytes(start) ? [] : ['"startOffset"'], ...isBytes(length) ? [] : ['"length"']];
    throw new RegrainError(
      "DESCRIPTOR_INVALID",
      `answer ${number} has no ${
        missing.join(" and no ")
      } in bytes: which part of the disk it is about is not known`,
      {
        path,
        hint:
          "give the answer as vSphere gave it, with startOffset and length; without --changed the whole disk is read",
      },
    );
  }
  const areas = record.get("changedarea") ?? [];
  // PowerShell writes a list of one as that one.
  return { list: areasOf(Array.isArray(areas) ? areas : [areas], path), covered: { start, length } };
}

/** The stretches of a disk that a list does not speak of, in their order. */
export function notCovered(
  { covered }: Pick<ChangedAreas, "covered">,
  sizeBytes: number,
): ChangedArea[] {
  if (covered === undefined) return [];
  const gaps: ChangedArea[] = [];
  let reachedBytes = 0;
  for (const { start, length } of [...covered].sort((a, b) => a.start - b.start)) {
    const toBytes = Math.min(start, sizeBytes);
    if (toBytes > reachedBytes) gaps.push({ start: reachedBytes, length: toBytes - reachedBytes });
    reachedBytes = Math.max(reachedBytes, start + length);
  }
  return reachedBytes < sizeBytes
    ? [...gaps, { start: reachedBytes, length: sizeBytes - reachedBytes }]
    : gaps;
}

/** What changed, of entries that may say what did not. */
function areasOf(entries: readonly unknown[], path: string): ChangedArea[] {
  return entries.flatMap((entry, i) =>
    Members.of(entry, path)?.get("kind") === "hole" ? [] : [stretchOf(entry, { path, index: i })]
  );
}

function stretchesOf(entries: readonly unknown[], path: string): ChangedArea[] {
  return entries.map((entry, i) => stretchOf(entry, { path, index: i }));
}

function stretchOf(entry: unknown, { path, index }: { path: string; index: number }): ChangedArea {
  const record = Members.of(entry, path);
  const [start, length] = [record?.get("start"), record?.get("length")];
  if (isBytes(start) && isBytes(length)) return { start, length };
  // ConvertTo-Json writes the name of a type where its depth of two ends.
  const isCut = typeof entry === "string" && entry.includes(".");
  throw new RegrainError("DESCRIPTOR_INVALID", `entry ${index} has no "start" and "length" in bytes`, {
    path,
    hint: isCut ? "write the list by ConvertTo-Json -Depth 5: without it the areas are cut off" : FORMS,
  });
}

function isBytes(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 0;
}
