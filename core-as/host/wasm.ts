/**
 * The kernels, typed. `core.wasm` has one fixed memory, so there is one {@link Core} a thread and its views never
 * detach. The command line imports the module, the page instantiates its bytes: both hand the exports in here.
 *
 * This module is browser compatible.
 */

/** What `core.wasm` exports; addresses and counts are numbers, sectors are exact in f64. */
export interface CoreExports {
  readonly memory: WebAssembly.Memory;
  region(which: number): number;
  openList(at: number, from: number, to: number, by: number, owner: number): void;
  closeList(): number;
  pushRun(start: number, length: number, place: number): void;
  clearDamage(): void;
  damageCount(): number;
  decodeTable32(
    table: number,
    entries: number,
    first: number,
    grain: number,
    capacity: number,
    floor: number,
    fileSectors: number,
    logical: number,
  ): void;
  decodeTableSe(
    table: number,
    entries: number,
    first: number,
    grain: number,
    capacity: number,
    grains: number,
    grainCount: number,
    fileSectors: number,
  ): void;
  overlay(upper: number, upperCount: number, lower: number, lowerCount: number, out: number): number;
  tallyRuns(list: number, count: number, holesAreZeros: number, leafShift: number, out: number): void;
  seenClaim(place: number, length: number): number;
  seenOpen(from: number, to: number): void;
  seenRuns(list: number, count: number): void;
  seenSectors(): number;
  isZero(at: number, length: number): number;
  splitZeros(pieces: number, count: number, buffer: number, block: number, out: number): number;
  diffSpans(a: number, b: number, length: number, block: number, out: number): number;
  diffCount(a: number, b: number, length: number): number;
}

/** Place of a record without data: known zeros. */
export const ZERO_PLACE = -1;
/** Place of a record without data: look at the parent. */
export const HOLE_PLACE = -2;
/** Place of a record without data: an entry that cannot be used, so nobody knows what was here; it masks the parent. */
export const DAMAGED_PLACE = -3;

/** Of the seen map's room this much is lent: more would only make more pages resident. */
const SPARE_BYTES = 1024 * 1024;

/** f64 words in a run record: start, length, place, owner; all in sectors but the owner, which is an index. */
const RECORD_WORDS = 4;
const RECORD_BYTES = RECORD_WORDS * 8;
/** Records that the damage list keeps; the number is that of `assembly/arena.ts`. */
const DAMAGE_RECORDS = 4096;

/** One of the three run lists in the arena: sorted records, read without copying. */
export class RunList {
  count = 0;
  constructor(readonly address: number, private readonly words: Float64Array) {}

  start(index: number): number {
    return this.words[index * RECORD_WORDS]!;
  }
  length(index: number): number {
    return this.words[index * RECORD_WORDS + 1]!;
  }
  /** File sector of the data, {@link ZERO_PLACE}, {@link HOLE_PLACE} or {@link DAMAGED_PLACE}. */
  place(index: number): number {
    return this.words[index * RECORD_WORDS + 2]!;
  }
  /** Index of the medium that the place belongs to. */
  owner(index: number): number {
    return this.words[index * RECORD_WORDS + 3]!;
  }
  /** The sector behind the last record, or `otherwise` when there is none. */
  end(otherwise: number): number {
    return this.count === 0 ? otherwise : this.start(this.count - 1) + this.length(this.count - 1);
  }
  hasHole(): boolean {
    for (let i = 0; i < this.count; i++) if (this.place(i) === HOLE_PLACE) return true;
    return false;
  }
  /** The same records in memory of their own, which no kernel changes or can be given. */
  copy(): RunList {
    const copy = new RunList(0, this.words.slice(0, this.count * RECORD_WORDS));
    copy.count = this.count;
    return copy;
  }
  set(index: number, record: { start: number; length: number; place: number; owner: number }): void {
    const at = index * RECORD_WORDS;
    this.words[at] = record.start;
    this.words[at + 1] = record.length;
    this.words[at + 2] = record.place;
    this.words[at + 3] = record.owner;
  }
}

/** What a kernel found wrong in a table; the numbers are those of `assembly/damage.ts`. */
export const DAMAGE_KIND = { pastEnd: 1, inMetadata: 2, reserved: 3, shared: 4 } as const;

