/** A file that `regrain inspect` serves, read by ranges; another version of it is refused by its ETag. */
import { RegrainError } from "../../../core-as/host/mod.ts";
import { type Life, SlowSource, vanishedError } from "./slow_source.ts";

export class RangeSource extends SlowSource {
  private etag: string | undefined;

  constructor(
    private readonly served: { readonly name: string; readonly url: string; readonly sizeBytes: number },
    life: Life,
  ) {
    super(served.name, served.sizeBytes, life);
  }

  protected override async fetch(from: number, to: number): Promise<Uint8Array> {
    const { path } = this;
    const response = await this.request(from, to);
    if (response.status === 412) throw vanishedError(path, from, undefined);
    if (response.status !== 206) {
      await response.body?.cancel();
      const message = `the server answered ${response.status} ${response.statusText}`.trim();
      throw new RegrainError("READ_FAILED", message, { path, offsetBytes: from });
    }
    this.etag ??= response.headers.get("ETag") ?? undefined;
    return new Uint8Array(await response.arrayBuffer());
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
