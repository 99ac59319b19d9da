/** Lists of what changed on a disk, as other programs and `regrain map --json` write them. */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { ChangedArea } from "./origins.ts";

/** Changes, and the size of the disk they are of, where the list tells. */
export interface ChangedAreas {
  readonly list: readonly ChangedArea[];
  readonly sizeBytes: number | undefined;
}

/**
 * Reads a list of changes: the document of `regrain map --json` (holes are what did not change), vSphere's
 * `{"changedArea": [{"start", "length"}]}`, or a bare list of `{"start", "length"}`; in bytes.
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
  const record = typeof document === "object" && document !== null ? document as Record<string, unknown> : {};
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
  return { list, sizeBytes: typeof capacityBytes === "number" ? capacityBytes : undefined };
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
