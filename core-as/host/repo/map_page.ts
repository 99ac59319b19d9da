/**
 * A page of a snapshot's map: which chunk stands where on the disk.
 *
 * A page lists {@link PAGE_ENTRIES} chunks (the last page of a disk fewer), 40 bytes each, little endian:
 * `flags u8` (0 zero, 1 chunk) `generation u8` `reserved u16` (0) `storedBytes u32` `id u8[32]`. A page is stored
 * as chunks are, under the hash of these bytes; equal pages of two snapshots are one object.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { fromHex, ID_BYTES, toHex } from "./names.ts";

/** Entries of a full page: 4 GiB of disk with chunks of 4 MiB. */
export const PAGE_ENTRIES = 1024;
export const ENTRY_BYTES = 40;
export const PAGE_BYTES = PAGE_ENTRIES * ENTRY_BYTES;

const FLAG_ZERO = 0;
const FLAG_CHUNK = 1;
const STORED_AT = 4;
/** Byte of the id in an entry. */
export const ID_AT = 8;

/** A chunk of a map. */
export interface ChunkEntry {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly generation: number;
  /** Size of the stored object in bytes. */
  readonly storedBytes: number;
}

/** One page, in its stored form; entries are read from it as they are asked for. */
export class MapPage {
  private readonly view: DataView;

  private constructor(readonly bytes: Uint8Array<ArrayBuffer>) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A page of zeros. */
  static empty(entries: number): MapPage {
    return new MapPage(new Uint8Array(entries * ENTRY_BYTES));
  }

  /**
   * Reads a stored page.
   *
   * @param entries How many it must have.
   * @throws {RegrainError} `SNAPSHOT_DAMAGED` with the byte in the page.
   */
  static parse(bytes: Uint8Array<ArrayBuffer>, about: { path: string; entries: number }): MapPage {
    const { path, entries } = about;
    if (bytes.length !== entries * ENTRY_BYTES) {
      throw new RegrainError(
        "SNAPSHOT_DAMAGED",
        `a page of the map has ${bytes.length} bytes, and ${entries * ENTRY_BYTES} are due`,
        { path },
      );
    }
    const page = new MapPage(bytes);
    for (let i = 0; i < entries; i++) page.checkEntry(i, path);
    return page;
  }

  get entries(): number {
    return this.bytes.length / ENTRY_BYTES;
  }

  isZero(index: number): boolean {
    return this.bytes[index * ENTRY_BYTES] === FLAG_ZERO;
  }

  /** `undefined` for zeros. */
  get(index: number): ChunkEntry | undefined {
    if (this.isZero(index)) return undefined;
    const at = index * ENTRY_BYTES;
    return {
      id: toHex(this.bytes.subarray(at + ID_AT, at + ID_AT + ID_BYTES)),
      generation: this.bytes[at + 1]!,
      storedBytes: this.view.getUint32(at + STORED_AT, true),
    };
  }

  /** The bytes of an id, without making text of them. */
  idBytes(index: number): Uint8Array<ArrayBuffer> {
    const at = index * ENTRY_BYTES + ID_AT;
    return this.bytes.subarray(at, at + ID_BYTES);
  }

  /** Of a chunk that is not zeros. */
  generation(index: number): number {
    return this.bytes[index * ENTRY_BYTES + 1]!;
  }

  set(index: number, entry: ChunkEntry | undefined): void {
    const at = index * ENTRY_BYTES;
    this.bytes.fill(0, at, at + ENTRY_BYTES);
    if (entry === undefined) return;
    this.bytes[at] = FLAG_CHUNK;
    this.bytes[at + 1] = entry.generation;
    this.view.setUint32(at + STORED_AT, entry.storedBytes, true);
    this.bytes.set(fromHex(entry.id), at + ID_AT);
  }

  /** Whether two pages hold the same entry there. */
  sameEntry(other: MapPage, index: number): boolean {
    const at = index * ENTRY_BYTES;
    if (this.bytes[at] !== other.bytes[at]) return false;
    for (let i = at + ID_AT; i < at + ENTRY_BYTES; i++) if (this.bytes[i] !== other.bytes[i]) return false;
    return true;
  }

  /** The page without what comes after its first entries. */
  first(entries: number): MapPage {
    return entries === this.entries ? this : new MapPage(this.bytes.slice(0, entries * ENTRY_BYTES));
  }

  copy(): MapPage {
    return new MapPage(this.bytes.slice());
  }

  /** True when every entry is zeros: such a page is not stored. */
  isEmpty(): boolean {
    for (let i = 0; i < this.entries; i++) if (!this.isZero(i)) return false;
    return true;
  }

  /** What the page says about the disk and nothing else: ids alone, zeros as 32 zero bytes. */
  content(): Uint8Array<ArrayBuffer> {
    const content = new Uint8Array(this.entries * ID_BYTES);
    for (let i = 0; i < this.entries; i++) content.set(this.idBytes(i), i * ID_BYTES);
    return content;
  }

  private checkEntry(index: number, path: string): void {
    const at = index * ENTRY_BYTES;
    const flags = this.bytes[at]!;
    const fail = (what: string) => {
      throw new RegrainError("SNAPSHOT_DAMAGED", `${what} in entry ${index} of a page of the map`, {
        path,
        offsetBytes: at,
      });
    };
    if (flags !== FLAG_ZERO && flags !== FLAG_CHUNK) fail(`unknown flags ${flags}`);
    if (this.view.getUint16(at + 2, true) !== 0) fail("reserved bytes that are not zero");
    if (flags === FLAG_CHUNK) return;
    for (let i = at; i < at + ENTRY_BYTES; i++) if (this.bytes[i] !== 0) fail("a zero chunk with an id");
  }
}
