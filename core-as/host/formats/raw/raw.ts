/**
 * Raw disks, the record: the bytes of the file are those of the disk.
 *
 * This module is browser compatible.
 */
import type { Context } from "../../context.ts";
import { Link, type LinkFacts } from "../../disk/link.ts";
import { RegrainError } from "../../errors.ts";
import type { Source } from "../../source.ts";
import { ceilDiv, SECTOR_SIZE } from "../../units.ts";
import type { Deciding, FormatRecord, WayIn } from "../format.ts";
import { otherThanRaw, wayOf } from "../other_formats.ts";
import { formatOfLooks, looksLike, type Probe, probe } from "../probe.ts";
import { findDescriptorBeside } from "../vmdk/descriptor_file.ts";
import { withPieceFinding } from "../vmdk/link.ts";
import { descriptorDespite, isDescriptorOfOwnExtent } from "../vmdk/own_extent.ts";
import { openFlat } from "./flat.ts";

const WHOLE = { format: "raw", as: "whole" } as const;

export const RAW: FormatRecord = {
  name: "raw",
  // What no other format claims.
  hasName: () => false,
  async wayInto(file, context, role) {
    // Where somebody said it, the bytes are not looked at: they are the guest's.
    if (file.isDisk || role === "backing" || context.format === "raw" && role === "image") return WHOLE;
    return await rawWay(file, context);
  },
  open: (file, _, context) => rawLink(file, context),
  identify: ({ path, sizeBytes }) =>
    Promise.resolve({
      ...rawIdentity(path),
      capacitySectors: ceilDiv(sizeBytes, SECTOR_SIZE),
    }),
  isWritable: () => true,
};

function rawIdentity(path: string): LinkFacts {
  return { path, format: "raw", delta: false, identity: undefined, parent: undefined };
}

async function rawLink(file: Source, context: Context): Promise<Link> {
  const { path } = file;
  const lengthSectors = ceilDiv(file.sizeBytes, SECTOR_SIZE);
  const extent = openFlat(file, { capacitySectors: lengthSectors, offsetSectors: 0, wholeFile: true });
  const link = new Link(rawIdentity(path), [{ extent, startSector: 0, lengthSectors }], []);
  // Snapshots and devices have names of another kind.
  return file.isDisk || file.isDevice ? link : await withPieceFinding(link, context);
}

function refused(error: RegrainError): WayIn {
  return { as: "refused", error };
}

/** A disk by its name alone, so that it matters whether it can be one. */
async function rawWay(file: Source, context: Deciding): Promise<WayIn> {
  const beside = file.isDevice ? undefined : await findDescriptorBeside(file.path, context);
  if (beside !== undefined) return { format: "vmdk", as: "beside", path: beside };
  const seen = await probe(file);
  if (await isDescriptorOfOwnExtent(file, seen, (path) => context.files.exists(path))) {
    context.warn(descriptorDespite(file.path));
    return { format: "vmdk", as: "descriptor" };
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
  return WHOLE;
}

/** What is said of an image that is read as a raw disk and looks like something else. */
function rawDespite(file: Pick<Source, "path" | "isDevice">, seen: Probe): string | undefined {
  const looks = looksLike(seen);
  if (looks === undefined) return undefined;
  const by = file.isDevice ? "it is a block device" : "its name says that it is a raw disk";
  const format = formatOfLooks(seen);
  const way = format === undefined
    ? "--format raw says that this is right"
    : `--format ${format} reads it as ${
      format === "vmdk" ? "a VMDK" : "one"
    }, --format raw says that this is right`;
  return `${file.path}: ${by}, and it begins like ${looks}; it is read as a raw disk, since a guest can write such ` +
    `bytes (${way})`;
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
    hint: seen.kind === "raw" ? [wayOf(path, seen), hint].filter((each) => each).join("; ") : asVmdk,
  });
}
