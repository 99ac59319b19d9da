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

/** True when a file begins with the comment that every descriptor begins with. */
export function startsLikeDescriptor(bytes: Uint8Array): boolean {
  const head = latin1(bytes.subarray(0, 512)).replace(/^\xef\xbb\xbf/, "").trimStart().toLowerCase();
  return /^#\s*disk\s+descriptorfile/.test(head);
}

/** Reads a descriptor. */
export function parseText(bytes: Uint8Array): DescriptorText {
  rule(bytes.length <= MAX_BYTES, "a descriptor of more than 1 MiB");
  const end = bytes.indexOf(0);
  const lines = latin1(end < 0 ? bytes : bytes.subarray(0, end)).replace(/^\xef\xbb\xbf/, "").split("\n");
  const pairs = new Map<string, string>();
  const extents: TextExtent[] = [];
  for (const line of lines.map((one) => one.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    if (/^(RW|RDONLY|NOACCESS)\s/i.test(line)) extents.push(extentOf(line));
    else addPair(pairs, line);
  }
  const decode = decoderOf(pairs.get("encoding"));
  const hint = pairs.get("parentfilenamehint");
  const parentCid = cidOf(pairs.get("parentcid"));
  rule(parentCid !== 0xffffffff || !hint, "a parent is named, and parentCID says that there is none");
  const total = extents.reduce((sum, { sectors }) => sum + sectors, 0);
  rule(total <= MAX_SECTORS, "a disk of more than 62 TiB");
  return {
    cid: cidOf(pairs.get("cid")),
    parentCid,
    parentFileNameHint: hint ? decode(hint) : undefined,
    extents: extents.map((extent) => {
      return { ...extent, fileName: extent.fileName === undefined ? undefined : decode(extent.fileName) };
    }),
  };
}

function addPair(pairs: Map<string, string>, line: string): void {
  const equals = line.indexOf("=");
  rule(equals > 0, "a line that is neither a key nor an extent");
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
