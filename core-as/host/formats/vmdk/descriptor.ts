/**
 * The text descriptor of a VMDK: header keys, extent lines, disk data base.
 *
 * Source: VMware Virtual Disk Format 5.0, "The Descriptor File"; what real files do beside it is in the tests.
 *
 * This module is browser compatible.
 */
import { changeText, decodeDescriptor, type DescriptorText } from "./descriptor_text.ts";
import type { ParentHint } from "../parent_hint.ts";
import { encryptionOf } from "./encryption.ts";
import { RegrainError } from "../../errors.ts";
import { MAX_DISK_SECTORS } from "../../units.ts";

export { looksLikeDescriptor } from "./descriptor_text.ts";

/** No real descriptor comes near: ESXi writes under 2 KiB. */
export const MAX_DESCRIPTOR_BYTES = 1024 * 1024;
/** A split disk of 62 TiB in pieces of 2 GiB has 31,744 extents. */
const MAX_EXTENTS = 40_000;
/** `parentCID` of a link that has no parent. */
export const NO_PARENT = 0xffffffff;
/** `CID` of a disk that was never written since it was made. */
export const NEVER_WRITTEN = 0xfffffffe;

/** Header keys that say what a link is and on what it stands, in lower case. */
const IDENTITY_KEYS = new Set(["cid", "parentcid", "parentfilenamehint"]);

export type Access = "RW" | "RDONLY" | "NOACCESS";

/** One extent line: a stretch of the disk and the file that holds it. */
export interface ExtentLine {
  readonly access: Access;
  readonly sizeSectors: number;
  /** As written, upper case: FLAT, SPARSE, ZERO, VMFS, VMFSSPARSE, SESPARSE ... */
  readonly type: string;
  /** Absent on ZERO lines. */
  readonly fileName: string | undefined;
  /** Where the extent starts in its file, in sectors; only flat extents have it. */
  readonly offsetSectors: number;
}

export interface Descriptor {
  readonly version: number;
  readonly cid: number | undefined;
  readonly parentCid: number | undefined;
  readonly createType: string;
  readonly parentFileNameHint: string | undefined;
  readonly changeTrackPath: string | undefined;
  readonly isNativeSnapshot: boolean;
  readonly encoding: string;
  /** Why file names in it may be garbled, if they may: its encoding is unknown, or not the one it names. */
  readonly nameDoubt: string | undefined;
  readonly extents: readonly ExtentLine[];
  /** Disk data base, keys in lower case without `ddb.`. */
  readonly ddb: ReadonlyMap<string, string>;
  /** What says that the disk is encrypted; `undefined` when nothing does. */
  readonly encryption: string | undefined;
  /** Sum of the extents, in sectors. */
  readonly capacitySectors: number;
  /** The text as decoded, without the NUL tail: what a rewrite starts from. */
  readonly text: string;
  /** What was odd and how it was taken. */
  readonly notes: readonly string[];
  /** Those of the notes that leave open what the link is, or on what it stands. */
  readonly doubts: readonly string[];
}

/**
 * One of the ids that VirtualBox writes into the disk data base; `undefined` when it is absent, or all zeros, which
 * stands for none.
 */
export function uuidOf(
  { ddb }: Pick<Descriptor, "ddb">,
  key: "image" | "parent" | "modification" | "parentmodification",
): string | undefined {
  const uuid = ddb.get(`uuid.${key}`)?.toLowerCase();
  return uuid === undefined || /^[0{}-]*$/.test(uuid) ? undefined : uuid;
}

/** True when the descriptor belongs to a link that has a parent. */
export function isDelta(descriptor: Descriptor): boolean {
  // VirtualBox names the parent by its uuid and by nothing else: parentCID stays ffffffff.
  if (uuidOf(descriptor, "parent") !== undefined) return true;
  if (descriptor.parentCid !== undefined) return descriptor.parentCid !== NO_PARENT;
  return descriptor.parentFileNameHint !== undefined;
}

/**
 * Parses a descriptor.
 *
 * @param bytes The whole text, at most {@link MAX_DESCRIPTOR_BYTES}; a tail of NULs is cut off.
 * @throws {RegrainError} `LIMIT_EXCEEDED`, `DESCRIPTOR_INVALID` with the line and its byte offset.
 */
