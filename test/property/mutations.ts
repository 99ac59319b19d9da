/** Ways to damage metadata, each decided by a seed alone. */
import { SECTOR_SIZE } from "../../core-as/host/units.ts";
import { putInteger, Rng } from "../../fixtures/mod.ts";
import type { BinaryTarget, Field, MutationBase, TextTarget } from "./mutation_bases.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface Mutant {
  readonly files: Readonly<Record<string, Bytes>>;
  /** What was done, in order. */
  readonly changes: readonly string[];
}

/** What a mutation works with. */
interface Hand {
  readonly rng: Rng;
  readonly target: BinaryTarget;
  /** Files of all bases: where foreign pieces come from. */
  readonly pool: readonly Uint8Array[];
}

interface Changed {
  readonly bytes: Bytes;
  readonly what: string;
}

/** Makes mutant `seed` of a base: one change mostly, at times two or three. */
export function mutate(
  base: MutationBase,
  options: { seed: number; pool: readonly Uint8Array[]; texts: readonly string[] },
): Mutant {
  const rng = new Rng(options.seed);
  const files: Record<string, Bytes> = { ...base.files };
  const changes: string[] = [];
  const copied = new Set<string>();
  const count = [1, 1, 1, 1, 1, 2, 2, 3][rng.int(8)]!;
  for (let i = 0; i < count; i++) {
    const target = oneOf(rng, base.targets);
    if (!copied.has(target.file)) files[target.file] = files[target.file]!.slice();
    copied.add(target.file);
    const before = files[target.file]!;
    const { bytes, what } = target.kind === "text"
      ? changeText(before, { rng, target, texts: options.texts })
      : oneOf(rng, BINARY_CHANGES)(before, { rng, target, pool: options.pool });
    files[target.file] = bytes;
    changes.push(`${target.file}: ${what}`);
  }
  return { files, changes };
}

function oneOf<T>(rng: Rng, list: readonly T[]): T {
  return list[rng.int(list.length)]!;
}

/** A field that the file still has, or its start. */
function fieldOf(bytes: Uint8Array, { rng, target }: Hand): Field {
  for (let attempt = 0; attempt < 20; attempt++) {
    const field = oneOf(rng, target.fields);
    if (field.at + field.size <= bytes.length) return field;
  }
  return { at: 0, size: 1 };
}

function valueOf(bytes: Uint8Array, { at, size }: Field): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) + BigInt(bytes[at + i] ?? 0);
  return value;
}

/** Sets an integer and tells of it. */
function set(bytes: Bytes, field: Field, value: bigint | number): Changed {
  const before = valueOf(bytes, field);
  if (field.at + field.size <= bytes.length) putInteger(bytes, { ...field, value });
  const after = valueOf(bytes, field);
  return {
    bytes,
    what: `u${field.size * 8} at byte ${field.at}: 0x${before.toString(16)} -> 0x${after.toString(16)}`,
  };
}

function flipBit(bytes: Bytes, hand: Hand): Changed {
  const field = fieldOf(bytes, hand);
  const bit = hand.rng.int(field.size * 8);
  return set(bytes, field, valueOf(bytes, field) ^ (1n << BigInt(bit)));
}

/** Single bits of low order weigh more: they give values that are nearly right. */
function flipLowBit(bytes: Bytes, hand: Hand): Changed {
  const field = fieldOf(bytes, hand);
  return set(
    bytes,
    field,
    valueOf(bytes, field) ^ (1n << BigInt(hand.rng.int(Math.min(12, field.size * 8)))),
  );
}

function overwrite(bytes: Bytes, { rng, ...hand }: Hand): Changed {
  const field = fieldOf(bytes, { rng, ...hand });
  const at = field.at + rng.int(field.size);
  const lengthBytes = Math.min(1 + rng.int(8), bytes.length - at);
  bytes.set(rng.bytes(lengthBytes), at);
  return { bytes, what: `${lengthBytes} random bytes at byte ${at}` };
}

const INTERESTING = [
  0n,
  1n,
  2n,
  3n,
  -1n,
  -2n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  1n << 53n,
  (1n << 53n) + 1n,
  1n << 63n, // limits
  4n,
  5n,
  8n,
  16n,
  64n,
  128n,
  512n,
  2048n,
  4096n,
  0x10000000n << 32n,
  1n << 60n,
  2n << 60n,
  3n << 60n,
  1n << 40n,
];

