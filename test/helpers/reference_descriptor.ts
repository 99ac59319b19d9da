/** The text descriptor, read for the reference reader: strictly by its description. */
import { rule } from "./reference_file.ts";

export interface TextExtent {
  readonly access: string;
  readonly sectors: number;
  readonly type: string;
  readonly fileName: string | undefined;
  readonly offsetSectors: number;
}

export interface DescriptorText {
  readonly cid: number | undefined;
  readonly parentCid: number | undefined;
  readonly parentFileNameHint: string | undefined;
  readonly extents: readonly TextExtent[];
}

const MAX_BYTES = 1024 * 1024;
const MAX_SECTORS = 62 * 2 ** 31;
const ENCODINGS = ["utf-8", "windows-1252", "gbk", "big5", "shift_jis"];
/** Keys whose value decides what is read. */
const DECIDING = ["cid", "parentcid", "parentfilenamehint"];

/** How much of a file may be comments before it says what it is. */
const HEAD_BYTES = 4096;

/**
 * True when a file begins like a descriptor: by the comment that names it, or by `version=N` before anything else that
 * is no comment.
 */
export function startsLikeDescriptor(bytes: Uint8Array): boolean {
  return textStartsLikeDescriptor(latin1(bytes.subarray(0, HEAD_BYTES)));
}

function textStartsLikeDescriptor(text: string): boolean {
  for (const line of text.replace(/^\xef\xbb\xbf/, "").split("\n").map((one) => one.trim())) {
    if (line === "") continue;
    const isPrintable = [...line].every((char) => char >= " " || (char >= "\t" && char <= "\r"));
    if (!isPrintable) return false;
    const [comment] = /^#.*/.exec(line) ?? [];
    if (comment === undefined) return /^version *= *"?[0-9]+"?$/i.test(line.replaceAll("\t", " "));
    const letters = comment.slice(1).replace(/\s/g, "").toLowerCase();
    if (letters.startsWith("diskdescriptorfile")) return true;
  }
  return false;
}

/** Reads a descriptor that is inside a file of data: it must begin like one, and name that file's extent. */
export function parseEmbeddedText(bytes: Uint8Array): DescriptorText {
  const text = parseText(bytes);
  const end = bytes.indexOf(0);
  const own = latin1(end < 0 ? bytes : bytes.subarray(0, end));
  rule(textStartsLikeDescriptor(own), "the text in the file does not begin like a descriptor");
  rule(text.extents.length > 0, "the text in the file names no extent");
  return text;
}

/** Reads a descriptor. */
export function parseText(bytes: Uint8Array): DescriptorText {
  rule(bytes.length <= MAX_BYTES, "a descriptor of more than 1 MiB");
  const end = bytes.indexOf(0);
  const lines = latin1(end < 0 ? bytes : bytes.subarray(0, end)).replace(/^\xef\xbb\xbf/, "").split("\n");
  const pairs = new Map<string, string>();
  const extents: TextExtent[] = [];
  for (const [i, line] of lines.map((one) => one.trim()).entries()) {
    if (line === "" || line.startsWith("#")) continue;
    if (/^(RW|RDONLY|NOACCESS)\s/i.test(line)) extents.push(extentOf(line));
    else if (isKeyLine(line)) addPair(pairs, line);
    else requireHarmless(line, { isEnd: i === lines.length - 1 });
  }
  const decode = decoderOf(pairs.get("encoding"));
  const hint = pairs.get("parentfilenamehint");
  const parentCid = cidOf(pairs.get("parentcid"));
  rule(parentCid !== 0xffffffff || !hint, "a parent is named, and parentCID says that there is none");
  const total = extents.reduce((sum, { sectors }) => sum + sectors, 0);
  rule(total <= MAX_SECTORS, "a disk of more than 62 TiB");
  return {
    cid: ownCidOf(pairs.get("cid")),
    parentCid,
    parentFileNameHint: hint ? decode(hint) : undefined,
    extents: extents.map((extent) => {
      return { ...extent, fileName: extent.fileName === undefined ? undefined : decode(extent.fileName) };
    }),
  };
}