export function parseDescriptor(bytes: Uint8Array, path: string): Descriptor {
  if (bytes.length > MAX_DESCRIPTOR_BYTES) {
    throw new RegrainError(
      "LIMIT_EXCEEDED",
      `a descriptor of ${bytes.length} bytes, at most 1 MiB is believed`,
      { path, hint: "shorter file names, or fewer extents, make it smaller" },
    );
  }
  const decoded = decodeDescriptor(bytes, path);
  const notes = [...decoded.notes];
  const doubts: string[] = [];
  const junk = new JunkLines(path);
  const header = new Map<string, string>();
  const ddb = new Map<string, string>();
  const extents: ExtentLine[] = [];
  for (const { line, offsetBytes, isLast } of decoded.lines) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const extent = parseExtentLine(trimmed, { path, offsetBytes });
    if (extent) {
      if (extents.length >= MAX_EXTENTS) {
        throw new RegrainError("LIMIT_EXCEEDED", `more than ${MAX_EXTENTS} extent lines`, {
          path,
          offsetBytes,
          hint: "no known program splits a disk into so many: make fewer, larger extents of it",
        });
      }
      extents.push(extent);
      continue;
    }
    const equals = trimmed.indexOf("=");
    const key = trimmed.slice(0, Math.max(0, equals)).trimEnd().toLowerCase();
    if (key === "" || key.includes('"')) {
      junk.add(trimmed, offsetBytes, isLast);
      continue;
    }
    if (HOLDS_AN_EXTENT.test(trimmed)) throw swallowed(trimmed, { path, offsetBytes });
    const value = unquote(trimmed.slice(equals + 1));
    const isDdb = key.startsWith("ddb.");
    const values = isDdb ? ddb : header;
    const name = isDdb ? key.slice(4) : key;
    if (!values.has(name)) values.set(name, value);
    else if (values.get(name) !== value) {
      const note = `"${excerpt(key)}" stands there twice, the first is taken`;
      notes.push(note);
      if (IDENTITY_KEYS.has(key)) doubts.push(note);
    }
  }
  notes.push(...junk.notes);
  doubts.push(...junk.doubts);
  return assemble({ path, decoded, header, ddb, extents, notes, doubts });
}

/**
 * A line that is no comment, no key and no extent, but may have been an extent: its words, or a name in quotes. The
 * words count even where they are run together, since a blank is lost as easily as a letter.
 */
const LIKE_AN_EXTENT = /^\W*(?:RW|RDONLY|NOACCESS)|^\S+\s+\d+\s+\S|FLAT|SPARSE|ZERO|VMFS|\.vmdk\b/i;
/** A key line that lost its newline has taken the extent line after it into its value. */
const HOLDS_AN_EXTENT = /(?:^|[^A-Z])(?:RW|RDONLY|NOACCESS)\s+\d+\s+[A-Z0-9]+/i;
/** Words of the keys that say what a link is. */
const LIKE_AN_IDENTITY = /cid|parent|hint/i;
/** The start of a key or of an extent, if the text was cut there. */
const LIKE_A_START = /^[A-Z]/i;

/** Lines that mean nothing. They are left out, unless one may have been an extent: its disk would be another one. */
class JunkLines {
  private first: string | undefined;
  private count = 0;
  private doubted: string | undefined;

  constructor(private readonly path: string) {}

  /** @param isLast Nothing follows it, not even a newline. */
  add(line: string, offsetBytes: number, isLast: boolean): void {
    const shown = `"${excerpt(line)}" is neither a key nor an extent`;
    if (LIKE_AN_EXTENT.test(line)) {
      throw new RegrainError("DESCRIPTOR_INVALID", `${shown}, and may have been one`, {
        path: this.path,
        offsetBytes,
        hint: "mend that line, or begin it with # if it belongs to no extent",
      });
    }
    const left = `the line at byte ${offsetBytes}, ${shown} and is left out`;
    if (isLast && LIKE_A_START.test(line)) {
      this.doubted ??= `${left}; the text ends there, and may have been cut`;
    } else if (LIKE_AN_IDENTITY.test(line)) this.doubted ??= left;
    else this.first ??= left;
    this.count++;
  }

