/**
 * The way into a file: as the raw disk that it is, by its own descriptor, by the one beside it, or bare.
 *
 * This module is browser compatible.
 */
import type { Context } from "../context.ts";
import { findDescriptorBeside } from "./vmdk/descriptor_file.ts";
import { RegrainError } from "../errors.ts";
import {
  decideFormat,
  descriptorDespite,
  formatByName,
  isDescriptorOfOwnExtent,
  rawDespite,
  type Role,
} from "./format_choice.ts";
import { DELTAS_FIRST, otherThanRaw, otherThanVmdk } from "./other_formats.ts";
import { looksLike, notADisk, type Probe, probe } from "./probe.ts";
import type { Source } from "../source.ts";
import { SECTOR_SIZE } from "../units.ts";

/** How a file is to be read. */
export type WayIn =
  | { readonly as: "raw" }
  | { readonly as: "descriptor" }
  | { readonly as: "beside"; readonly path: string }
  | { readonly as: "bare"; readonly seen: Probe }
  /** Not at all: it cannot be what it has to be. */
  | { readonly as: "refused"; readonly error: RegrainError };

/** What deciding needs of the context. */
export type Deciding = Pick<Context, "files" | "format" | "warn">;

/** Decides how a file is read; warns where its name and its first bytes disagree. */
export async function wayInto(file: Source, context: Deciding, role: Role): Promise<WayIn> {
  if (file.isDisk && role !== "image") {
    const message = "is a whole disk, and a delta is needed here";
    return refused(new RegrainError("NOT_A_DISK", message, { path: file.path }));
  }
  const format = decideFormat(file, role, context.format);
  if (file.sizeBytes === 0) return refused(emptyFile(file));
  if (format === "vmdk") return await vmdkWay(file, context, role);
  if (file.isDisk || context.format === "raw" && role === "image") return { as: "raw" };
  return await rawWay(file, context);
}

function refused(error: RegrainError): WayIn {
  return { as: "refused", error };
}

async function vmdkWay(file: Source, context: Deciding, role: Role): Promise<WayIn> {
  const seen = await probe(file);
  if (seen.kind === "descriptor") return { as: "descriptor" };
  const beside = file.isDisk || file.isDevice ? undefined : await findDescriptorBeside(file.path, context);
  if (beside !== undefined) return { as: "beside", path: beside };
  if (seen.kind === "raw") {
    const other = await otherThanVmdk(file, seen, { role, files: context.files });
    if (other) {
      return refused(
        new RegrainError("NOT_A_DISK", `no VMDK: it is ${other.what}`, { path: file.path, hint: other.way }),
      );
    }
    return refused(notADisk(file, seen, hintForNoVmdk(file, seen, role)));
  }
  return { as: "bare", seen };
}

/** A disk by its name alone, so that it matters whether it can be one. */
async function rawWay(file: Source, context: Deciding): Promise<WayIn> {
  const beside = file.isDevice ? undefined : await findDescriptorBeside(file.path, context);
  if (beside !== undefined) return { as: "beside", path: beside };
  const seen = await probe(file);
  if (await isDescriptorOfOwnExtent(file, seen, (path) => context.files.exists(path))) {
    context.warn(descriptorDespite(file.path));
    return { as: "descriptor" };
  }
  const other = file.isDevice
    ? undefined
    : await otherThanRaw(file, seen, { role: "image", files: context.files });
  if (other) {
    const hint = `${other.way}; --format raw takes its bytes as they are, as if they were a disk`;
    return refused(
      new RegrainError("NOT_A_DISK", `no raw disk: it is ${other.what}`, { path: file.path, hint }),
    );
  }
  if (file.sizeBytes % SECTOR_SIZE !== 0) return refused(oddSize(file, seen));
  const sentence = rawDespite(file, seen);
  if (sentence !== undefined) context.warn(sentence);
  return { as: "raw" };
}

function emptyFile({ path, isDisk }: Source): RegrainError {
  return new RegrainError("NOT_A_DISK", isDisk ? "is an empty disk" : "the file is empty", {
    path,
    offsetBytes: 0,
  });
}

/** The last bytes of a disk are a whole sector; what has less was cut short, or is something else. */
function oddSize(file: Source, seen: Probe): RegrainError {
  const { path, sizeBytes } = file;
  const looks = looksLike(seen);
  const size = `no raw disk: ${sizeBytes} bytes are no whole number of sectors of ${SECTOR_SIZE} bytes`;
  const hint = "if it is one: --format raw takes it with zeros up to the end of its last sector; " +
    "a copy that was cut short lacks more than that";
  if (looks === undefined) return new RegrainError("NOT_A_DISK", size, { path, hint });
  const asVmdk =
    `--format vmdk reads it as the VMDK that it begins like; --format raw takes its bytes as they are, ` +
    "with zeros up to the end of the last sector: right only for a disk whose guest wrote that";
  return new RegrainError("NOT_A_DISK", `${size}, and it begins like ${looks}`, {
    path,
    hint: seen.kind === "raw" ? hint : asVmdk,
  });
}

/** What to do about a file that should be a VMDK and does not begin like one. */
function hintForNoVmdk(file: Source, seen: Probe, role: Role): string | undefined {
  if (role === "delta") return DELTAS_FIRST;
  if (seen.foreign !== undefined || file.sizeBytes % SECTOR_SIZE !== 0) return undefined;
  const flat = file.path.replace(/\.vmdk$/i, "") + "-flat.vmdk";
  const renamed = formatByName(file.path) === "vmdk" ? `, or its right name, ${flat}` : "";
  const risk = "a sparse file that lost its first bytes would read wrong";
  if (role === "image") {
    return `if it is a flat disk, sector by sector: --format raw${renamed}; ${risk}`;
  }
  return `a parent is a VMDK; if this is a flat disk, it needs a descriptor with a line FLAT that names it${
    renamed && `, best by the name ${flat}`
  }`;
}
