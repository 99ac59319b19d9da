/**
 * Where the pieces of a file that passes by go to.
 *
 * This module is browser compatible.
 */
import type { MaybePromise } from "../source.ts";

export interface ForwardSink {
  /**
   * Data that stands in the buffer of the kernels. It is written by the next `flush`, and stays where it is until then.
   *
   * @param startSector  First sector of the disk.
   * @param bufferSector First sector in the buffer.
   */
  data(startSector: number, lengthSectors: number, bufferSector: number): void;
  /** Known zeros. */
  zero(startSector: number, lengthSectors: number): MaybePromise<void>;
  /** Nothing here: the target keeps what it has, or takes zeros where nothing can lie below. */
  hole(startSector: number, lengthSectors: number): MaybePromise<void>;
  /** Writes all data handed over so far. */
  flush(): MaybePromise<void>;
}

/**
 * Runs are cut at multiples of this where the window ends: the largest block in which anybody looks for zeros, so
 * that a cut hides none.
 */
export const CUT_SECTORS = 128;
