/**
 * A second reader of every format, slow and obvious, written from the descriptions of the formats and not from the
 * first reader. It refuses whatever a file cannot be by those descriptions, and says which rule was broken: what it
 * refuses is damage that can be detected.
 */
import { SECTOR_SIZE } from "../../core-as/host/units.ts";
import {
  type DescriptorText,
  parseEmbeddedText,
  parseText,
  startsLikeDescriptor,
} from "./reference_descriptor.ts";
import { embeddedText, readSparse, sparseFormatOf } from "./reference_extents.ts";
import { type Place, type ReferenceExtent, Refusal, rule } from "./reference_file.ts";

export type ReferenceFiles = Readonly<Record<string, Uint8Array>>;

/** A whole disk. */
export interface ReferenceDisk {
  readonly capacitySectors: number;
  /** Fills `out` with what the disk holds from a sector on. */
  readInto(out: Uint8Array, startSector: number): void;
}

export type Opened = { readonly ok: true; readonly disk: ReferenceDisk } | Refused;
export type Reading = { readonly ok: true; readonly bytes: Uint8Array } | Refused;

export interface Refused {
  readonly ok: false;
  /** The rule that the files break. */
  readonly why: string;
}

interface Part {
  readonly startSector: number;
  readonly sectors: number;
  readonly extent: ReferenceExtent;
}

interface ReferenceLink {
  readonly name: string;
  readonly text: DescriptorText | undefined;
  readonly parts: readonly Part[];
  readonly capacitySectors: number;
  /** A link with a parent, or one that can only be such. */
  readonly delta: boolean;
}

/** A stretch of a file that an extent has for itself, in sectors. */
interface Use {
  readonly from: number;
  readonly to: number;
}

/** Opens a chain by its newest link. */
export function openReference(files: ReferenceFiles, leaf: string): Opened {
  try {
    return { ok: true, disk: diskOf(new Chain(files).open(leaf)) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, why: error.message };
    throw error;
  }
}

/** Reads a whole disk. */
export function readReference(files: ReferenceFiles, leaf: string): Reading {
  const opened = openReference(files, leaf);
  if (!opened.ok) return opened;
  const bytes = new Uint8Array(opened.disk.capacitySectors * SECTOR_SIZE);
  opened.disk.readInto(bytes, 0);
  return { ok: true, bytes };
}

/** What a target holds after one link was applied onto it: holes leave it alone, unless nothing can lie below them. */
export function applyReference(files: ReferenceFiles, leaf: string, target: Uint8Array): Reading {
  try {
    const link = new Chain(files).openLink(leaf);
    rule(link.capacitySectors * SECTOR_SIZE === target.length, "the target has another size");
    const isBase = link.text !== undefined && !link.delta;
    const bytes = isBase ? new Uint8Array(target.length) : target.slice();
    for (let sector = 0; sector < link.capacitySectors; sector++) {
      const place = placeIn([link], sector, "hole");
      if (place === "hole") continue;
      const at = sector * SECTOR_SIZE;
      bytes.fill(0, at, at + SECTOR_SIZE);
      if (place !== "zero") bytes.set(place.bytes.subarray(place.at, place.at + SECTOR_SIZE), at);
    }
    return { ok: true, bytes };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, why: error.message };
    throw error;
  }
}

function diskOf(links: readonly ReferenceLink[]): ReferenceDisk {
  return {
    capacitySectors: links[0]!.capacitySectors,
    readInto(out, startSector) {
      out.fill(0);
      for (let i = 0; i * SECTOR_SIZE < out.length; i++) {
        const place = placeIn(links, startSector + i, "zero");
        if (typeof place === "string") continue;
        const piece = place.bytes.subarray(place.at, place.at + SECTOR_SIZE);
        out.set(piece.subarray(0, out.length - i * SECTOR_SIZE), i * SECTOR_SIZE);
      }
    },
  };
}

/** The newest link that says anything about a sector decides; where none does, there is `otherwise`. */
function placeIn(links: readonly ReferenceLink[], sector: number, otherwise: Place): Place {
  for (const { parts, capacitySectors } of links) {
    if (sector >= capacitySectors) return "zero";
    const part = parts.find((one) => sector < one.startSector + one.sectors)!;
    const place = part.extent.at(sector - part.startSector);
    if (place !== "hole") return place;
  }
  return otherwise;
}

class Chain {
  private readonly uses = new Map<string, Use[]>();

  constructor(private readonly files: ReferenceFiles) {}

  /** @returns links, newest first. */
  open(leaf: string): ReferenceLink[] {
    const links: ReferenceLink[] = [];
    const names = new Set<string>();
    for (let name: string | undefined = leaf; name !== undefined;) {
      rule(!names.has(name), "a link is its own ancestor");
      names.add(name);
      rule(names.size <= 64, "more than 64 links");
      const link = this.openLink(name);
      const child = links.at(-1);
      if (child) requireParent(child, link);
      links.push(link);
      name = link.delta ? this.parentOf(link) : undefined;
    }
    return links;
  }

  private parentOf({ text }: ReferenceLink): string {
    rule(text?.parentFileNameHint !== undefined, "a delta that names no parent");
    return this.resolve(text.parentFileNameHint);
  }