  get notes(): string[] {
    const all = [this.doubted, this.first].filter((note) => note !== undefined);
    const others = this.count - all.length;
    return others > 0
      ? [...all, `${others} more lines are neither a key nor an extent and are left out`]
      : all;
  }

  get doubts(): string[] {
    return this.doubted === undefined ? [] : [this.doubted];
  }
}

function swallowed(line: string, at: { path: string; offsetBytes: number }): RegrainError {
  return new RegrainError("DESCRIPTOR_INVALID", `"${excerpt(line)}" is a key, and holds an extent line`, {
    ...at,
    hint: "put the extent on a line of its own",
  });
}

interface Parts {
  path: string;
  decoded: DescriptorText;
  header: Map<string, string>;
  ddb: Map<string, string>;
  extents: ExtentLine[];
  notes: string[];
  doubts: string[];
}

function assemble({ path, decoded, header, ddb, extents, notes, doubts }: Parts): Descriptor {
  const version = Number(header.get("version") ?? "1");
  if (![1, 2, 3].includes(version)) {
    notes.push(`descriptor version ${header.get("version")} is read like version 1`);
  }
  const capacitySectors = extents.reduce((sum, extent) => sum + extent.sizeSectors, 0);
  if (capacitySectors > MAX_DISK_SECTORS) {
    throw new RegrainError(
      "LIMIT_EXCEEDED",
      `a disk of ${capacitySectors} sectors, 62 TiB is the most there is`,
      { path },
    );
  }
  const parentCid = parseCid(header.get("parentcid"), "parentCID", path);
  if (parentCid === NO_PARENT && header.get("parentfilenamehint")) {
    const note = "parentFileNameHint names a parent, parentCID says that there is none";
    notes.push(note);
    doubts.push(note);
  }
  return {
    version,
    cid: ownCid(header.get("cid"), path, notes),
    parentCid,
    createType: header.get("createtype") ?? "",
    parentFileNameHint: header.get("parentfilenamehint") || undefined,
    changeTrackPath: header.get("changetrackpath") || undefined,
    isNativeSnapshot: header.get("isnativesnapshot")?.toLowerCase() === "yes",
    encoding: decoded.encoding,
    nameDoubt: decoded.nameDoubt,
    extents,
    ddb,
    encryption: encryptionOf({ header, ddb }),
    capacitySectors,
    text: decoded.text,
    notes,
    doubts,
  };
}

/** The CID, if it is one: Xen Orchestra writes a decimal number there, which mostly has more than eight digits. */
function ownCid(text: string | undefined, path: string, notes: string[]): number | undefined {
  if (text === undefined || !/^[0-9a-f]{9,}$/i.test(text)) return parseCid(text, "CID", path);
  notes.push(
    `CID "${excerpt(text)}" has more than 8 digits, so it is no content id: the CID is taken as unknown`,
  );
  return undefined;
}

/** CIDs are hexadecimal, not always padded (qemu writes them bare). */
function parseCid(text: string | undefined, key: string, path: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9a-f]{1,8}$/i.test(text)) {
    throw new RegrainError(
      "DESCRIPTOR_INVALID",
      `${key} "${excerpt(text)}" is not a hexadecimal number of 32 bits`,
      { path },
    );
  }
  return parseInt(text, 16);
}

/** A CID as descriptors write it. */
export function formatCid(cid: number): string {
  return cid.toString(16).padStart(8, "0");
}

const EXTENT_START = /^(RW|RDONLY|NOACCESS)\s/i;
const EXTENT_LINE = /^(RW|RDONLY|NOACCESS)\s+(\d+)\s+([A-Z0-9]+)(?:\s+(.*))?$/i;

