/**
 * A set of content names with a number each, without an object an entry: 4 million chunks take 230 MB at most.
 *
 * Ids are hashes, so their first bytes are as good a place in the table as any.
 */
import { fromHex, ID_BYTES } from "../../core-as/host/repo/mod.ts";

/** `id[32] generation u8 used u8 - - storedBytes u32` */
const SLOT_BYTES = 40;
const GENERATION_AT = 32;
const USED_AT = 33;
const VALUE_AT = 36;
const FULL_SHARE = 0.7;

export class IdTable {
  private bytes: Uint8Array<ArrayBuffer>;
  private view: DataView;
  private slots: number;
  /** Names in the table. */
  size = 0;

  constructor(slots = 1024) {
    this.slots = slots;
    this.bytes = new Uint8Array(slots * SLOT_BYTES);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Adds a name, or changes its number. */
  set(id: Uint8Array, generation: number, value: number): void {
    if (this.size >= this.slots * FULL_SHARE) this.grow();
    const at = this.find(id, generation);
    if (this.bytes[at + USED_AT] === 0) {
      this.size++;
      this.bytes.set(id, at);
      this.bytes[at + GENERATION_AT] = generation;
      this.bytes[at + USED_AT] = 1;
    }
    this.view.setUint32(at + VALUE_AT, value, true);
  }

  /** The number of a name; `undefined` when the name is not in the table. */
  get(id: Uint8Array, generation: number): number | undefined {
    const at = this.find(id, generation);
    return this.bytes[at + USED_AT] === 0 ? undefined : this.view.getUint32(at + VALUE_AT, true);
  }

  has(id: Uint8Array, generation: number): boolean {
    return this.bytes[this.find(id, generation) + USED_AT] !== 0;
  }

  setNamed(name: { id: string; generation: number }, value: number): void {
    this.set(fromHex(name.id), name.generation, value);
  }

  getNamed(name: { id: string; generation: number }): number | undefined {
    return this.get(fromHex(name.id), name.generation);
  }

  hasNamed(name: { id: string; generation: number }): boolean {
    return this.has(fromHex(name.id), name.generation);
  }

  /** Byte of the slot that holds the name, or of the free one where it belongs. */
  private find(id: Uint8Array, generation: number): number {
    const start = (id[0]! | id[1]! << 8 | id[2]! << 16 | id[3]! << 24) >>> 0;
    for (let slot = start % this.slots;; slot = (slot + 1) % this.slots) {
      const at = slot * SLOT_BYTES;
      if (this.bytes[at + USED_AT] === 0 || this.holds(at, id, generation)) return at;
    }
  }

  private holds(at: number, id: Uint8Array, generation: number): boolean {
    if (this.bytes[at + GENERATION_AT] !== generation) return false;
    for (let i = 0; i < ID_BYTES; i++) if (this.bytes[at + i] !== id[i]) return false;
    return true;
  }

  private grow(): void {
    const old = this.bytes;
    this.slots *= 2;
    this.bytes = new Uint8Array(this.slots * SLOT_BYTES);
    this.view = new DataView(this.bytes.buffer);
    for (let at = 0; at < old.length; at += SLOT_BYTES) {
      if (old[at + USED_AT] === 0) continue;
      const to = this.find(old.subarray(at, at + ID_BYTES), old[at + GENERATION_AT]!);
      this.bytes.set(old.subarray(at, at + SLOT_BYTES), to);
    }
  }
}
