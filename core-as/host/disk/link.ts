/**
 * A link: one disk of a chain, its descriptor and its extents end to end.
 *
 * This module is browser compatible.
 */
import { openCowd } from "../formats/vmdk/cowd.ts";
import {
  type Descriptor,
  type ExtentLine,
  isDelta,
  parseDescriptor,
  withNameDoubt,
} from "../formats/vmdk/descriptor.ts";
import { beginsLikeDescriptor } from "../formats/vmdk/descriptor_text.ts";
import { filtersOf } from "../formats/vmdk/encryption.ts";
import { RegrainError } from "../errors.ts";
import type { Extent, Finding, Observer } from "../extent.ts";
import { openFlat, openZero } from "../formats/raw/flat.ts";
import { holdsDescriptorOnly, openHosted, readEmbeddedDescriptor } from "../formats/vmdk/hosted_sparse.ts";
import type { Context } from "../context.ts";
import { readDescriptor, readDescriptorAt } from "../formats/vmdk/descriptor_file.ts";
import type { Role } from "../formats/format_choice.ts";
import { type Kind, looksLike, notADisk, type Probe, probe } from "../formats/probe.ts";
import { pieceFinding } from "../formats/vmdk/pieces.ts";
import { boundsOf, resolveName } from "./resolve.ts";
import { openSeSparse } from "../formats/vmdk/sesparse.ts";
import type { Source } from "../source.ts";
import { ceilDiv, SECTOR_SIZE } from "../units.ts";
import { wayInto } from "../formats/way_in.ts";
import { type Core, HOLE_PLACE, type RunList, ZERO_PLACE } from "../wasm.ts";

/** An extent in its place. */
export interface PlacedExtent {
  readonly extent: Extent;
  /** First sector of the disk. */
  readonly startSector: number;
  /** Sectors of the disk: those of the extent line, which rule. */
  readonly lengthSectors: number;
}

/** True, false, or `undefined` where nothing says whether a parent lies below. */
export type DeltaMark = boolean | undefined;

export class Link {
  readonly capacitySectors: number;
  /** File of each extent, once. */
  private readonly sources: readonly Source[];

  constructor(
    /** What the user knows it by: the descriptor, or the bare extent. */
    readonly path: string,
    readonly descriptor: Descriptor | undefined,
    readonly extents: readonly PlacedExtent[],
    readonly delta: DeltaMark,
    readonly findings: readonly Finding[],
  ) {
    const last = extents.at(-1);
    this.capacitySectors = last ? last.startSector + last.lengthSectors : 0;
    this.sources = [...new Set(extents.flatMap(({ extent }) => extent.file ?? []))];
  }

  /** True when holes of this link are zeros, because nothing can lie below. */
  get isBase(): boolean {
    return this.delta === false;
  }

  /** Files that hold its data. */
  get files(): readonly Source[] {
    return this.sources;
  }

  /**
   * Lists the runs of `[from, to)`; behind its own end a link reads as zeros.
   *
   * @param firstOwner Owner of the first extent; the others follow.
   * @returns the sector reached.
   */
  async fill(
    list: RunList,
    range: { core: Core; from: number; to: number; firstOwner: number },
    observer: Observer,
  ): Promise<number> {
    const { core, from, to, firstOwner } = range;
    const index = this.extentAt(from);
    const placed = this.extents[index];
    if (!placed) {
      core.kernels.openList(list.address, from, to, 0, -1);
      core.kernels.pushRun(from, to - from, ZERO_PLACE);
      core.close(list);
      return to;
    }
    const { extent, startSector, lengthSectors } = placed;
    const end = Math.min(to - startSector, lengthSectors);
    const inside = Math.min(end, extent.capacitySectors);
    if (from - startSector >= inside) return this.pad(list, { core, from, to: startSector + end });
    const window = { from: from - startSector, to: inside, shift: startSector, owner: firstOwner + index };
    return startSector + await extent.fill(core, list, window, observer);
  }

