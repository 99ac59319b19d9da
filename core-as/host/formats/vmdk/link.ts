/**
 * Links of VMDKs: by the lines of a descriptor, or of one extent about which nothing tells but itself.
 *
 * This module is browser compatible.
 */
import type { Context } from "../../context.ts";
import { Link, type LinkFacts, type PlacedExtent, sharedFile } from "../../disk/link.ts";
import { boundsOf, resolveName } from "../../disk/resolve.ts";
import { RegrainError } from "../../errors.ts";
import type { Extent, Finding } from "../../extent.ts";
import type { Source } from "../../source.ts";
import { SECTOR_SIZE } from "../../units.ts";
import { withNameDoubt } from "../parent_hint.ts";
import { looksLike, notADisk, type Probe, probe } from "../probe.ts";
import { openFlat, openZero } from "../raw/flat.ts";
import { type Descriptor, type ExtentLine, isDelta, parseDescriptor } from "./descriptor.ts";
import { readDescriptor } from "./descriptor_file.ts";
import { beginsLikeDescriptor } from "./descriptor_text.ts";
import { filtersOf } from "./encryption.ts";
import { descriptorOf, vmdkIdentity } from "./identity.ts";
import { holdsDescriptorOnly, readEmbeddedDescriptor } from "./hosted_sparse.ts";
import { pieceFinding } from "./pieces.ts";
import { EXTENT_READERS } from "./readers.ts";

/** Opens the disk that a descriptor file names, which is closed then. */
export async function openDescriptorFile(file: Source, context: Context): Promise<Link> {
  try {
    return await openByLines(file.path, await readDescriptor(file), context);
  } finally {
    file.close();
  }
}

/** An extent without a descriptor beside it; hosted sparse files may carry their own. */
export async function openBare(file: Source, seen: Probe, context: Context): Promise<Link> {
  const { path } = file;
  const embedded = seen.kind === "hosted" ? await readEmbeddedDescriptor(file) : undefined;
  const descriptor = embedded ? parseDescriptor(embedded, path) : undefined;
  if (descriptor && (descriptor.extents.length > 1 || await holdsDescriptorOnly(file))) {
    file.close();
    return await openByLines(path, descriptor, context);
  }
  const link = linkOfExtent(await openByMagic(file, seen, context), descriptor);
  return await withPieceFinding(link, context);
}

/** The link, as what it is when its name is that of a piece of a disk: no base, whatever a text in it says. */
export async function withPieceFinding(link: Link, context: Context): Promise<Link> {
  const { path, extents, delta } = link;
  const piece = await pieceFinding(path, descriptorOf(link), context.files);
  if (!piece) return link;
  const findings = [...link.findings.filter(({ kind }) => kind !== "no-descriptor"), piece];
  return new Link({ ...link.said, delta: delta || undefined }, extents, findings);
}

/**
 * A link of one extent about which nothing tells but, maybe, a descriptor inside it.
 *
 * @param missing What is said when there is none.
 */
export function linkOfExtent(
  extent: Extent,
  descriptor: Descriptor | undefined,
  missing = "no descriptor beside it: which parent it belongs to cannot be checked",
): Link {
  const { path, capacitySectors: lengthSectors } = extent;
  const findings = descriptor ? [...oddities(descriptor, path), ...notWhole(descriptor, path)] : [];
  const said = descriptor?.extents[0]?.sizeSectors;
  if (said !== undefined && said !== lengthSectors) {
    findings.push(sizeDisagrees({ path, said, lengthSectors }));
  }
  if (!descriptor) findings.push({ severity: "note", kind: "no-descriptor", path, message: missing });
  const isSaid = descriptor !== undefined && (isDelta(descriptor) || descriptor.extents.length > 0);
  // What nothing tells stays unknown, unless the format is one that deltas alone have.
  const delta = isSaid ? isDelta(descriptor) : extent.isDeltaFormat;
  const link: LinkFacts = { ...vmdkIdentity(path, descriptor), format: "vmdk", delta };
  return new Link(link, [{ extent, startSector: 0, lengthSectors }], findings);
}

async function openByMagic(file: Source, seen: Probe, context: Context): Promise<Extent> {
  const opener = EXTENT_READERS[seen.kind];
  if (!opener) throw notADisk(file, seen);
  return await opener(file, context);
}

/** Opens every extent that a descriptor names; the lines rule the geometry. */
async function openByLines(path: string, descriptor: Descriptor, context: Context): Promise<Link> {
  if (descriptor.extents.length === 0) {
    throw new RegrainError("DESCRIPTOR_INVALID", "no extent line: there is no disk in it", { path });
  }
  const extents: PlacedExtent[] = [];
  const findings = oddities(descriptor, path);
  let startSector = 0;
  try {
    for (const line of descriptor.extents) {
      const extent = await openByLine(line, { path, cid: descriptor.cid }, context);
      extents.push({ extent, startSector, lengthSectors: line.sizeSectors });
      startSector += line.sizeSectors;
      const hasOwnSize = extent.grainSectors !== undefined;
      if (hasOwnSize && extent.capacitySectors !== line.sizeSectors) {
        findings.push(
          sizeDisagrees({ path: extent.path, said: line.sizeSectors, lengthSectors: extent.capacitySectors }),
        );
      }
    }
    const shared = sharedFile(extents);
    if (shared !== undefined) {
      throw new RegrainError("DESCRIPTOR_INVALID", `two extents have the same piece of ${shared}`, { path });
    }
  } catch (error) {
    for (const { extent } of extents) extent.file?.close();
    throw withNameDoubt(error, descriptor);
  }
  if (isDelta(descriptor)) findings.push(...withoutData(descriptor, path));
  return new Link({ ...vmdkIdentity(path, descriptor), format: "vmdk" }, extents, findings);
}

