/** A target that counts what each call asks of it, over another target or over nothing at all. */
import assert from "node:assert/strict";
import {
  type Batch,
  MOST_BYTES_A_CALL,
  ONE_AT_A_TIME,
  type Target,
  type TargetMedium,
} from "../../core-as/host/mod.ts";

/** A call of the target, or a place where the work could have been stopped. */
export type RecordedCall =
  | { readonly kind: "read" | "write" | "zero"; readonly lengthBytes: number }
  | { readonly kind: "safe point" };

export class RecordingTarget implements Target {
  readonly path = "recorded";
  readonly medium: TargetMedium;
  readonly sizeBytes: number;
  readonly calls: RecordedCall[] = [];
  private readonly inner: Target | undefined;

  /** @param inner The target below, or the size of one that keeps nothing. */
  constructor(inner: Target | number) {
    this.inner = typeof inner === "number" ? undefined : inner;
    this.sizeBytes = typeof inner === "number" ? inner : inner.sizeBytes;
    this.medium = this.inner?.medium ?? { ...ONE_AT_A_TIME, granularityBytes: 4096, holesAreFree: true };
  }

  /** To be called where the work may be stopped; it goes on. */
  safePoint(): undefined {
    this.calls.push({ kind: "safe point" });
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    this.calls.push({ kind: "read", lengthBytes: batch.totalBytes });
    await this.inner?.read(batch, buffer);
  }

  async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    if (batch.count > 0) this.calls.push({ kind: "write", lengthBytes: batch.totalBytes });
    await this.inner?.write(batch, buffer);
  }

  async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    this.calls.push({ kind: "zero", lengthBytes: stretch.lengthBytes });
    await this.inner?.zero(stretch);
  }

  async flush(): Promise<void> {
    await this.inner?.flush();
  }

  close(): void {
    this.inner?.close();
  }

  /** Bytes that calls of one kind asked for. */
  totalBytes(kind: "read" | "write" | "zero"): number {
    return this.calls.reduce((sum, call) => call.kind === kind ? sum + call.lengthBytes : sum, 0);
  }

  /** Asserts that no call was larger than one may be, and that the work could be stopped before each. */
  assertStoppable(): void {
    let isSafe = false;
    for (const call of this.calls) {
      if (call.kind !== "safe point") {
        assert.ok(call.lengthBytes <= MOST_BYTES_A_CALL, `one ${call.kind} of ${call.lengthBytes} bytes`);
        assert.ok(isSafe, `a ${call.kind} of ${call.lengthBytes} bytes follows another call at once`);
      }
      isSafe = call.kind === "safe point";
    }
  }
}