  /** Index of the extent that holds a sector, `extents.length` when none does. */
  extentAt(sector: number): number {
    let low = 0;
    let high = this.extents.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { startSector, lengthSectors } = this.extents[middle]!;
      if (startSector + lengthSectors <= sector) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  close(): void {
    for (const source of this.sources) source.close();
  }

  /** The part of an extent line that its file does not have. */
  private pad(list: RunList, range: { core: Core; from: number; to: number }): number {
    const { core, from, to } = range;
    core.kernels.openList(list.address, from, to, 0, -1);
    core.kernels.pushRun(from, to - from, HOLE_PLACE);
    core.close(list);
    return to;
  }
}

/**
 * Opens a link by its descriptor or by a bare extent, whose descriptor is looked for beside it; or a raw disk.
 *
 * @param role What the file is there for: with its name and what the user says it decides what it is taken for.
 * @throws {RegrainError} any code of exit 4 and 6.
 */
export async function openLink(path: string, context: Context, role: Role): Promise<Link> {
  const file = await context.files.open(path);
  try {
    const way = await wayInto(file, context, role);
    if (way.as === "refused") throw way.error;
    if (way.as === "raw") return await rawLink(file, context);
    if (way.as === "descriptor") return await openDescriptorFile(file, context);
    if (way.as === "bare") return await openBare(file, way.seen, context);
    file.close();
    return await openDescriptorFile(await context.files.open(way.path), context);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** A descriptor, and the file that holds it. */
export interface HeldDescriptor {
  readonly path: string;
  readonly descriptor: Descriptor;
}

/**
 * The descriptor that a path leads to, without opening any extent: the file's own text, the one embedded in it, or the
 * one beside it. A raw disk has none, whatever its guest wrote.
 */
export async function findLinkDescriptor(
  path: string,
  context: Context,
  role: Role,
): Promise<HeldDescriptor | undefined> {
  const file = await context.files.open(path);
  try {
    const way = await wayInto(file, context, role);
    if (way.as === "raw" || way.as === "refused") return undefined;
    if (way.as === "descriptor") return { path, descriptor: await readDescriptor(file) };
    if (way.as === "beside") return { path: way.path, descriptor: await readDescriptorAt(way.path, context) };
    const embedded = way.seen.kind === "hosted" ? await readEmbeddedDescriptor(file) : undefined;
    return embedded && { path, descriptor: parseDescriptor(embedded, path) };
  } finally {
    file.close();
  }
}

/** What {@link findLinkDescriptor} finds, wherever it stands. */
export async function readLinkDescriptor(
  path: string,
  context: Context,
  role: Role,
): Promise<Descriptor | undefined> {
  return (await findLinkDescriptor(path, context, role))?.descriptor;
}

async function openDescriptorFile(file: Source, context: Context): Promise<Link> {
  try {
    return await openByLines(file.path, await readDescriptor(file), context);
  } finally {
    file.close();
  }
}

async function rawLink(file: Source, context: Context): Promise<Link> {
  const { path } = file;
  const lengthSectors = ceilDiv(file.sizeBytes, SECTOR_SIZE);
  const extent = openFlat(file, { capacitySectors: lengthSectors, offsetSectors: 0, wholeFile: true });
  const link = new Link(path, undefined, [{ extent, startSector: 0, lengthSectors }], false, []);
  // Snapshots and devices have names of another kind.
  return file.isDisk || file.isDevice ? link : await withPieceFinding(link, context);
}

/** An extent without a descriptor beside it; hosted sparse files may carry their own. */
async function openBare(file: Source, seen: Probe, context: Context): Promise<Link> {
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
async function withPieceFinding(link: Link, context: Context): Promise<Link> {
  const { path, descriptor, extents, delta } = link;
  const piece = await pieceFinding(path, descriptor, context.files);
  if (!piece) return link;
  const findings = [...link.findings.filter(({ kind }) => kind !== "no-descriptor"), piece];
  return new Link(path, descriptor, extents, delta || undefined, findings);
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
  const isHosted = extent.format === "hosted" || extent.format === "stream";
  const isSaid = descriptor !== undefined && (isDelta(descriptor) || descriptor.extents.length > 0);
  const delta = isSaid ? isDelta(descriptor) : isHosted ? undefined : true;
  return new Link(path, descriptor, [{ extent, startSector: 0, lengthSectors }], delta, findings);
}

async function openByMagic(file: Source, seen: Probe, context: Context): Promise<Extent> {
  const open: Partial<Record<Kind, () => Promise<Extent>>> = {
    cowd: () => openCowd(file),
    sesparse: () => openSeSparse(file, context),
    hosted: () => openHosted(file, context),
  };
  const opener = open[seen.kind];
  if (!opener) throw notADisk(file, seen);
  return await opener();
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
  return new Link(path, descriptor, extents, isDelta(descriptor), findings);
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

/** Path of a file of which two extents have the same piece, so that one of the names must be wrong. */
export function sharedFile(extents: readonly PlacedExtent[]): string | undefined {
  const pieces = extents.flatMap(({ extent, lengthSectors }) => {
    if (!extent.file) return [];
    if (extent.grainSectors !== undefined) return [{ path: extent.path, from: 0, to: Infinity }];
    const from = Number(extent.facts["offset"]);
    return [{ path: extent.path, from, to: from + lengthSectors }];
  });
  const ends = new Map<string, number>();
  for (const { path, from, to } of pieces.sort((a, b) => a.from - b.from)) {
    if (from < (ends.get(path) ?? 0)) return path;
    ends.set(path, to);
  }
  return undefined;
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
