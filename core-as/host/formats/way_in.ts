/**
 * The way into a file, by the record of the format that it is taken for.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import type { Source } from "../source.ts";
import type { Deciding, WayIn } from "./format.ts";
import { decideFormat } from "./format_choice.ts";
import { formatNamed } from "./formats.ts";
import type { Role } from "./image_format.ts";

/** Decides how a file is read; warns where its name and its first bytes disagree. */
export async function wayInto(file: Source, context: Deciding, role: Role): Promise<WayIn> {
  if (file.isDisk && role !== "image") {
    const message = "is a whole disk, and a delta is needed here";
    return { as: "refused", error: new RegrainError("NOT_A_DISK", message, { path: file.path }) };
  }
  const format = decideFormat(file, role, context.format);
  if (file.sizeBytes === 0) return { as: "refused", error: emptyFile(file) };
  return await formatNamed(format).wayInto(file, context, role);
}

function emptyFile({ path, isDisk }: Source): RegrainError {
  return new RegrainError("NOT_A_DISK", isDisk ? "is an empty disk" : "the file is empty", {
    path,
    offsetBytes: 0,
  });
}
