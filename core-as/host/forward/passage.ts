/**
 * The way through a file that passes by: from one expected piece to the next, what lies between handed to whoever may
 * need it later, and data handed to the sink from where it stands in the window.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { MIB, SECTOR_SIZE } from "../units.ts";
import type { Core } from "../wasm.ts";
import { type ForwardInput, PIPE_NAME } from "./input.ts";
import type { StretchQueue } from "./queue.ts";
import { CUT_SECTORS, type ForwardSink } from "./sink.ts";

/** Part of the kernels' buffer that is kept for data that does not stand in the window: unpacked, or kept before. */
export const LOOSE_BYTES = MIB;

/** Data on its way to the sink that does not stand in the window. */
export class Loose {
  private readonly first: number;
  private readonly room: number;
  private used = 0;

  constructor(private readonly core: Core, private readonly sink: ForwardSink) {
    this.first = (core.buffer.length - LOOSE_BYTES) / SECTOR_SIZE;
    this.room = LOOSE_BYTES / SECTOR_SIZE;
  }

  /** Largest piece that `take` can give. */
  get roomSectors(): number {
    return this.room;
  }

  /** Room for a piece: its bytes, and its sector in the buffer. */
  async take(lengthSectors: number): Promise<{ bytes: Uint8Array; bufferSector: number }> {
    if (this.used + lengthSectors > this.room) {
      await this.sink.flush();
      this.used = 0;
    }
    const bufferSector = this.first + this.used;
    this.used += lengthSectors;
    const from = bufferSector * SECTOR_SIZE;
    return { bytes: this.core.buffer.subarray(from, from + lengthSectors * SECTOR_SIZE), bufferSector };
  }
}

/** What a format does on the way. */
export interface Steps {
  /** Something that nobody expects (yet) is about to pass. */
  gap(lengthSectors: number): Promise<void>;
  /** The input stands at an expected grain table; the step passes it. */
  table(index: number): Promise<void>;
  /** The input stands at a packed grain; the step passes it. Absent: grains are plain. */
  readonly packed?: ((startSector: number) => Promise<void>) | undefined;
}

export class Passage {
  /** @param queue What is waited for; empty yet. */
  constructor(
    private readonly input: ForwardInput,
    private readonly sink: ForwardSink,
    private readonly grainSectors: number,
    readonly queue: StretchQueue,
  ) {}

  /** Passes everything that is expected, and what becomes so on the way. */
  async run(steps: Steps): Promise<void> {
    const { input, queue } = this;
    while (queue.hasNext) {
      const here = input.sector;
      if (queue.place > here) await this.pass(queue.place - here, steps);
      else if (queue.place < here) throw sharedPiece(queue);
      else if (queue.target < 0) await steps.table(-1 - queue.target);
      else if (steps.packed) await this.packed(steps.packed);
      else {
        const length = this.grains();
        if (length === 0) await this.moreGrains();
        else await queue.consume(length);
      }
    }
  }

  /** Passes sectors that nobody expects. */
  async pass(lengthSectors: number, steps: Pick<Steps, "gap">): Promise<void> {
    const { input } = this;
    for (let left = lengthSectors; left > 0;) {
      if (!await input.require(SECTOR_SIZE)) throw this.truncated();
      const length = Math.min(left, input.availableSectors);
      await steps.gap(length);
      input.advance(length * SECTOR_SIZE);
      left -= length;
    }
  }

  /** Hands over as much of the next run as stands in the window; 0 sectors when that is too little. */
  private grains(): number {
    const { input, queue } = this;
    let length = Math.min(queue.length, input.availableSectors);
    if (length < queue.length && !input.ended) {
      length -= Math.min(length, (queue.target + length) % CUT_SECTORS);
    }
    if (length === 0) return 0;
    this.sink.data(queue.target, length, input.at / SECTOR_SIZE);
    input.advance(length * SECTOR_SIZE);
    return length;
  }

  private async moreGrains(): Promise<void> {
    const neededBytes = (this.input.availableSectors + 1) * SECTOR_SIZE;
    if (!await this.input.require(neededBytes)) throw this.truncated();
  }

  /** The next grain of a run stands a whole grain further on, however small this one is packed. */
  private async packed(step: NonNullable<Steps["packed"]>): Promise<void> {
    const { queue } = this;
    await step(queue.target);
    await queue.consume(Math.min(queue.length, this.grainSectors));
  }

  private truncated(): RegrainError {
    // Before the first table nothing is waited for by its place.
    if (!this.queue.hasNext) return this.input.truncated("the tables that its header names");
    const { place, length, target } = this.queue;
    const end = (place + length) * SECTOR_SIZE;
    return this.input.truncated(
      target < 0
        ? `the grain table at byte ${place * SECTOR_SIZE}`
        : `data of sector ${target}, which its table places at byte ${place * SECTOR_SIZE} to ${end}`,
    );
  }
}

function sharedPiece(queue: StretchQueue): RegrainError {
  const what = queue.target < 0 ? `grain table ${-1 - queue.target}` : `the grain of sector ${queue.target}`;
  return new RegrainError("DAMAGED", `${what} overlaps something else in the file`, {
    path: PIPE_NAME,
    offsetBytes: queue.place * SECTOR_SIZE,
  });
}