function parseExtentLine(line: string, at: { path: string; offsetBytes: number }): ExtentLine | undefined {
  if (!EXTENT_START.test(line)) return undefined;
  const bad = (what: string) =>
    new RegrainError("DESCRIPTOR_INVALID", `extent line "${excerpt(line)}": ${what}`, at);
  const match = EXTENT_LINE.exec(line);
  if (!match) throw bad("expected access, size in sectors, type");
  const sizeSectors = Number(match[2]);
  if (!(sizeSectors <= MAX_DISK_SECTORS)) {
    throw new RegrainError(
      "LIMIT_EXCEEDED",
      `extent line "${excerpt(line)}": 62 TiB is the most there is`,
      at,
    );
  }
  const type = match[3]!.toUpperCase();
  // Some write an offset on ZERO lines too, where it means nothing.
  const named = type === "ZERO" && /^\d+$/.test(match[4] ?? "") ? "" : match[4] ?? "";
  const { fileName, rest } = splitFileName(named, bad);
  if (fileName === undefined && type !== "ZERO") throw bad("no file is named");
  // Such a line has swallowed the one behind it, whose extent would be missing.
  if (fileName !== undefined && type === "ZERO") throw bad("a ZERO extent has no file");
  const offset = /^\s+(\d+)(?:\s|$)/.exec(rest);
  if (!offset && rest.trim() !== "") throw bad("what follows the file name is not an offset");
  const offsetSectors = offset ? Number(offset[1]) : 0;
  if (!(offsetSectors <= MAX_DISK_SECTORS)) throw bad("the offset is beyond any disk");
  return { access: match[1]!.toUpperCase() as Access, sizeSectors, type, fileName, offsetSectors };
}

/** A name, an offset, and what raw disks have behind it: `deviceIdentifier "naa.6000c29"`, `partitionUUID 6f0e`. */
const WITH_ATTRIBUTES = /^"([^"]+)"(\s+\d+(?:\s+[A-Za-z]\w*\s+(?:"[^"]*"|[^\s"]+))+\s*)$/;

/** The name stands in quotes and may hold some itself: it ends at the last quote that numbers may follow. */
function splitFileName(
  text: string,
  bad: (what: string) => RegrainError,
): { fileName: string | undefined; rest: string } {
  if (text === "") return { fileName: undefined, rest: "" };
  if (!text.startsWith('"')) {
    const word = /^(\S+)(.*)$/.exec(text)!;
    return { fileName: word[1]!, rest: word[2]! };
  }
  const attributed = WITH_ATTRIBUTES.exec(text);
  if (attributed) return { fileName: attributed[1]!, rest: attributed[2]! };
  const last = text.lastIndexOf('"');
  const end = /^(?:\s|$)/.test(text.slice(last + 1)) ? last : text.indexOf('"', 1);
  if (end < 2) throw bad("the file name is not in quotes");
  return { fileName: text.slice(1, end), rest: text.slice(end + 1) };
}

function unquote(text: string): string {
  const quoted = /^"(.*)"$/.exec(text.trim());
  return quoted ? quoted[1]! : text.trim();
}

function excerpt(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/**
 * A descriptor's bytes with another content id; everything else stays to the byte.
 *
 * After a child was applied onto its base, the base must carry the child's ids, so that what was made against the
 * child still finds its parent.
 *
 * @param longContentId Replaces `ddb.longContentID` where the text has one; `undefined` removes that line.
 */
export function withContentId(
  bytes: Uint8Array,
  ids: { cid: number; longContentId: string | undefined },
): Uint8Array<ArrayBuffer> {
  const long = /^([ \t]*ddb\.longContentID[ \t]*=[ \t]*)(?:"[^"\n]*"|[^"\s]*)([^\n]*\n?)/im;
  return changeText(bytes, (text) => {
    const changed = text.replace(
      /^([ \t]*CID[ \t]*=[ \t]*"?)[0-9a-f]+/im,
      (_, key: string) => key + formatCid(ids.cid),
    );
    return ids.longContentId === undefined
      ? changed.replace(long, "")
      : changed.replace(long, (_, key: string, rest: string) => `${key}"${ids.longContentId}"${rest}`);
  });
}

/** What a descriptor names as its parent, if it does. */
export function parentHintOf(descriptor: Descriptor): ParentHint | undefined {
  const { parentFileNameHint: name, parentCid, nameDoubt } = descriptor;
  if (name === undefined) return undefined;
  const wanted = parentCid === undefined || parentCid === NO_PARENT ? {} : { cid: parentCid };
  return { name, wanted, ...(nameDoubt === undefined ? {} : { nameDoubt }) };
}