/** A key is words before the equals sign, without a quote. */
function isKeyLine(line: string): boolean {
  const [key, ...rest] = line.split("=");
  return rest.length > 0 && key!.trim() !== "" && !key!.includes('"');
}

const EXTENT_WORDS = ["flat", "sparse", "zero", "vmfs", ".vmdk"];

/** A line that means nothing may be passed over, if no extent and nothing about the parent is lost with it. */
function requireHarmless(line: string, { isEnd }: { isEnd: boolean }): void {
  const lower = line.toLowerCase();
  const wasExtent = EXTENT_WORDS.some((word) => lower.includes(word)) ||
    ["rw", "rdonly", "noaccess"].some((word) => lower.startsWith(word));
  rule(!wasExtent, "a line that may have been an extent");
  const wasAboutParent = ["cid", "parent", "hint"].some((word) => lower.includes(word));
  rule(!wasAboutParent, "a line that may have been about the parent");
  rule(!(isEnd && lower[0]! >= "a" && lower[0]! <= "z"), "the text ends inside a word");
}

function addPair(pairs: Map<string, string>, line: string): void {
  const equals = line.indexOf("=");
  const key = line.slice(0, equals).trim().toLowerCase();
  const value = line.slice(equals + 1).trim();
  const bare = value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  const before = pairs.get(key);
  if (before === undefined) pairs.set(key, bare);
  else rule(before === bare || !DECIDING.includes(key), "a key stands there twice with two values");
}

function extentOf(line: string): TextExtent {
  const words = /^([A-Z]+)\s+(\d+)\s+([A-Z0-9]+)(?:\s+(\S.*))?$/i.exec(line);
  rule(words !== null, "an extent line without access, size and type");
  const access = words[1]!.toUpperCase();
  const sectors = Number(words[2]);
  const type = words[3]!.toUpperCase();
  rule(sectors <= MAX_SECTORS, "an extent of more than 62 TiB");
  const rest = words[4] ?? "";
  if (type === "ZERO") {
    rule(rest === "", "words after ZERO");
    return { access, sectors, type, fileName: undefined, offsetSectors: 0 };
  }
  const lastQuote = rest.lastIndexOf('"');
  const isQuoted = rest.startsWith('"') && lastQuote > 1;
  rule(isQuoted || (rest !== "" && !rest.startsWith('"')), "an extent line without a file name");
  const fileName = isQuoted ? rest.slice(1, lastQuote) : rest.split(/\s/)[0]!;
  const after = isQuoted ? rest.slice(lastQuote + 1) : rest.slice(fileName.length);
  const offset = /^\s+(\d+)(?:\s.*)?$/.exec(after);
  rule(after.trim() === "" || offset !== null, "what follows the file name is no offset");
  const offsetSectors = Number(offset?.[1] ?? 0);
  rule(offsetSectors <= MAX_SECTORS, "an offset beyond any disk");
  return { access, sectors, type, fileName, offsetSectors };
}

/** What is longer than a CID is none: Xen Orchestra writes a decimal number of its own there. */
function ownCidOf(text: string | undefined): number | undefined {
  const isOther = text !== undefined && text.length > 8 && /^[0-9a-f]+$/i.test(text);
  return isOther ? undefined : cidOf(text);
}

function cidOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  rule(/^[0-9a-f]{1,8}$/i.test(text), "a CID that is no number of 32 bits");
  return Number(`0x${text}`);
}

function decoderOf(encoding: string | undefined): (text: string) => string {
  const name = (encoding ?? "utf-8").toLowerCase();
  const decoder = new TextDecoder(ENCODINGS.includes(name) ? name : "utf-8");
  return (text) => decoder.decode(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

/** One character a byte. The decoder of that name would take windows-1252. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
