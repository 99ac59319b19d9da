/**
 * Packed grains on the way past.
 *
 * This module is browser compatible.
 */
import type { Inflater } from "../inflate.ts";
import { packedBytesOf, prefixBytesOf, unpackGrain } from "../formats/vmdk/stream_optimized.ts";
import { type ForwardInput, PIPE_NAME } from "./input.ts";
import type { Loose } from "./passage.ts";
import type { ForwardSink } from "./sink.ts";

export interface PackedShape {
  readonly grainSectors: number;
  readonly capacitySectors: number;
  /** False: a grain starts with its size alone. */
  readonly markers: boolean;
  readonly inflate: Inflater;
}

/** Unpacks grains and hands them to the sink. */
export class PackedGrains {
  constructor(
    private readonly shape: PackedShape,
    private readonly out: { sink: ForwardSink; loose: Loose },
  ) {}

  /** Takes the grain at which the input stands, and passes it. */
  async take(input: ForwardInput, sector: number): Promise<void> {
    const at = this.at(sector, input.position);
    const prefixBytes = prefixBytesOf(at.markers);
    if (!await input.require(prefixBytes)) throw input.truncated(`the grain of sector ${sector}`);
    const packedBytes = packedBytesOf(input.bytes(prefixBytes), at);
    if (!await input.require(prefixBytes + packedBytes)) {
      throw input.truncated(`the end of the grain of sector ${sector}`);
    }
    await this.hand(sector, input.bytes(packedBytes, prefixBytes), input.position);
    await input.advancePadded(prefixBytes + packedBytes);
  }

  /**
   * Takes a grain that has passed.
   *
   * @returns bytes that it takes in the file.
   */
  async takeKept(
    read: (offsetBytes: number, lengthBytes: number) => Promise<Uint8Array>,
    sector: number,
    offsetBytes: number,
  ): Promise<number> {
    const at = this.at(sector, offsetBytes);
    const prefixBytes = prefixBytesOf(at.markers);
    const packedBytes = packedBytesOf(await read(offsetBytes, prefixBytes), at);
    await this.hand(sector, await read(offsetBytes + prefixBytes, packedBytes), offsetBytes);
    return prefixBytes + packedBytes;
  }

  private async hand(sector: number, packed: Uint8Array, offsetBytes: number): Promise<void> {
    const { grainSectors, capacitySectors } = this.shape;
    const needed = Math.min(grainSectors, capacitySectors - sector);
    const unpacked = unpackGrain(packed, { ...this.at(sector, offsetBytes), needed });
    const { bytes, bufferSector } = await this.out.loose.take(needed);
    bytes.set(unpacked.subarray(0, bytes.length));
    this.out.sink.data(sector, needed, bufferSector);
  }

  private at(sector: number, offsetBytes: number) {
    return { ...this.shape, path: PIPE_NAME, sector, offsetBytes };
  }
}
