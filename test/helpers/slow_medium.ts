/**
 * Media with latency, over bytes in memory. Time is virtual: it moves when nothing else has anything to do, so what a
 * test finds does not depend on the machine.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import {
  type Batch,
  type Medium,
  MIB,
  type Source,
  type Target,
  type TargetMedium,
} from "../../core-as/host/mod.ts";
import { MemoryTarget } from "./memory_target.ts";

/** What a call costs at a medium far away. */
export const SLOW_MS = 20;

/** A clock that moves to the next one who waits, whenever all that can run without it has run. */
export class VirtualTime {
  nowMs = 0;
  private readonly waiting: { dueMs: number; wake: () => void }[] = [];
  private isTurning = false;

  sleep(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.waiting.push({ dueMs: this.nowMs + delayMs, wake: resolve });
    this.turn();
    return promise;
  }

  private turn(): void {
    if (this.isTurning || this.waiting.length === 0) return;
    this.isTurning = true;
    setImmediate(() => {
      this.isTurning = false;
      this.nowMs = Math.min(...this.waiting.map(({ dueMs }) => dueMs));
      const due = this.waiting.filter(({ dueMs }) => dueMs <= this.nowMs);
      for (const each of due) this.waiting.splice(this.waiting.indexOf(each), 1);
      for (const { wake } of due) wake();
      this.turn();
    });
  }
}

/** A call that a medium was asked for. */
export interface SlowCall {
  readonly kind: "read" | "write" | "zero" | "flush";
  /** Of its first transfer. */
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export interface SlowOptions {
  readonly time?: VirtualTime;
  readonly medium?: Partial<Medium>;
  /** What a call takes; {@link SLOW_MS} unless given. */
  readonly latencyMs?: (call: SlowCall) => number;
  /** Thrown when the time of a call is over, in place of carrying it out. */
  readonly fails?: (call: SlowCall) => Error | undefined;
}

interface UnderWay {
  readonly call: SlowCall;
  readonly stretches: readonly { from: number; to: number }[];
}

/** Counts calls, delays them, and refuses what a caller may not do: too many at once, two at the same bytes. */
export class Latency {
  readonly time: VirtualTime;
  readonly medium: Medium;
  /** The greatest number of calls that were under way at once. */
  mostAtOnce = 0;
  /** The greatest number of bytes that were under way at once. */
  mostBytesAtOnce = 0;
  readonly calls: SlowCall[] = [];
  private readonly underWay = new Set<UnderWay>();

  constructor(private readonly options: SlowOptions = {}) {
    this.time = options.time ?? new VirtualTime();
    this.medium = { preferredBytes: MIB, inFlight: 16, ...options.medium };
  }

  async pass<T>(
    call: SlowCall,
    stretches: readonly { from: number; to: number }[],
    act: () => T,
  ): Promise<T> {
    const mine = { call, stretches };
    for (const other of this.underWay) if (call.kind !== "flush") requireApart(mine, other);
    this.underWay.add(mine);
    this.calls.push(call);
    this.mostAtOnce = Math.max(this.mostAtOnce, this.underWay.size);
    const bytes = [...this.underWay].reduce((sum, each) => sum + each.call.lengthBytes, 0);
    this.mostBytesAtOnce = Math.max(this.mostBytesAtOnce, bytes);
    const { inFlight } = this.medium;
    assert.ok(
      this.underWay.size <= inFlight,
      `${this.underWay.size} calls at a medium that wants ${inFlight}`,
    );
    try {
      await this.time.sleep(this.options.latencyMs?.(call) ?? SLOW_MS);
      const failure = this.options.fails?.(call);
      if (failure) throw failure;
      return act();
    } finally {
      this.underWay.delete(mine);
    }
  }
}

/** Two calls may read the same bytes; where one of them changes something they must be apart. */
function requireApart(a: UnderWay, b: UnderWay): void {
  if (a.call.kind === "read" && b.call.kind === "read") return;
  for (const one of a.stretches) {
    const other = b.stretches.find(({ from, to }) => from < one.to && one.from < to);
    assert.equal(other, undefined, `a ${a.call.kind} of bytes that a ${b.call.kind} is under way for`);
  }
}

function callOf(kind: "read" | "write", batch: Batch): SlowCall {
  return { kind, offsetBytes: batch.offsetBytes[0] ?? 0, lengthBytes: batch.totalBytes };
}

function stretchesOf(batch: Batch): { from: number; to: number }[] {
  return Array.from({ length: batch.count }, (_, i) => {
    return { from: batch.offsetBytes[i]!, to: batch.offsetBytes[i]! + batch.lengthBytes[i]! };
  });
}

/** A source with latency. */
export class SlowSource implements Source {
  readonly latency: Latency;
  readonly runs?: NonNullable<Source["runs"]>;

