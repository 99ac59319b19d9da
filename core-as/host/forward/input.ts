/**
 * The bytes of a file that passes by once: a window over them that moves forward.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import type { Batch, MaybePromise, Source } from "../source.ts";
import { GIB, MIB, roundUp, SECTOR_SIZE } from "../units.ts";
import { StrayDisk } from "./stray_disk.ts";

/** Reads the next bytes into `into`, as many as there are at the moment; 0 at the end. */
export type ReadNext = (into: Uint8Array) => MaybePromise<number>;

/** How messages name what comes through a pipe. */
export const PIPE_NAME = "stdin";

/**
 * What the size of a file is taken to be while it is not known: twice the largest disk. Checks against the end of
 * the file then find nothing; what they would have found shows when the pipe ends.
 */
export const UNKNOWN_SIZE_BYTES = 2 ** 47;

/** A file may go on behind the last byte that means anything; this much of it is passed, then it is left. */
export const MAX_SLACK_BYTES = GIB;

/**
 * Bytes read before they are looked at. Whoever sends has as much time to fill the pipe again as these take to be
 * written: half of what a pipe can hold is best, and it stays in the processor's cache.
 */
const FILL_BYTES = MIB / 2;

export interface InputParts {
  /** Memory for the window; at least as long as the longest piece that anybody asks for. */
  readonly window: Uint8Array;
  readonly read: ReadNext;
  /** Called before bytes of the window move: whoever still points to them must be done with them. */
  readonly beforeMove: () => MaybePromise<void>;
  /** Bytes read before they are looked at, {@link FILL_BYTES} by default; with 1, every end of a read shows. */
  readonly fillBytes?: number;
}

export class ForwardInput {
  /** Bytes of the file in front of the window. */
  position = 0;
  /** True when the window holds the last bytes of the file. */
  ended = false;
  /** Looks for another disk in what is drained. */
  readonly stray = new StrayDisk();
  private from = 0;
  private to = 0;

  constructor(private readonly parts: InputParts) {}

  /** Where the next byte stands in the window. */
  get at(): number {
    return this.from;
  }
  /** Bytes that can be looked at. */
  get availableBytes(): number {
    return this.to - this.from;
  }
  /** Whole sectors that can be looked at. */
  get availableSectors(): number {
    return Math.floor((this.to - this.from) / SECTOR_SIZE);
  }
  /** Sector of the file that comes next; the position is always that of a sector. */
  get sector(): number {
    return this.position / SECTOR_SIZE;
  }
  /** Bytes of the whole file, once it has ended. */
  get sizeBytes(): number | undefined {
    return this.ended ? this.position + this.availableBytes : undefined;
  }
  /** Bytes that the window can hold. */
  get roomBytes(): number {
    return this.parts.window.length;
  }

  /** The next bytes, without copying: valid until the next call that reads. */
  bytes(lengthBytes: number, skipBytes = 0): Uint8Array {
    const from = this.from + skipBytes;
    return this.parts.window.subarray(from, from + lengthBytes);
  }

  view(): DataView {
    const { buffer, byteOffset } = this.parts.window;
    return new DataView(buffer, byteOffset + this.from, this.availableBytes);
  }

  /** Makes sure that as many bytes can be looked at; false when the file ends before. */
  async require(lengthBytes: number): Promise<boolean> {
    if (this.availableBytes >= lengthBytes) return true;
    if (lengthBytes > this.roomBytes) throw new Error(`a piece of ${lengthBytes} bytes exceeds the window`);
    await this.fill(lengthBytes);
    return this.availableBytes >= lengthBytes;
  }

  /** Fills the window: of a small file everything is then known before anything is written. */
  async fillFront(): Promise<void> {
    await this.fill(this.parts.fillBytes ?? this.roomBytes);
  }

  /** Reads something, until a good part of the window is full, more if so much is asked for, or the file ends. */
  async fill(lengthBytes = 0): Promise<void> {
    if (this.ended) return;
    const { window, read, beforeMove } = this.parts;
    if (this.from > 0) {
      await beforeMove();
      window.copyWithin(0, this.from, this.to);
      this.to -= this.from;
      this.from = 0;
    }
    const goal = Math.min(window.length, Math.max(lengthBytes, this.parts.fillBytes ?? FILL_BYTES));
    if (this.to === window.length) return;
    do {
      const answer = read(window.subarray(this.to));
      const got = typeof answer === "number" ? answer : await answer;
      this.ended = got === 0;
      this.to += got;
    } while (this.to < goal && !this.ended);
  }

  /**
   * Passes bytes that can be looked at.
   *
   * The position must stay that of a sector until the file ends: use {@link advancePadded} for a piece that ends
   * anywhere else.
   */
  advance(lengthBytes: number): void {
    if (lengthBytes > this.availableBytes) throw new Error(`${lengthBytes} bytes cannot be passed yet`);
    this.from += lengthBytes;
    this.position += lengthBytes;
  }

  /** Passes a piece and the rest of its last sector. Only the last piece of a file may lack that rest. */
  async advancePadded(lengthBytes: number): Promise<void> {
    const paddedBytes = roundUp(lengthBytes, SECTOR_SIZE);
    this.advance(await this.require(paddedBytes) ? paddedBytes : this.availableBytes);
  }

  /**
   * Passes everything up to the end of the file, but for its last bytes, and looks for another disk in it.
   *
   * @param limitBytes Where to give up waiting for the end.
   * @param keepBytes At least a sector, until the file has ended.
   * @returns bytes passed.
   */
  async drain(limitBytes: number, keepBytes: number): Promise<number> {
    const from = this.position;
    for (;;) {
      this.stray.look(this.bytes(this.availableBytes), this.position);
      const length = this.availableBytes - keepBytes;
      if (length > 0) this.advance(length - length % SECTOR_SIZE);
      if (this.ended || this.position - from > limitBytes) return this.position - from;
      await this.fill();
    }
  }

  /** The error of a file that ends too soon. */
  truncated(missing: string): RegrainError {
    const offsetBytes = this.sizeBytes ?? this.position;
    return new RegrainError("TRUNCATED", `the pipe ended before ${missing}`, {
      path: PIPE_NAME,
      offsetBytes,
    });
  }
}

/**
 * The first bytes of an input as a source, for the readers of headers.
 *
 * Its size is that of no file, even where the end is in the window already: what reaches beyond the end is to be
 * found in the same way however long the file is, when the end is met.
 */
export class FrontSource implements Source {
  readonly path = PIPE_NAME;
  readonly sizeBytes = UNKNOWN_SIZE_BYTES;

  constructor(private readonly input: ForwardInput) {
    if (input.position !== 0) throw new Error("the front of the file has passed");
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      const offsetBytes = batch.offsetBytes[i]!;
      const lengthBytes = batch.lengthBytes[i]!;
      const end = offsetBytes + lengthBytes;
      const isThere = end <= this.input.roomBytes && await this.input.require(end);
      if (!isThere) throw this.tooFar(offsetBytes, lengthBytes);
      buffer.set(this.input.bytes(lengthBytes, offsetBytes), batch.at[i]!);
    }
  }

  close(): void {
    // The window belongs to the input.
  }

  private tooFar(offsetBytes: number, lengthBytes: number): RegrainError {
    if (this.input.ended) return this.input.truncated(`the ${lengthBytes} bytes at byte ${offsetBytes}`);
    const message =
      `the header needs ${lengthBytes} bytes from far behind it before anything else can be read`;
    return new RegrainError("UNSUPPORTED", message, {
      path: this.path,
      offsetBytes,
      hint: "copy the file here and apply it by its name",
    });
  }
}
