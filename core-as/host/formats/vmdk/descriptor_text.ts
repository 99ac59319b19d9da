/**
 * The bytes of a descriptor as text: how one is known, in which encoding it is, where its lines start.
 *
 * VMware writes the encoding of the machine into the text itself, by its own names. Those are taken from VMware's
 * descriptors as they are found; which decoder each means is in the WHATWG Encoding Standard.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../../errors.ts";

/** A descriptor as text. */
export interface DescriptorText {
  readonly text: string;
  /** As the text names it, or as it was taken. */
  readonly encoding: string;
  readonly notes: readonly string[];
  /** Why names in it may be garbled, if they may. */
  readonly nameDoubt: string | undefined;
  readonly lines: Iterable<DescriptorLine>;
}

export interface DescriptorLine {
  readonly line: string;
  /** The byte at which it starts. */
  readonly offsetBytes: number;
  /** True of what follows the last newline, which is empty unless the text ends inside a line. */
  readonly isLast: boolean;
}

type Mark = "utf-8" | "utf-16le" | "utf-16be";

/** VMware's names of Windows code pages that a decoder knows by another name. */
const CODE_PAGES: Record<string, string> = {
  "932": "shift_jis",
  "936": "gbk",
  "949": "euc-kr",
  "950": "big5",
};
/** Bytes at the front of a file that say what it is: a descriptor may start with comments. */
export const HEAD_BYTES = 4096;
const KNOWN_COMMENT = /^#\s*disk\s+descriptor\s*file/i;
const VERSION_LINE = /^version\s*=\s*"?\d+"?$/i;
/** No descriptor has these; a raw disk that starts with a comment soon does. */
// deno-lint-ignore no-control-regex
const NO_TEXT = /[\x00-\x08\x0e-\x1f]/;

/**
 * True when the bytes start like a descriptor: the first line that is no comment is `version=N`, or the comment that
 * names a descriptor comes first.
 */
export function looksLikeDescriptor(bytes: Uint8Array): boolean {
  const { mark, body } = withoutMark(bytes.subarray(0, HEAD_BYTES));
  return beginsLikeDescriptor(isWide(mark) ? unitsOf(body, mark) : charsOf(body));
}

/** The same of a text that is decoded already. */
export function beginsLikeDescriptor(text: string): boolean {
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (NO_TEXT.test(trimmed)) return false;
    if (KNOWN_COMMENT.test(trimmed) || VERSION_LINE.test(trimmed)) return true;
    if (trimmed !== "" && !trimmed.startsWith("#")) return false;
  }
  return false;
}

/**
 * Reads the text by its byte order mark, else by its own `encoding` key; without either it is UTF-8. A tail of NULs
 * is cut off.
 *
 * @throws {RegrainError} `DESCRIPTOR_INVALID` when it is not in that encoding, and names no extent that could be saved.
 */
export function decodeDescriptor(bytes: Uint8Array, path: string): DescriptorText {
  const { mark, body } = withoutMark(bytes);
  if (isWide(mark)) return decodeWide(body, mark);
  const end = body.indexOf(0);
  return decodeNarrow(end < 0 ? body : body.subarray(0, end), bytes.length - body.length, path);
}

function decodeWide(body: Uint8Array, mark: Mark): DescriptorText {
  const units = unitsOf(body, mark);
  const end = units.indexOf("\0");
  const text = (end < 0 ? units : units.slice(0, end)).toWellFormed();
  return { text, encoding: mark.toUpperCase(), notes: [], nameDoubt: undefined, lines: linesOfUnits(text) };
}

function decodeNarrow(body: Uint8Array, markBytes: number, path: string): DescriptorText {
  const ascii = charsOf(body);
  const named = /^[ \t]*encoding[ \t]*=[ \t]*"?([\w.:-]+)"?/im.exec(ascii)?.[1] ?? "UTF-8";
  const label = labelOf(named);
  const unknown = `the descriptor's encoding "${named}" is unknown`;
  const notes = label === undefined ? [`${unknown}, UTF-8 is taken`] : [];
  const lines = (text: string) => linesOfBytes(text, body, markBytes);
  try {
    const text = new TextDecoder(label ?? "utf-8", { fatal: true }).decode(body);
    const nameDoubt = label === undefined ? `${unknown}, names may be garbled` : undefined;
    return { text, encoding: named, notes, nameDoubt, lines: lines(text) };
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    if (!/^[ \t]*(RW|RDONLY|NOACCESS)[ \t]/im.test(ascii)) {
      throw new RegrainError("DESCRIPTOR_INVALID", `the text is not ${named}`, { path, cause });
    }
    const text = new TextDecoder("windows-1252").decode(body);
    const why = label === undefined ? unknown : `the text is not ${named}`;
    return {
      text,
      encoding: "windows-1252",
      notes: [`${why}, windows-1252 is taken`],
      nameDoubt: `${why}, names may be garbled`,
      lines: lines(text),
    };
  }
}