export interface DamageRecord {
  readonly kind: number;
  /** Entry in the table; for `shared` the virtual sector. */
  readonly entry: number;
  /** What the entry says; for `shared` the file sector. */
  readonly value: number;
  readonly lengthSectors: number;
}

/** The instantiated kernels with views of their memory. */
export class Core {
  /** Raw grain tables go here. */
  readonly tables: Uint8Array;
  readonly tablesAddress: number;
  /** Data on its way from a source to a target. */
  readonly buffer: Uint8Array;
  readonly bufferAddress: number;
  /** The seen map's room, which is free except during a survey. */
  readonly spare: Uint8Array;
  readonly spareAddress: number;
  /** Three run lists: two to merge and one for the result. */
  readonly lists: readonly [RunList, RunList, RunList];
  /** Records that one list can hold. */
  readonly listCapacity: number;
  private readonly damageWords: Float64Array;

  constructor(readonly kernels: CoreExports) {
    const { memory } = kernels;
    const bytes = (region: number) => {
      const from = kernels.region(region);
      return new Uint8Array(memory.buffer, from, kernels.region(region + 1) - from);
    };
    const words = (region: number) => {
      const view = bytes(region);
      return new Float64Array(memory.buffer, view.byteOffset, Math.floor(view.byteLength / 8));
    };
    this.tables = bytes(0);
    this.tablesAddress = kernels.region(0);
    this.lists = [
      new RunList(kernels.region(1), words(1)),
      new RunList(kernels.region(2), words(2)),
      new RunList(kernels.region(3), words(3)),
    ];
    this.listCapacity = words(1).length / RECORD_WORDS;
    this.damageWords = words(4);
    this.buffer = bytes(5);
    this.bufferAddress = kernels.region(5);
    this.spare = bytes(6).subarray(0, SPARE_BYTES);
    this.spareAddress = kernels.region(6);
  }

  /** Ends the open list, which `list` was opened for. */
  close(list: RunList): void {
    list.count = this.fits(this.kernels.closeList());
  }

  /**
   * Splits pieces of the buffer into data and zeros: places of `pieces` are sectors of the buffer, starts those of the
   * target, of which only whole blocks count as zeros.
   */
  splitZeros(pieces: RunList, out: RunList, blockSectors: number): void {
    const { address, count } = pieces;
    out.count = this.fits(
      this.kernels.splitZeros(address, count, this.bufferAddress, blockSectors, out.address),
    );
  }

  /** Merges `upper` over `lower` into `out`, which ends where the shorter of them does or its room did. */
  overlay(upper: RunList, lower: RunList, out: RunList): void {
    out.count = this.kernels.overlay(upper.address, upper.count, lower.address, lower.count, out.address);
  }

  /** Claims the data of a list in the seen map; returns every conflict. */
  claimRuns(list: RunList): DamageRecord[] {
    const conflicts: DamageRecord[] = [];
    for (let at = 0; at < list.count; at += DAMAGE_RECORDS) {
      this.kernels.seenRuns(list.address + at * RECORD_BYTES, Math.min(DAMAGE_RECORDS, list.count - at));
      conflicts.push(...this.takeDamage());
    }
    return conflicts;
  }

  /** Takes what the kernels put on the damage list: at most one record an entry of the largest table. */
  takeDamage(): DamageRecord[] {
    const count = this.kernels.damageCount();
    if (count === 0) return [];
    const records: DamageRecord[] = [];
    const kept = Math.min(count, DAMAGE_RECORDS);
    for (let i = 0; i < kept; i++) {
      const at = i * RECORD_WORDS;
      records.push({
        kind: this.damageWords[at]!,
        entry: this.damageWords[at + 1]!,
        value: this.damageWords[at + 2]!,
        lengthSectors: this.damageWords[at + 3]!,
      });
    }
    this.kernels.clearDamage();
    return records;
  }

  /** Windows are cut so that lists always fit; a list that does not is a bug. */
  private fits(count: number): number {
    if (count < 0) throw new Error("a run list overflowed its region");
    return count;
  }
}
