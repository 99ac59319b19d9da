/** A dropped file as a source: read by slices, never whole. */
import { type Life, SlowSource, vanishedError } from "./slow_source.ts";

export class BlobSource extends SlowSource {
  constructor(path: string, private readonly blob: Blob, life: Life) {
    super(path, blob.size, life);
  }

  protected override async fetch(from: number, to: number): Promise<Uint8Array> {
    try {
      return new Uint8Array(await this.blob.slice(from, to).arrayBuffer());
    } catch (error) {
      throw vanishedError(this.path, from, error);
    }
  }
}
