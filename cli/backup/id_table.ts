/**
 * A set of content names with a number each, without an object an entry: 4 million chunks take 250 MB at most.
 *
 * Ids are hashes, so any of their bits are as good a place in the table as others. The table grows in parts, one after
 * the other, so that there are never two of it.
 */
import { ENTRY_BYTES, ID_AT, type MapPage } from "../../core-as/host/repo/mod.ts";

/** `id[8] mark value`, words of 32 bits; the mark is 0 in a free slot. */
const SLOT_WORDS = 10;
const ID_WORDS = 8;
const MARK_AT = 8;
const VALUE_AT = 9;
/** Beside the generation in the mark of a slot that is taken. */
const USED = 256;
const PARTS = 256;
const FULL_SHARE = 0.85;
const GROWTH = 1.25;

export class IdTable {
  private readonly parts: (Part | undefined)[] = Array.from({ length: PARTS });
  /** The id that is asked for. */
  private readonly wanted = new Uint32Array(ID_WORDS);
  private readonly wantedBytes = new Uint8Array(this.wanted.buffer);

  /** @param slots Of each part at first. */
  constructor(private readonly slots = 16) {}

  /** Names in the table. */
  get size(): number {
    return this.parts.reduce((sum, part) => sum + (part?.size ?? 0), 0);
  }

  /** Adds a name, or changes its number. */
  set(id: Uint8Array, generation: number, value: number): void {
    this.wantedBytes.set(id);
    this.put(generation, value);
  }

  /** The number of a name; `undefined` when the name is not in the table. */
  get(id: Uint8Array, generation: number): number | undefined {
    this.wantedBytes.set(id);
    return this.look(generation);
  }

  has(id: Uint8Array, generation: number): boolean {
    return this.get(id, generation) !== undefined;
  }

  setNamed({ id, generation }: { id: string; generation: number }, value: number): void {
    this.wantHex(id);
    this.put(generation, value);
  }

  getNamed({ id, generation }: { id: string; generation: number }): number | undefined {
    this.wantHex(id);
    return this.look(generation);
  }

  hasNamed(name: { id: string; generation: number }): boolean {
    return this.getNamed(name) !== undefined;
  }

  /** Adds every chunk of a page. */
  setPage(page: MapPage, value: number): void {
    const words = wordsOf(page.bytes);
    for (let i = 0; i < page.entries; i++) {
      if (!page.isZero(i)) this.putAt(words, (i * ENTRY_BYTES + ID_AT) / 4, page.generation(i) + USED, value);
    }
  }

  private put(generation: number, value: number): void {
    this.putAt(this.wanted, 0, generation + USED, value);
  }

  /** Parameters in a row, not an object: this is the hot path. The id begins at a word of `words`. */
  private putAt(words: Uint32Array, from: number, mark: number, value: number): void {
    const part = this.parts[words[from]! % PARTS] ??= new Part(this.slots);
    part.set(words, from, mark, value);
  }

  private look(generation: number): number | undefined {
    return this.parts[this.wanted[0]! % PARTS]?.get(this.wanted, generation + USED);
  }

  private wantHex(hex: string): void {
    for (let i = 0; i < ID_WORDS * 4; i++) {
      this.wantedBytes[i] = digitOf(hex.charCodeAt(2 * i)) * 16 + digitOf(hex.charCodeAt(2 * i + 1));
    }
  }
}

/** Of a hexadecimal digit in small letters. */
function digitOf(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}

/** As words; a copy where they do not begin at one. */
function wordsOf(bytes: Uint8Array<ArrayBuffer>): Uint32Array {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}

/** The names whose ids begin alike. */
class Part {
  size = 0;
  private words: Uint32Array<ArrayBuffer>;
  /** A byte of each slot's id, 0 where it is free: a full table is searched here, and not in the slots. */
  private tags: Uint8Array<ArrayBuffer>;

  constructor(private slots: number) {
    this.words = new Uint32Array(slots * SLOT_WORDS);
    this.tags = new Uint8Array(slots);
  }

  set(id: Uint32Array, from: number, mark: number, value: number): void {
    if (this.size >= this.slots * FULL_SHARE) this.grow();
    const at = this.find(id, from, mark);
    const { words } = this;
    if (words[at + MARK_AT] === 0) {
      this.size++;
      for (let i = 0; i < ID_WORDS; i++) words[at + i] = id[from + i]!;
      words[at + MARK_AT] = mark;
      this.tags[at / SLOT_WORDS] = tagOf(id, from);
    }
    words[at + VALUE_AT] = value;
  }

  get(id: Uint32Array, mark: number): number | undefined {
    const at = this.find(id, 0, mark);
    return this.words[at + MARK_AT] === 0 ? undefined : this.words[at + VALUE_AT];
  }

  /** Word of the slot that holds the name, or of the free one where it belongs. */
  private find(id: Uint32Array, from: number, mark: number): number {
    const { words, tags, slots } = this;
    const tag = tagOf(id, from);
    for (let slot = id[from + 1]! % slots;; slot = slot + 1 === slots ? 0 : slot + 1) {
      const found = tags[slot];
      if (found !== 0 && found !== tag) continue;
      const at = slot * SLOT_WORDS;
      if (found === 0 || words[at + MARK_AT] === mark && holds(words, at, id, from)) return at;
    }
  }

  private grow(): void {
    const old = this.words;
    this.slots = Math.ceil(this.slots * GROWTH) + 1;
    this.words = new Uint32Array(this.slots * SLOT_WORDS);
    this.tags = new Uint8Array(this.slots);
    for (let at = 0; at < old.length; at += SLOT_WORDS) {
      if (old[at + MARK_AT] === 0) continue;
      const to = this.find(old, at, old[at + MARK_AT]!);
      for (let i = 0; i < SLOT_WORDS; i++) this.words[to + i] = old[at + i]!;
      this.tags[to / SLOT_WORDS] = tagOf(old, at);
    }
    // Left to the collector of garbage, the outgrown parts would take more room than the table.
    old.buffer.transfer(0);
  }
}

/** 1 to 255. */
function tagOf(id: Uint32Array, from: number): number {
  return id[from + 2]! % 255 + 1;
}

function holds(words: Uint32Array, at: number, id: Uint32Array, from: number): boolean {
  for (let i = 0; i < ID_WORDS; i++) if (words[at + i] !== id[from + i]) return false;
  return true;
}
