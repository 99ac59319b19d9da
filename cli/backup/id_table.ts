/**
 * A set of content names with a number each, without an object an entry: 4 million chunks take 250 MB at most.
 *
 * Ids are hashes, so any of their bits are as good a place in the table as others. The table grows in parts, one after
 * the other, so that there are never two of it.
 */
import type { MapPage } from "../../core-as/host/repo/mod.ts";

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
    for (let i = 0; i < page.entries; i++) {
      if (!page.isZero(i)) this.set(page.idBytes(i), page.generation(i), value);
    }
  }

  private put(generation: number, value: number): void {
    const number = this.wantedBytes[0]!;
    const part = this.parts[number] ??= new Part(this.slots);
    part.set(this.wanted, generation + USED, value);
  }

  private look(generation: number): number | undefined {
    return this.parts[this.wantedBytes[0]!]?.get(this.wanted, generation + USED);
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

/** The names whose ids begin with the same byte. */
class Part {
  size = 0;
  private words: Uint32Array<ArrayBuffer>;

  constructor(private slots: number) {
    this.words = new Uint32Array(slots * SLOT_WORDS);
  }

  set(id: Uint32Array, mark: number, value: number): void {
    if (this.size >= this.slots * FULL_SHARE) this.grow();
    const at = this.find(id, mark);
    if (this.words[at + MARK_AT] === 0) {
      this.size++;
      this.words.set(id, at);
      this.words[at + MARK_AT] = mark;
    }
    this.words[at + VALUE_AT] = value;
  }

  get(id: Uint32Array, mark: number): number | undefined {
    const at = this.find(id, mark);
    return this.words[at + MARK_AT] === 0 ? undefined : this.words[at + VALUE_AT];
  }

  /** Word of the slot that holds the name, or of the free one where it belongs. */
  private find(id: Uint32Array, mark: number): number {
    const { words, slots } = this;
    for (let slot = id[1]! % slots;; slot = slot + 1 === slots ? 0 : slot + 1) {
      const at = slot * SLOT_WORDS;
      const found = words[at + MARK_AT];
      if (found === 0 || found === mark && holds(words, at, id)) return at;
    }
  }

  private grow(): void {
    const old = this.words;
    this.slots = Math.ceil(this.slots * GROWTH) + 1;
    this.words = new Uint32Array(this.slots * SLOT_WORDS);
    for (let at = 0; at < old.length; at += SLOT_WORDS) {
      if (old[at + MARK_AT] === 0) continue;
      const to = this.find(old.subarray(at, at + ID_WORDS), old[at + MARK_AT]!);
      for (let i = 0; i < SLOT_WORDS; i++) this.words[to + i] = old[at + i]!;
    }
    // Left to the collector of garbage, the outgrown parts would take more room than the table.
    old.buffer.transfer(0);
  }
}

function holds(words: Uint32Array, at: number, id: Uint32Array): boolean {
  for (let i = 0; i < ID_WORDS; i++) if (words[at + i] !== id[i]) return false;
  return true;
}