function interesting(bytes: Bytes, hand: Hand): Changed {
  return set(bytes, fieldOf(bytes, hand), oneOf(hand.rng, INTERESTING));
}

function nearby(bytes: Bytes, hand: Hand): Changed {
  const field = fieldOf(bytes, hand);
  const step = oneOf(hand.rng, [1n, -1n, 2n, -2n, 8n, -8n, 16n, -16n, 64n, -64n, 2048n]);
  return set(bytes, field, valueOf(bytes, field) + step);
}

/** Some sector of the file, or one just behind it. */
function sectorOfFile(bytes: Bytes, hand: Hand): Changed {
  return set(bytes, fieldOf(bytes, hand), hand.rng.int(Math.floor(bytes.length / SECTOR_SIZE) + 2));
}

function copyField(bytes: Bytes, hand: Hand): Changed {
  const from = fieldOf(bytes, hand);
  const to = fieldOf(bytes, hand);
  return set(bytes, to, valueOf(bytes, from));
}

function swapFields(bytes: Bytes, hand: Hand): Changed {
  const a = fieldOf(bytes, hand);
  const b = fieldOf(bytes, hand);
  const value = valueOf(bytes, a);
  const first = set(bytes, a, valueOf(bytes, b));
  const second = set(bytes, b, value);
  return { bytes, what: `${first.what}, ${second.what}` };
}

/** A place to cut or to move bytes at: near a field, near the end, or anywhere. */
function placeIn(bytes: Bytes, hand: Hand): number {
  const { rng } = hand;
  const way = rng.int(4);
  if (way === 0) return rng.int(bytes.length + 1);
  if (way === 1) return Math.max(0, bytes.length - rng.int(5000));
  const at = fieldOf(bytes, hand).at + rng.int(17) - 8;
  const place = way === 2 ? at : Math.round(at / SECTOR_SIZE) * SECTOR_SIZE;
  return Math.max(0, Math.min(bytes.length, place));
}

function truncate(bytes: Bytes, hand: Hand): Changed {
  const size = placeIn(bytes, hand);
  return { bytes: bytes.slice(0, size), what: `cut at byte ${size} of ${bytes.length}` };
}

function remove(bytes: Bytes, hand: Hand): Changed {
  const at = placeIn(bytes, hand);
  const lengthBytes = oneOf(hand.rng, [1, 2, 4, 8, 512, 1024, 1 + hand.rng.int(700)]);
  return {
    bytes: join([bytes.subarray(0, at), bytes.subarray(at + lengthBytes)]),
    what: `${lengthBytes} bytes gone at byte ${at}`,
  };
}

function insert(bytes: Bytes, hand: Hand): Changed {
  const at = placeIn(bytes, hand);
  const lengthBytes = oneOf(hand.rng, [1, 2, 4, 8, 512, 1024, 1 + hand.rng.int(700)]);
  const piece = hand.rng.int(2) ? hand.rng.bytes(lengthBytes) : new Uint8Array(lengthBytes);
  return {
    bytes: join([bytes.subarray(0, at), piece, bytes.subarray(at)]),
    what: `${lengthBytes} bytes inserted at byte ${at}`,
  };
}

function append(bytes: Bytes, { rng, pool }: Hand): Changed {
  const piece = rng.int(2)
    ? rng.bytes(1 + rng.int(3000))
    : pieceOf(oneOf(rng, pool), { rng, lengthBytes: 1536 });
  return { bytes: join([bytes, piece]), what: `${piece.length} bytes appended` };
}

/** A sector of the metadata becomes that of another place, or of another file. */
function spliceSector(bytes: Bytes, hand: Hand): Changed {
  const { rng, pool } = hand;
  const at = Math.floor(fieldOf(bytes, hand).at / SECTOR_SIZE) * SECTOR_SIZE;
  const isOwn = rng.int(2) === 0;
  const from = isOwn ? bytes.slice() : oneOf(rng, pool);
  const sector = rng.int(2) ? rng.int(Math.max(1, Math.floor(from.length / SECTOR_SIZE))) : rng.int(16);
  const piece = from.subarray(sector * SECTOR_SIZE, (sector + 1) * SECTOR_SIZE);
  bytes.set(piece.subarray(0, bytes.length - at), at);
  return { bytes, what: `sector ${sector} of ${isOwn ? "the file" : "a file"} copied to byte ${at}` };
}

