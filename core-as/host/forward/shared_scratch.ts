/**
 * One room for bytes, used by several that each count their own bytes from 0.
 *
 * This module is browser compatible.
 */
import type { Scratch } from "./kept.ts";

/** A stretch of a part's bytes, and where it is in the room. */
interface Segment {
  readonly from: number;
  readonly at: number;
}

export class SharedScratch {
  private sizeBytes = 0;

  constructor(private readonly scratch: Scratch) {}

  /** A part of the room that knows nothing of the others. */
  part(): Scratch {
    const segments: Segment[] = [];
    let partBytes = 0;
    const append = async (bytes: Uint8Array) => {
      await this.scratch.append(bytes);
      const last = segments.at(-1);
      const isNext = last !== undefined && last.at + partBytes - last.from === this.sizeBytes;
      if (!isNext) segments.push({ from: partBytes, at: this.sizeBytes });
      this.sizeBytes += bytes.length;
      partBytes += bytes.length;
    };
    const read = async (offsetBytes: number, into: Uint8Array) => {
      for (let done = 0; done < into.length;) {
        const index = segments.findLastIndex(({ from }) => from <= offsetBytes + done);
        const { from, at } = segments[index]!;
        const end = segments[index + 1]?.from ?? partBytes;
        const length = Math.min(into.length - done, end - offsetBytes - done);
        if (length <= 0) throw new Error("that was never kept");
        await this.scratch.read(at + offsetBytes + done - from, into.subarray(done, done + length));
        done += length;
      }
    };
    return { append, read };
  }
}
