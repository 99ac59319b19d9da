/** A target in memory that records what is asked of it, so that a test can assert the operations before the bytes. */
import {
  type Batch,
  ONE_AT_A_TIME,
  RegrainError,
  type Source,
  type Target,
  type TargetMedium,
} from "../../core-as/host/mod.ts";
import { memorySource } from "./memory.ts";

/** One call of `zero`, or one transfer of a call of `write`. */
export interface RecordedOperation {
  readonly kind: "write" | "zero";
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** Only of zeros: whether their space was to be given back. */
  readonly punch?: boolean;
}

export class MemoryTarget implements Target {
  readonly path = "target";
  readonly operations: RecordedOperation[] = [];
  flushes = 0;
  readonly isDevice: boolean;
  readonly medium: TargetMedium;
  private readonly source: Source;

  /** @param bytes What it holds; changed in place. */
  constructor(
    readonly bytes: Uint8Array,
    kind: "file" | "device" = "file",
    granularityBytes = 4096,
  ) {
    this.isDevice = kind === "device";
    this.medium = { ...ONE_AT_A_TIME, granularityBytes, holesAreFree: kind === "file" };
    this.source = memorySource(this.path, bytes);
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(batch: Batch, buffer: Uint8Array): void {
    this.source.read(batch, buffer);
  }

  write(batch: Batch, buffer: Uint8Array): void {
    for (let i = 0; i < batch.count; i++) {
      const offsetBytes = batch.offsetBytes[i]!;
      const lengthBytes = batch.lengthBytes[i]!;
      const at = batch.at[i]!;
      if (at + lengthBytes > buffer.length) throw new RangeError("a write beyond its buffer");
      this.requireInside(offsetBytes, lengthBytes);
      this.bytes.set(buffer.subarray(at, at + lengthBytes), offsetBytes);
      this.operations.push({ kind: "write", offsetBytes, lengthBytes });
    }
  }

  zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): void {
    const { offsetBytes, lengthBytes, punch } = stretch;
    this.requireInside(offsetBytes, lengthBytes);
    this.bytes.fill(0, offsetBytes, offsetBytes + lengthBytes);
    this.operations.push({ kind: "zero", offsetBytes, lengthBytes, punch });
  }

  flush(): void {
    this.flushes++;
  }

  close(): void {}

  private requireInside(offsetBytes: number, lengthBytes: number): void {
    if (offsetBytes < 0 || offsetBytes + lengthBytes > this.bytes.length) {
      throw new RegrainError("NO_SPACE", `${lengthBytes} bytes at ${offsetBytes} reach out of the target`, {
        path: this.path,
        offsetBytes,
      });
    }
  }
}