/** The decoder's name of an encoding, or `undefined` when there is no decoder for it. */
function labelOf(named: string): string | undefined {
  const name = named.toLowerCase();
  const page = /^(?:windows|cp|ms|ibm)-?(\d+)$/.exec(name)?.[1];
  const label = page === undefined ? name : CODE_PAGES[page] ?? `windows-${page}`;
  // Text of two bytes a letter has a mark in front; without one its name alone says nothing.
  if (label.startsWith("utf-16") || label.startsWith("utf-32") || label.startsWith("ucs")) return undefined;
  try {
    return new TextDecoder(label).encoding;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function isWide(mark: Mark | undefined): mark is "utf-16le" | "utf-16be" {
  return mark === "utf-16le" || mark === "utf-16be";
}

/** The byte order mark in front of a text, and what follows it. */
export function withoutMark(bytes: Uint8Array): { mark: Mark | undefined; body: Uint8Array } {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    return { mark: "utf-8", body: bytes.subarray(3) };
  }
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { mark: "utf-16le", body: bytes.subarray(2) };
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { mark: "utf-16be", body: bytes.subarray(2) };
  return { mark: undefined, body: bytes };
}

/** One character a byte. */
function charsOf(bytes: Uint8Array): string {
  return inPieces(bytes.length, (i) => bytes[i]!);
}

/** One character for every two bytes; an odd byte at the end is left out. */
function unitsOf(body: Uint8Array, mark: Mark): string {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  return inPieces(Math.floor(body.length / 2), (i) => view.getUint16(i * 2, mark === "utf-16le"));
}

/** Text of many characters, put together in pieces that a call can take. */
function inPieces(count: number, charCode: (index: number) => number): string {
  const pieces: string[] = [];
  const codes = new Uint16Array(Math.min(HEAD_BYTES, count));
  for (let from = 0; from < count; from += HEAD_BYTES) {
    const length = Math.min(HEAD_BYTES, count - from);
    for (let i = 0; i < length; i++) codes[i] = charCode(from + i);
    pieces.push(String.fromCharCode(...codes.subarray(0, length)));
  }
  return pieces.join("");
}

/**
 * A text changed as characters, its encoding kept: no byte changes but those of what `change` replaces.
 *
 * @param change Receives one character a byte, or a UTF-16 unit where the text has the mark of UTF-16; what it adds
 * must be ASCII.
 */
export function changeText(bytes: Uint8Array, change: (text: string) => string): Uint8Array<ArrayBuffer> {
  const { mark, body } = withoutMark(bytes);
  if (!isWide(mark)) return Uint8Array.from(change(charsOf(bytes)), (char) => char.charCodeAt(0));
  const text = change(unitsOf(body, mark));
  const oddBytes = body.length % 2;
  const out = new Uint8Array(2 + text.length * 2 + oddBytes);
  const view = new DataView(out.buffer);
  out.set(bytes.subarray(0, 2));
  for (let i = 0; i < text.length; i++) view.setUint16(2 + i * 2, text.charCodeAt(i), mark === "utf-16le");
  if (oddBytes > 0) out[out.length - 1] = body[body.length - 1]!;
  return out;
}

/** Lines with the byte of each: in every encoding of one byte or more the byte 0x0a is a newline and nothing else. */
function* linesOfBytes(text: string, body: Uint8Array, markBytes: number): Generator<DescriptorLine> {
  let at = 0;
  const lines = text.split("\n");
  for (const [i, line] of lines.entries()) {
    yield { line, offsetBytes: markBytes + at, isLast: i === lines.length - 1 };
    at = body.indexOf(0x0a, at) + 1;
  }
}

function* linesOfUnits(text: string): Generator<DescriptorLine> {
  let offsetBytes = 2;
  const lines = text.split("\n");
  for (const [i, line] of lines.entries()) {
    yield { line, offsetBytes, isLast: i === lines.length - 1 };
    offsetBytes += (line.length + 1) * 2;
  }
}