function splicePiece(bytes: Bytes, hand: Hand): Changed {
  const { rng, pool } = hand;
  const { at } = fieldOf(bytes, hand);
  const lengthBytes = Math.min(1 + rng.int(64), bytes.length - at);
  const piece = pieceOf(rng.int(2) ? bytes.slice() : oneOf(rng, pool), { rng, lengthBytes });
  bytes.set(piece, at);
  return { bytes, what: `${piece.length} bytes of elsewhere copied to byte ${at}` };
}

function wipe(bytes: Bytes, hand: Hand): Changed {
  const { rng } = hand;
  const field = fieldOf(bytes, hand);
  const wide = rng.int(2) === 0;
  const from = wide ? Math.floor(field.at / SECTOR_SIZE) * SECTOR_SIZE : field.at;
  const end = Math.min(bytes.length, from + (wide ? SECTOR_SIZE * (1 + rng.int(4)) : 1 + rng.int(64)));
  const value = oneOf(rng, [0, 0, 0xff, 0x20]);
  bytes.fill(value, from, end);
  return { bytes, what: `bytes ${from} to ${end} became ${value}` };
}

const BINARY_CHANGES: readonly ((bytes: Bytes, hand: Hand) => Changed)[] = [
  flipBit,
  flipBit,
  flipLowBit,
  flipLowBit,
  overwrite,
  interesting,
  interesting,
  nearby,
  sectorOfFile,
  sectorOfFile,
  copyField,
  swapFields,
  truncate,
  remove,
  insert,
  append,
  spliceSector,
  splicePiece,
  wipe,
];

function pieceOf(from: Uint8Array, options: { rng: Rng; lengthBytes: number }): Uint8Array {
  const at = options.rng.int(Math.max(1, from.length - options.lengthBytes));
  return from.subarray(at, at + options.lengthBytes);
}

