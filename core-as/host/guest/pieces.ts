/**
 * Pieces of a source, read together and kept. A read costs about a millisecond in the browser whatever its size is,
 * so what looks at a disk asks for all it may need at once, and finds it here.
 *
 * This module is browser compatible.
 */
import { Batch, type Source, type Stretch } from "../source.ts";

export type { Stretch } from "../source.ts";

export class Pieces {
  private readonly held: { readonly offsetBytes: number; readonly bytes: Uint8Array }[] = [];

  constructor(readonly source: Source) {}

  /**
   * Reads stretches, cut at the end of the source, in one batch. What is held already is not read again.
   *
   * @throws {RegrainError} what reading the source may.
   */
  async load(stretches: readonly Stretch[]): Promise<void> {
    const batch = new Batch();
    const missing: { offsetBytes: number; at: number; end: number }[] = [];
    for (const { offsetBytes, lengthBytes: wantedBytes } of stretches) {
      const lengthBytes = Math.min(wantedBytes, this.source.sizeBytes - offsetBytes);
      if (offsetBytes < 0 || lengthBytes <= 0 || this.at({ offsetBytes, lengthBytes })) continue;
      const at = batch.totalBytes;
      batch.add({ offsetBytes, lengthBytes, at });
      missing.push({ offsetBytes, at, end: at + lengthBytes });
    }
    if (batch.count === 0) return;
    const buffer = new Uint8Array(batch.totalBytes);
    await this.source.read(batch, buffer);
    for (const { offsetBytes, at, end } of missing) {
      this.held.push({ offsetBytes, bytes: buffer.subarray(at, end) });
    }
  }

  /** A stretch that was loaded; undefined when it was not, or ends behind the source. */
  at({ offsetBytes, lengthBytes }: Stretch): Uint8Array | undefined {
    for (const held of this.held) {
      const from = offsetBytes - held.offsetBytes;
      if (from >= 0 && from + lengthBytes <= held.bytes.length) {
        return held.bytes.subarray(from, from + lengthBytes);
      }
    }
    return undefined;
  }

  /** Loads one stretch; undefined when the source ends inside it. */
  async get(stretch: Stretch): Promise<Uint8Array | undefined> {
    await this.load([stretch]);
    return this.at(stretch);
  }
}
