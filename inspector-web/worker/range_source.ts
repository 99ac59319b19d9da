/** A file that `regrain inspect` serves, read by ranges; another version of it is refused by its ETag. */
import { type Batch, RegrainError, type Source } from "../../core-as/host/mod.ts";
import { closedError, type Life, vanishedError } from "./blob_source.ts";
import { readMerged } from "./merged_reads.ts";

export class RangeSource implements Source {
  readonly path: string;
  readonly sizeBytes: number;
  private etag: string | undefined;

  constructor(
    private readonly served: { readonly name: string; readonly url: string; readonly sizeBytes: number },
    private readonly life: Life,
  ) {
    this.path = served.name;
    this.sizeBytes = served.sizeBytes;
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    await readMerged(batch, buffer, (from, to) => this.range(from, to));
  }

  close(): void {
    // Every read is a request of its own.
  }

  private async range(from: number, to: number): Promise<Uint8Array> {
    const { path } = this;
    if (this.life.ended) throw closedError(path);
    if (to > this.sizeBytes) {
      throw new RegrainError("READ_SHORT", `the file ends at byte ${this.sizeBytes}`, {
        path,
        offsetBytes: to,
      });
    }
    const response = await this.request(from, to);
    if (response.status === 412) throw vanishedError(path, from, undefined);
    if (response.status !== 206) {
      await response.body?.cancel();
      const message = `the server answered ${response.status} ${response.statusText}`.trim();
      throw new RegrainError("READ_FAILED", message, { path, offsetBytes: from });
    }
    this.etag ??= response.headers.get("ETag") ?? undefined;
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length !== to - from) throw vanishedError(path, from, undefined);
    return bytes;
  }

  private async request(from: number, to: number): Promise<Response> {
    const headers: Record<string, string> = { Range: `bytes=${from}-${to - 1}` };
    if (this.etag !== undefined) headers["If-Match"] = this.etag;
    try {
      return await fetch(this.served.url, { headers, cache: "no-store" });
    } catch (cause) {
      throw new RegrainError("READ_FAILED", "the server does not answer: has regrain inspect ended?", {
        path: this.path,
        offsetBytes: from,
        cause,
      });
    }
  }
}
