/** A dropped file as a source: read by slices, never whole. */
import { type Batch, RegrainError, type Source } from "../../core-as/host/mod.ts";
import { readMerged } from "./merged_reads.ts";

/** Ends every read of what was opened together, when something else is opened. */
export interface Life {
  ended: boolean;
}

/** The error of reading what was closed; nobody waits for it any more. */
export function closedError(path: string): RegrainError {
  return new RegrainError("READ_FAILED", "the file was closed", { path });
}

/** What becomes of a file that is no longer what was dropped. */
export function vanishedError(path: string, offsetBytes: number, cause: unknown): RegrainError {
  return new RegrainError("READ_FAILED", "the file changed or vanished while it was open", {
    path,
    offsetBytes,
    hint: "open it again; a folder cannot be opened, only the files in it",
    cause,
  });
}

export class BlobSource implements Source {
  readonly sizeBytes: number;

  constructor(readonly path: string, private readonly blob: Blob, private readonly life: Life) {
    this.sizeBytes = blob.size;
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    await readMerged(batch, buffer, (from, to) => this.slice(from, to));
  }

  close(): void {
    // A blob is no descriptor: there is nothing to give back.
  }

  private async slice(from: number, to: number): Promise<Uint8Array> {
    const { path } = this;
    if (this.life.ended) throw closedError(path);
    if (to > this.sizeBytes) {
      throw new RegrainError("READ_SHORT", `the file ends at byte ${this.sizeBytes}`, {
        path,
        offsetBytes: to,
      });
    }
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await this.blob.slice(from, to).arrayBuffer());
    } catch (error) {
      throw vanishedError(path, from, error);
    }
    if (bytes.length !== to - from) throw vanishedError(path, from, undefined);
    return bytes;
  }
}