/** Lines of a delta that have no file: no program writes such, and as zeros they would hide the parent. */
function withoutData({ extents }: Descriptor, path: string): Finding[] {
  const line = extents.find(({ type, access }) => type === "ZERO" || access === "NOACCESS");
  if (!line) return [];
  const name = line.type === "ZERO" ? "a ZERO extent" : "a NOACCESS extent";
  const message =
    `${name} of ${line.sizeSectors} sectors in a delta: as zeros it would overwrite what is below`;
  return [{ severity: "doubt", kind: "extent-without-data", path, message }];
}

function oddities(descriptor: Descriptor, path: string): Finding[] {
  const { notes, doubts } = descriptor;
  const odd = notes.map((message): Finding => ({
    severity: doubts.includes(message) ? "doubt" : "note",
    kind: "descriptor-odd",
    path,
    message,
  }));
  return [...odd, ...whatHostsAdd(descriptor, path)];
}

/**
 * What speaks against a text inside a file of data. One that is cut, or of another place, says nothing of a parent, and
 * that must not be taken for "there is none".
 */
function notWhole(descriptor: Descriptor, path: string): Finding[] {
  const isOne = beginsLikeDescriptor(descriptor.text);
  if (isOne && descriptor.extents.length > 0) return [];
  const why = isOne ? "names no extent" : "does not begin like one";
  return [{
    severity: "doubt",
    kind: "descriptor-odd",
    path,
    message: `the descriptor inside the file ${why}: what it says of a parent cannot be believed`,
  }];
}

/** What a host of VMware puts between the disk and its files. */
function whatHostsAdd({ encryption, ddb }: Descriptor, path: string): Finding[] {
  if (encryption !== undefined) {
    const message =
      `the disk is encrypted (${encryption}): its bytes are ciphertext, the key is kept elsewhere`;
    return [{ severity: "doubt", kind: "encrypted", path, message }];
  }
  const filters = filtersOf(ddb);
  if (filters.length === 0) return [];
  const message = `I/O filters are attached (${
    filters.join(", ")
  }): what they keep in files of their own is not read`;
  return [{ severity: "note", kind: "io-filters", path, message }];
}

function sizeDisagrees(at: { path: string; said: number; lengthSectors: number }): Finding {
  return {
    severity: "doubt",
    kind: "size-disagrees",
    path: at.path,
    offsetBytes: 12,
    message: `the header says ${at.lengthSectors} sectors, the descriptor's extent line ${at.said}`,
  };
}

const FLAT_TYPES = new Set(["FLAT", "VMFS"]);
const SPARSE_TYPES = new Set(["SPARSE", "VMFSSPARSE", "SESPARSE"]);

/** @param of The descriptor that has the line. */
async function openByLine(
  line: ExtentLine,
  of: { path: string; cid: number | undefined },
  context: Context,
): Promise<Extent> {
  const holder = of.path;
  const capacitySectors = line.sizeSectors;
  if (line.type === "ZERO") return openZero({ path: holder, capacitySectors, findings: [] });
  if (line.access === "NOACCESS") {
    const message = `a NOACCESS extent of ${capacitySectors} sectors reads as zeros`;
    return openZero({
      path: holder,
      capacitySectors,
      findings: [{ severity: "note", kind: "no-access", path: holder, message }],
    });
  }
  if (!FLAT_TYPES.has(line.type) && !SPARSE_TYPES.has(line.type)) throw unsupportedType(line, holder);
  if (/^[a-z]+:\/\//i.test(line.fileName!)) throw unsupportedType(line, holder);
  const leastBytes = FLAT_TYPES.has(line.type)
    ? (line.offsetSectors + capacitySectors) * SECTOR_SIZE
    : undefined;
  const name = line.fileName!;
  const path = await resolveName(name, holder, context, "extent", { cid: of.cid, leastBytes });
  const file = await context.files.open(path, await boundsOf({ name, holder, what: "extent" }, context));
  try {
    if (FLAT_TYPES.has(line.type)) {
      return await noteLooks(openFlat(file, { capacitySectors, offsetSectors: line.offsetSectors }), file);
    }
    return await openByMagic(file, await probe(file), context);
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * A flat extent stays flat, whatever its first bytes are: they belong to the guest, who could write a header there. But
 * a descriptor that was written anew by hand may say flat of a file that is not, so that it is said.
 */
async function noteLooks(extent: Extent, file: Source): Promise<Extent> {
  const looks = looksLike(await probe(file));
  if (looks === undefined) return extent;
  const note: Finding = {
    severity: "note",
    kind: "flat-looks-otherwise",
    path: file.path,
    offsetBytes: 0,
    message:
      `the descriptor says that it is flat, and it begins like ${looks}; it is read as flat, since a guest ` +
      "can write such bytes: if it is not flat, the extent line is wrong",
  };
  return { ...extent, findings: [...extent.findings, note] };
}

function unsupportedType(line: ExtentLine, path: string): RegrainError {
  const raw = /RDM|RAW/.test(line.type);
  const clone =
    "clone the disk on the host onto a VMFS or NFS datastore (vmkfstools -i), and copy the clone here";
  const hint = raw
    ? `its data is the LUN itself: copy that block device, and give the copy in the place of this; or ${clone}`
    : clone;
  return new RegrainError(
    "UNSUPPORTED",
    `an extent of type ${line.type} (${line.fileName}) is no file that can be read`,
    {
      path,
      hint,
    },
  );
}
