/**
 * VMDK, the record: by its own descriptor, by the one beside an extent, or bare.
 *
 * This module is browser compatible.
 */
import type { Context } from "../../context.ts";
import { RegrainError } from "../../errors.ts";
import { isVmdkName } from "../../names.ts";
import type { Source } from "../../source.ts";
import { SECTOR_SIZE } from "../../units.ts";
import type { Deciding, FormatRecord, OpenWay, WayIn } from "../format.ts";
import type { Role } from "../image_format.ts";
import { DELTAS_FIRST, otherThanVmdk } from "../other_formats.ts";
import { notADisk, type Probe, probe } from "../probe.ts";
import { type Descriptor, parseDescriptor } from "./descriptor.ts";
import { findDescriptorBeside, readDescriptor, readDescriptorAt } from "./descriptor_file.ts";
import { readEmbeddedDescriptor } from "./hosted_sparse.ts";
import { isFlatVmdk, vmdkIdentity } from "./identity.ts";
import { openBare, openDescriptorFile } from "./link.ts";
import { FLAT_NAME } from "./own_extent.ts";

function isNamedVmdk(path: string): boolean {
  return isVmdkName(path) && !FLAT_NAME.test(path);
}

export const VMDK: FormatRecord = {
  name: "vmdk",
  hasName: isNamedVmdk,
  wayInto: vmdkWay,
  async open(file, way, context) {
    if (way.as === "descriptor") return await openDescriptorFile(file, context);
    if (way.as === "bare") return await openBare(file, way.seen, context);
    file.close();
    return await openDescriptorFile(await context.files.open(besidePath(way)), context);
  },
  async identify(file, way, context) {
    const held = await descriptorBy(file, way, context);
    return vmdkIdentity(file.path, held?.descriptor);
  },
  isWritable: isFlatVmdk,
};

/** A descriptor, and the file that holds it. */
export interface HeldDescriptor {
  readonly path: string;
  readonly descriptor: Descriptor;
}

/** The text that a file is, that is embedded in it, or that is beside it. */
export async function descriptorBy(
  file: Source,
  way: OpenWay,
  context: Pick<Context, "files">,
): Promise<HeldDescriptor | undefined> {
  const { path } = file;
  if (way.as === "whole") return undefined;
  if (way.as === "descriptor") return { path, descriptor: await readDescriptor(file) };
  if (way.as === "beside") return { path: way.path, descriptor: await readDescriptorAt(way.path, context) };
  const embedded = way.seen.kind === "hosted" ? await readEmbeddedDescriptor(file) : undefined;
  return embedded && { path, descriptor: parseDescriptor(embedded, path) };
}

function besidePath(way: OpenWay): string {
  if (way.as === "beside") return way.path;
  throw new Error("a VMDK is never read by its own bytes alone");
}

function refused(error: RegrainError): WayIn {
  return { as: "refused", error };
}

async function vmdkWay(file: Source, context: Deciding, role: Role): Promise<WayIn> {
  const seen = await probe(file);
  if (seen.kind === "descriptor") return { format: "vmdk", as: "descriptor" };
  const beside = file.isDisk || file.isDevice ? undefined : await findDescriptorBeside(file.path, context);
  if (beside !== undefined) return { format: "vmdk", as: "beside", path: beside };
  if (seen.kind === "raw") {
    const other = await otherThanVmdk(file, seen, { role, files: context.files });
    if (other) {
      return refused(
        new RegrainError("NOT_A_DISK", `no VMDK: it is ${other.what}`, { path: file.path, hint: other.way }),
      );
    }
    return refused(notADisk(file, seen, hintForNoVmdk(file, seen, role)));
  }
  return { format: "vmdk", as: "bare", seen };
}

/** What to do about a file that should be a VMDK and does not begin like one. */
function hintForNoVmdk(file: Source, seen: Probe, role: Role): string | undefined {
  if (role === "delta") return DELTAS_FIRST;
  if (seen.foreign !== undefined || file.sizeBytes % SECTOR_SIZE !== 0) return undefined;
  const flat = file.path.replace(/\.vmdk$/i, "") + "-flat.vmdk";
  const renamed = isNamedVmdk(file.path) ? `, or its right name, ${flat}` : "";
  const risk = "a sparse file that lost its first bytes would read wrong";
  if (role === "image") {
    return `if it is a flat disk, sector by sector: --format raw${renamed}; ${risk}`;
  }
  return `a parent is a VMDK; if this is a flat disk, it needs a descriptor with a line FLAT that names it${
    renamed && `, best by the name ${flat}`
  }`;
}
