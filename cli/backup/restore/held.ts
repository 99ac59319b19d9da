/** What a target holds already of a disk that is restored onto it. */
import { Buffer } from "node:buffer";
import { Batch, type Stretch, type Target } from "../../../core-as/host/mod.ts";
import type { ChunkEntry } from "../../../core-as/host/repo/mod.ts";
import type { Gate } from "../../lanes/gate.ts";
import { BufferPool } from "../../lanes/in_flight.ts";
import type { Lanes } from "../lanes.ts";

export class Held {
  private readonly pool: BufferPool;
  private readonly zeros: Uint8Array<ArrayBuffer>;

  /** @param means `calls`: bounds what is under way at the target. */
  constructor(
    private readonly target: Target,
    private readonly means: { lanes: Lanes; calls: Gate; chunkBytes: number; inFlight: number },
  ) {
    const { lanes, chunkBytes, inFlight } = means;
    this.pool = new BufferPool(chunkBytes, Math.max(lanes.count + 1, inFlight));
    this.zeros = new Uint8Array(chunkBytes);
  }

  /** Whether it has a chunk there, by its hash. */
  async isThere(entry: ChunkEntry, at: Stretch): Promise<boolean> {
    let buffer = await this.pool.take();
    try {
      const plain = buffer.subarray(0, at.lengthBytes);
      await this.read(plain, at.offsetBytes);
      const chunk = await this.means.lanes.identify(plain);
      buffer = await chunk.release();
      return chunk.id === entry.id;
    } finally {
      // A buffer that was lost to an error must not be waited for.
      this.pool.give(buffer.length > 0 ? buffer : new Uint8Array(this.means.chunkBytes));
    }
  }

  async isZero({ offsetBytes, lengthBytes }: Stretch): Promise<boolean> {
    const runs = await this.target.runs?.(offsetBytes, offsetBytes + lengthBytes);
    if (runs?.every(({ kind }) => kind !== "data")) return true;
    return await this.holds(this.zeros.subarray(0, lengthBytes), offsetBytes);
  }

  /** Whether it has just these bytes there. */
  async holds(plain: Uint8Array<ArrayBuffer>, offsetBytes: number): Promise<boolean> {
    const buffer = await this.pool.take();
    try {
      const found = buffer.subarray(0, plain.length);
      await this.read(found, offsetBytes);
      return Buffer.compare(found, plain) === 0;
    } finally {
      this.pool.give(buffer);
    }
  }

  async read(plain: Uint8Array<ArrayBuffer>, offsetBytes: number): Promise<void> {
    const batch = new Batch();
    batch.add({ offsetBytes, lengthBytes: plain.length, at: 0 });
    await this.means.calls.run(async () => await this.target.read(batch, plain));
  }
}