  /** Opens one link, without what lies below it. */
  openLink(name: string): ReferenceLink {
    const bytes = this.files[name];
    rule(bytes !== undefined, "a file is missing");
    if (startsLikeDescriptor(bytes)) return this.byText(name, parseText(bytes));
    const beside = this.textBeside(name);
    if (beside) return this.byText(beside.name, beside.text);
    const format = sparseFormatOf(bytes);
    rule(format !== undefined, "a file without any magic");
    const { text: embedded, alone } = format === "hosted"
      ? embeddedText(bytes)
      : { text: undefined, alone: false };
    const text = embedded && (alone ? parseText(embedded) : parseEmbeddedText(embedded));
    if (text && (text.extents.length > 1 || alone)) return this.byText(name, text);
    const extent = readSparse(bytes);
    const { capacitySectors } = extent;
    this.use(name, { from: 0, to: Infinity });
    for (const line of text?.extents ?? []) {
      rule(line.sectors === capacitySectors, "extent line and header tell different sizes");
    }
    const parts = [{ startSector: 0, sectors: capacitySectors, extent }];
    return { name, text, parts, capacitySectors, delta: text ? isDelta(text) : format !== "hosted" };
  }

  /** The descriptor that an extent file belongs to, by the names of both. */
  private textBeside(name: string): { name: string; text: DescriptorText } | undefined {
    const stem = /^(.*)-(?:delta|sesparse|flat|[sf]\d{3,})\.vmdk$/i.exec(name)?.[1];
    const beside = stem === undefined ? undefined : `${stem}.vmdk`;
    const bytes = beside === undefined ? undefined : this.files[beside];
    if (beside === undefined || !bytes || !startsLikeDescriptor(bytes)) return undefined;
    const text = parseText(bytes);
    return text.extents.some((line) => lastPart(line.fileName ?? "") === name)
      ? { name: beside, text }
      : undefined;
  }

  private byText(name: string, text: DescriptorText): ReferenceLink {
    rule(text.extents.length > 0, "a descriptor without an extent");
    const parts: Part[] = [];
    let startSector = 0;
    for (const line of text.extents) {
      parts.push({ startSector, sectors: line.sectors, extent: this.byLine(line) });
      startSector += line.sectors;
    }
    return { name, text, parts, capacitySectors: startSector, delta: isDelta(text) };
  }

  private byLine(line: DescriptorText["extents"][number]): ReferenceExtent {
    const { sectors, type, offsetSectors } = line;
    if (type === "ZERO") return { capacitySectors: sectors, at: () => "zero" };
    const isFlat = type === "FLAT" || type === "VMFS";
    const isSparse = type === "SPARSE" || type === "VMFSSPARSE" || type === "SESPARSE";
    rule(isFlat || isSparse || line.access === "NOACCESS", "an extent of a type that cannot be read");
    if (line.access === "NOACCESS") return { capacitySectors: sectors, at: () => "zero" };
    rule(line.fileName !== undefined, "an extent without a file");
    const name = this.resolve(line.fileName);
    const bytes = this.files[name]!;
    if (isFlat) {
      const neededBytes = (offsetSectors + sectors) * SECTOR_SIZE;
      rule(bytes.length >= neededBytes, "a flat file is shorter than its extent line");
      this.use(name, { from: offsetSectors, to: offsetSectors + sectors });
      return {
        capacitySectors: sectors,
        at: (sector) => ({ bytes, at: (offsetSectors + sector) * SECTOR_SIZE }),
      };
    }
    this.use(name, { from: 0, to: Infinity });
    const extent = readSparse(bytes);
    rule(extent.capacitySectors === sectors, "extent line and header tell different sizes");
    return extent;
  }

  /** No piece of a file can be two places of one chain. */
  private use(name: string, stretch: Use): void {
    const uses = this.uses.get(name) ?? [];
    for (const { from, to } of uses) {
      rule(stretch.to <= from || to <= stretch.from, "a file, or a piece of it, stands in the chain twice");
    }
    this.uses.set(name, [...uses, stretch]);
  }

  /** The file that a name means; all files stand in one folder. */
  private resolve(name: string): string {
    rule(!/^[a-z]+:\/\//i.test(name), "a name that is no file");
    const direct = name.startsWith("/") ? undefined : inFolder(name);
    if (direct !== undefined && this.files[direct]) return direct;
    const last = lastPart(name);
    if (this.files[last]) return last;
    // A machine that knows no case wrote it: only one file can be meant then, whichever way the slashes lean.
    const wanted = name.split(/[\\/]/).at(-1)!.toLowerCase();
    const alike = Object.keys(this.files).filter((file) => file.toLowerCase() === wanted);
    rule(alike.length === 1, alike.length === 0 ? "a file is missing" : "a name that means two files");
    return alike[0]!;
  }
}

/** `./a//b` as `a/b`, or `undefined` when it leads out of the folder. */
function inFolder(name: string): string | undefined {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

function lastPart(name: string): string {
  const isWindows = /^(?:[A-Za-z]:[\\/]|\\\\|\.{1,2}\\)/.test(name);
  return name.split(isWindows ? /[\\/]/ : "/").at(-1)!;
}

function isDelta(text: DescriptorText): boolean {
  if (text.parentCid === undefined) return text.parentFileNameHint !== undefined;
  return text.parentCid !== 0xffffffff;
}

function requireParent(child: ReferenceLink, parent: ReferenceLink): void {
  const expected = child.text?.parentCid;
  const found = parent.text?.cid;
  if (expected !== undefined && found !== undefined) rule(expected === found, "parentCID is not the CID");
  rule(child.capacitySectors >= parent.capacitySectors, "the child is smaller than its parent");
}
