/**
 * Grain tables that have come and wait for the directory that says which of them rule: in memory as long as there are
 * few, then where there is room. A table without grains and zeros takes nothing.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { MIB, SECTOR_SIZE } from "../units.ts";
import { PIPE_NAME } from "./input.ts";
import type { Scratch } from "./kept.ts";

const MAX_MEMORY_BYTES = 32 * MIB;

export class WaitingTables {
  /** By the sector of each; a number is where it was put, `undefined` an empty one. */
  private readonly tables = new Map<number, Uint32Array | number | undefined>();
  private memoryBytes = 0;
  private scratchBytes = 0;

  /** @param shape `max`: tables that a stream of this disk can have. */
  constructor(
    private readonly scratch: Scratch,
    private readonly shape: { readonly entriesPerTable: number; readonly max: number },
  ) {}

  async add(sector: number, entries: Uint32Array): Promise<void> {
    if (this.tables.size === this.shape.max) {
      throw new RegrainError(
        "DAMAGED",
        `more than ${this.shape.max} grain tables, twice what the disk needs`,
        {
          path: PIPE_NAME,
          offsetBytes: sector * SECTOR_SIZE,
        },
      );
    }
    if (entries.every((entry) => entry === 0)) {
      this.tables.set(sector, undefined);
      return;
    }
    const lengthBytes = this.shape.entriesPerTable * 4;
    if (this.memoryBytes + lengthBytes <= MAX_MEMORY_BYTES) {
      this.memoryBytes += lengthBytes;
      this.tables.set(sector, entries);
      return;
    }
    await this.scratch.append(new Uint8Array(entries.buffer, entries.byteOffset, lengthBytes));
    this.tables.set(sector, this.scratchBytes);
    this.scratchBytes += lengthBytes;
  }

  /** The table of a sector, `undefined` when none has come there. */
  async get(sector: number): Promise<Uint32Array | undefined> {
    if (!this.tables.has(sector)) return undefined;
    const table = this.tables.get(sector);
    if (table instanceof Uint32Array) return table;
    const entries = new Uint32Array(this.shape.entriesPerTable);
    if (table !== undefined) await this.scratch.read(table, new Uint8Array(entries.buffer));
    return entries;
  }
}
