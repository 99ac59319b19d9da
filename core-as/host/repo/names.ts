/**
 * The names of a repository's objects, and the ids in them.
 *
 * ```
 * repo.json  README.txt  keys/<slot>.json
 * chunks/<2 hex>/<id>[.<generation>].zst    maps/<2 hex>/<id>[.<generation>].zst     (.enc when encrypted)
 * snaps/<source>/<ulid>.json (.enc when encrypted)    holds/<ulid>.json
 * forgotten/<source>/<ulid>.json (.enc when encrypted)
 * active/<ulid>/{intent.json, beat-<n>, done}   gc/<ulid>.json   damaged/<id>[.<generation>].json
 * ```
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { isPrintable } from "../printable.ts";

/** Bytes of a chunk's or page's id. */
export const ID_BYTES = 32;

/** Content-addressed objects: pieces of disks, and pages of the tables that list them. */
export type ContentKind = "chunks" | "maps";

/**
 * A content-addressed object. The generation counts how often the content was collected as garbage and stored anew:
 * a name that a collection has condemned is never used again while the collection lasts.
 */
export interface ContentName {
  readonly kind: ContentKind;
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly generation: number;
}

/** Generations fit a byte of a map page. */
export const MAX_GENERATION = 255;

/** `.zst` for plain zstd frames, `.enc` for encrypted ones. */
export type ContentSuffix = "zst" | "enc";

export function contentKey(name: ContentName, suffix: ContentSuffix): string {
  return `${name.kind}/${name.id.slice(0, 2)}/${contentStem(name)}.${suffix}`;
}

/** `<id>` or `<id>.<generation>`: how manifests and lists name content. */
export function contentStem({ id, generation }: { id: string; generation: number }): string {
  return generation === 0 ? id : `${id}.${generation}`;
}

const CONTENT = /^(chunks|maps)\/([0-9a-f]{2})\/([0-9a-f]{64})(?:\.([1-9][0-9]{0,2}))?\.(?:zst|enc)$/;

/** The content that a key names; `undefined` for a key of anything else. */
export function parseContentKey(key: string): ContentName | undefined {
  const [, kind, folder, id, digits] = CONTENT.exec(key) ?? [];
  if (id === undefined || folder !== id.slice(0, 2)) return undefined;
  const generation = Number(digits ?? 0);
  return generation > MAX_GENERATION ? undefined : { kind: kind as ContentKind, id, generation };
}

/** `undefined` when it is not a stem. */
export function parseContentStem(stem: string): { id: string; generation: number } | undefined {
  const [, id, digits] = /^([0-9a-f]{64})(?:\.([1-9][0-9]{0,2}))?$/.exec(stem) ?? [];
  const generation = Number(digits ?? 0);
  return id === undefined || generation > MAX_GENERATION ? undefined : { id, generation };
}

/** Key of a snapshot's manifest. */
export function snapshotKey(source: string, id: string, suffix: ContentSuffix): string {
  return `snaps/${source}/${id}.${suffix === "enc" ? "enc" : "json"}`;
}

const SNAPSHOT = /^snaps\/([a-z0-9][a-z0-9-]{0,80})\/([0-9A-HJKMNP-TV-Z]{26})\.(?:json|enc)$/;

export function parseSnapshotKey(key: string): { source: string; id: string } | undefined {
  const [, source, id] = SNAPSHOT.exec(key) ?? [];
  return source === undefined || id === undefined ? undefined : { source, id };
}

/** Crockford's base 32, as ULIDs use it: no I, L, O, U. */
const BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ULID_TIME_DIGITS = 10;
const ULID_RANDOM_BYTES = 10;

/**
 * A ULID: 48 bits of milliseconds since 1970, 80 random bits; sorts by time.
 *
 * @param random Ten random bytes.
 */
export function ulid(nowMs: number, random: Uint8Array): string {
  let time = "";
  for (let left = nowMs, i = 0; i < ULID_TIME_DIGITS; i++, left = Math.floor(left / 32)) {
    time = BASE32[left % 32]! + time;
  }
  let bits = 0n;
  for (const byte of random.subarray(0, ULID_RANDOM_BYTES)) bits = bits << 8n | BigInt(byte);
  let tail = "";
  for (let i = 0; i < 16; i++, bits >>= 5n) tail = BASE32[Number(bits & 31n)]! + tail;
  return time + tail;
}

export function isUlid(text: string): boolean {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);
}

/** The time in a ULID, in milliseconds since 1970. */
export function ulidTimeMs(id: string): number {
  let ms = 0;
  for (const digit of id.slice(0, ULID_TIME_DIGITS)) ms = ms * 32 + BASE32.indexOf(digit);
  return ms;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte]!;
  return text;
}

/** @param hex An even number of hexadecimal digits, checked before. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}

const MAX_NAME_CHARACTERS = 200;

/**
 * Checks the name that a source is to have, `VM/DISK`: words of printable characters, joined by `/`. One that begins
 * with a dash would be a flag wherever it is typed.
 *
 * @throws {RegrainError} `USAGE`.
 */
export function checkSourceName(name: string): void {
  const parts = name.split("/");
  const good = name.length <= MAX_NAME_CHARACTERS && !name.includes("@") &&
    parts.every((part) => part.trim() === part && part !== "" && part !== "." && part !== "..") &&
    isPrintable(name) && !name.includes("\\") && !name.startsWith("-");
  if (good) return;
  throw new RegrainError("USAGE", `${JSON.stringify(name)} is no name for a disk`, {
    hint:
      "such as web01/disk-0: no @, no \\, no - in front, no control characters and none that nobody sees, no empty " +
      "part, no . or .., 200 characters at most",
  });
}

const MAX_TAG_CHARACTERS = 200;

/**
 * Checks words that a user gives and that others are shown: they may hold nothing that a terminal acts upon.
 *
 * @param what Where they come from, such as `--reason`.
 * @throws {RegrainError} `USAGE`.
 */
export function checkWords(text: string, what: string): void {
  if (isPrintable(text)) return;
  throw new RegrainError(
    "USAGE",
    `${what} ${JSON.stringify(text)} holds control characters, or some that nobody sees`,
    {
      hint: "characters that can be seen, in one line; nothing that turns the direction of writing",
    },
  );
}

/** @throws {RegrainError} `USAGE` when it is no tag. */
export function checkTag(tag: string, flag: string): void {
  checkWords(tag, flag);
  if (tag.trim() === tag && tag !== "" && tag.length <= MAX_TAG_CHARACTERS) return;
  throw new RegrainError("USAGE", `${flag} ${JSON.stringify(tag)} is no tag`, {
    hint: `a word such as release: not empty, no blanks around it, ${MAX_TAG_CHARACTERS} characters at most`,
  });
}

/** What a name looks like in a key: letters, digits and dashes, for a person who looks into the store. */
export function slugOf(name: string): string {
  const slug = name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 48).replace(
    /-$/,
    "",
  );
  return slug === "" ? "disk" : slug;
}