  constructor(private readonly source: Source, options: SlowOptions = {}) {
    this.latency = new Latency(options);
    if (source.runs) this.runs = (fromBytes, toBytes) => source.runs!(fromBytes, toBytes);
  }

  get path(): string {
    return this.source.path;
  }

  get sizeBytes(): number {
    return this.source.sizeBytes;
  }

  get medium(): Medium {
    return this.latency.medium;
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    if (batch.count === 0) return;
    await this.latency.pass(
      callOf("read", batch),
      stretchesOf(batch),
      () => this.source.read(batch, buffer),
    );
  }

  close(): void {
    this.source.close();
  }
}

/** A target with latency around another one. What is written must stay as it is until the call ends. */
export class SlowTarget<T extends Target = MemoryTarget> implements Target {
  readonly latency: Latency;
  readonly path: string;
  readonly medium: TargetMedium;

  readonly targets: readonly [T];
  readonly runs?: NonNullable<Target["runs"]>;

  constructor(readonly memory: T, options: SlowOptions = {}) {
    this.targets = [memory];
    if (memory.runs) this.runs = (fromBytes, toBytes) => memory.runs!(fromBytes, toBytes);
    this.latency = new Latency(options);
    this.path = memory.path;
    this.medium = { ...memory.medium, ...this.latency.medium };
  }

  get sizeBytes(): number {
    return this.memory.sizeBytes;
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    if (batch.count === 0) return;
    await this.latency.pass(
      callOf("read", batch),
      stretchesOf(batch),
      () => this.memory.read(batch, buffer),
    );
  }

  async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    if (batch.count === 0) return;
    const given = stretchesOf(batch).map((_, i) => {
      return buffer.slice(batch.at[i]!, batch.at[i]! + batch.lengthBytes[i]!);
    });
    await this.latency.pass(callOf("write", batch), stretchesOf(batch), () => {
      assert.equal(batch.count, given.length, "the batch changed while it was under way");
      for (const [i, bytes] of given.entries()) {
        const now = buffer.subarray(batch.at[i]!, batch.at[i]! + bytes.length);
        assert.equal(Buffer.compare(bytes, now), 0, "the buffer changed while it was under way");
      }
      this.memory.write(batch, buffer);
    });
  }

  async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    const { offsetBytes, lengthBytes } = stretch;
    const bytes = [{ from: offsetBytes, to: offsetBytes + lengthBytes }];
    await this.latency.pass(
      { kind: "zero", offsetBytes, lengthBytes: 0 },
      bytes,
      () => this.memory.zero(stretch),
    );
  }

  async flush(): Promise<void> {
    await this.latency.pass({ kind: "flush", offsetBytes: 0, lengthBytes: 0 }, [], () => this.memory.flush());
  }

  close(): void {
    this.memory.close();
  }
}

/** A slow target that holds these bytes, and changes them in place. */
export function slowTarget(bytes: Uint8Array, options: SlowOptions = {}): SlowTarget {
  return new SlowTarget(new MemoryTarget(bytes), options);
}