function join(pieces: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Changes a descriptor; one that stands in a larger file keeps its room. */
function changeText(bytes: Bytes, hand: { rng: Rng; target: TextTarget; texts: readonly string[] }): Changed {
  const { at, lengthBytes } = hand.target.embedded ?? { at: 0, lengthBytes: bytes.length };
  const room = bytes.subarray(at, at + lengthBytes);
  const end = room.indexOf(0);
  const text = String.fromCharCode(...(end < 0 ? room : room.subarray(0, end)));
  const { text: changed, what } = oneOf(hand.rng, TEXT_CHANGES)(text, hand.rng, hand.texts);
  const encoded = Uint8Array.from(changed, (char) => char.charCodeAt(0));
  if (hand.target.embedded === undefined) {
    const tail = end < 0 ? new Uint8Array(0) : room.subarray(end);
    return { bytes: join([encoded, tail]), what };
  }
  room.fill(0);
  room.set(encoded.subarray(0, room.length));
  return { bytes, what };
}

type TextChange = (text: string, rng: Rng, texts: readonly string[]) => { text: string; what: string };

/** Changes one line. */
function editLine(name: string, edit: (line: string, rng: Rng) => string): TextChange {
  return (text, rng) => {
    const lines = text.split("\n");
    const index = lineOf(lines, rng);
    const before = lines[index]!;
    lines[index] = edit(before, rng);
    return {
      text: lines.join("\n"),
      what: `${name}: ${JSON.stringify(before)} -> ${JSON.stringify(lines[index])}`,
    };
  };
}

/** A line that says something, mostly; extent lines and those that name the parent above all. */
function lineOf(lines: readonly string[], rng: Rng): number {
  const important = lines.flatMap((line, i) => /^(RW|RDONLY|CID|parent)/i.test(line) ? [i] : []);
  return important.length > 0 && rng.int(2) ? oneOf(rng, important) : rng.int(lines.length);
}

function anyChar(rng: Rng): string {
  return rng.int(3) ? String.fromCharCode(32 + rng.int(95)) : String.fromCharCode(rng.int(256));
}

function spliced(line: string, options: { at: number; removed: number; added: string }): string {
  return line.slice(0, options.at) + options.added + line.slice(options.at + options.removed);
}

function editNumber(line: string, rng: Rng): string {
  const numbers = [...line.matchAll(/\d+/g)];
  if (numbers.length === 0) return line;
  const found = oneOf(rng, numbers);
  const digits = found[0];
  const added = oneOf(rng, [
    "0",
    "1",
    "-1",
    String(Number(digits) + 1),
    String(Math.max(0, Number(digits) - 1)),
    `${digits}0`,
    "4294967296",
    "9007199254740993",
    "18446744073709551616",
    "1e3",
    digits.slice(1),
    `0x${digits}`,
    "133143986176",
    spliced(digits, { at: rng.int(digits.length), removed: 1, added: String(rng.int(10)) }),
  ]);
  return spliced(line, { at: found.index, removed: digits.length, added });
}

const TEXT_CHANGES: readonly TextChange[] = [
  editLine(
    "character",
    (line, rng) => spliced(line, { at: rng.int(line.length), removed: 1, added: anyChar(rng) }),
  ),
  editLine("bit", (line, rng) => {
    const at = rng.int(Math.max(1, line.length));
    const code = (line.charCodeAt(at) || 0) ^ (2 ** rng.int(8));
    return spliced(line, { at, removed: 1, added: String.fromCharCode(code % 256) });
  }),
  editLine(
    "inserted",
    (line, rng) => spliced(line, { at: rng.int(line.length + 1), removed: 0, added: anyChar(rng) }),
  ),
  editLine(
    "deleted",
    (line, rng) => spliced(line, { at: rng.int(line.length), removed: 1 + rng.int(4), added: "" }),
  ),
  editLine("number", editNumber),
  editLine("number", editNumber),
  editLine("case", (line, rng) => rng.int(2) ? line.toUpperCase() : line.toLowerCase()),
  editLine("dropped", () => ""),
  editLine("doubled", (line) => `${line}\n${line}`),
  editLine("commented", (line) => `#${line}`),
  editLine("NUL", (line, rng) => spliced(line, { at: rng.int(line.length + 1), removed: 0, added: "\0" })),
  (text, rng) => {
    const lines = text.split("\n");
    const a = lineOf(lines, rng);
    const b = lineOf(lines, rng);
    [lines[a], lines[b]] = [lines[b]!, lines[a]!];
    return { text: lines.join("\n"), what: `lines ${a} and ${b} swapped` };
  },
  (text, rng) => {
    const lines = text.split("\n");
    const index = lineOf(lines, rng);
    const [joined] = lines.splice(index, 1);
    lines[index] = `${joined ?? ""}${oneOf(rng, ["", " ", "\v"])}${lines[index] ?? ""}`;
    return { text: lines.join("\n"), what: `line ${index} joined with the next` };
  },
  (text, rng, texts) => {
    const other = oneOf(rng, texts).split("\n");
    const line = other[lineOf(other, rng)]!;
    const lines = text.split("\n");
    const index = lineOf(lines, rng);
    lines.splice(index, rng.int(2), line);
    return { text: lines.join("\n"), what: `line ${index} is now ${JSON.stringify(line)}` };
  },
  (text, rng) => {
    const names = [...text.matchAll(/[\w-]+\.(?:vmdk|bin)/g)];
    if (names.length === 0) return { text, what: "nothing" };
    const found = oneOf(rng, names);
    const added = rng.int(2) ? editNumber(found[0], rng) : oneOf(rng, names)[0];
    const changed = spliced(text, { at: found.index, removed: found[0].length, added });
    return { text: changed, what: `name ${found[0]} -> ${added}` };
  },
  (text, rng) => {
    const at = rng.int(text.length + 1);
    return { text: text.slice(0, at), what: `text cut at ${at}` };
  },
  (text, rng) => {
    const added = Array.from({ length: 1 + rng.int(80) }, () => anyChar(rng)).join("");
    return { text: text + added, what: `appended ${JSON.stringify(added)}` };
  },
];
