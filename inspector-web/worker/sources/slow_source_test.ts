/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { Batch, MIB, RegrainError } from "../../../core-as/host/mod.ts";
import { type Life, SlowSource } from "./slow_source.ts";

const STEP_BYTES = 64 * 1024;

/** Bytes whose value tells where they stand. */
class Counted extends SlowSource {
  readonly fetched: [number, number][] = [];
  fails = false;

  constructor(sizeBytes: number, life: Life = { ended: false }) {
    super("counted", sizeBytes, life);
  }

  protected override fetch(from: number, to: number): Promise<Uint8Array> {
    this.fetched.push([from, to]);
    if (this.fails) return Promise.reject(new RegrainError("READ_FAILED", "it is gone", { path: this.path }));
    return Promise.resolve(Uint8Array.from({ length: to - from }, (_, i) => byteAt(from + i)));
  }
}

function byteAt(offset: number): number {
  return (offset * 31 + Math.floor(offset / 251)) & 255;
}

async function readAt(source: SlowSource, offsetBytes: number, lengthBytes: number): Promise<void> {
  const batch = new Batch();
  batch.add({ offsetBytes, lengthBytes, at: 0 });
  const buffer = new Uint8Array(lengthBytes);
  await source.read(batch, buffer);
  for (const at of [0, 1, lengthBytes >> 1, lengthBytes - 1]) {
    assert.equal(buffer[at], byteAt(offsetBytes + at), `byte ${offsetBytes + at}`);
  }
}

Deno.test("reads in sequence become few and long, and give the same bytes", async () => {
  const size = 8 * MIB + 100;
  const source = new Counted(size);
  for (let from = 0; from < size; from += STEP_BYTES) {
    await readAt(source, from, Math.min(STEP_BYTES, size - from));
  }
  assert.ok(source.fetched.length < 10, `${source.fetched.length} reads`);
  assert.ok(source.fetched.every(([, to]) => to <= size));
});

Deno.test("reads here and there fetch what was asked for and no more", async () => {
  const source = new Counted(4 * MIB);
  const places = [3 * MIB, 0, 2 * MIB, 1 * MIB];
  for (const from of places) await readAt(source, from, 512);
  assert.deepEqual(source.fetched, places.map((from) => [from, from + 512]));
});

Deno.test("what was read ahead is limited for all files of an opening together", async () => {
  const life: Life = { ended: false };
  const sources = Array.from({ length: 12 }, () => new Counted(32 * MIB, life));
  for (const source of sources) {
    for (let step = 0; step < 8; step++) await readAt(source, step * STEP_BYTES, STEP_BYTES);
    assert.ok(life.aheadBytes! <= 64 * MIB, `${life.aheadBytes} bytes`);
  }
  for (const source of sources) source.close();
  assert.equal(life.aheadBytes, 0);
});

Deno.test("a read ahead that fails fails who asks for its bytes, and nobody else", async () => {
  const source = new Counted(16 * MIB);
  await readAt(source, 0, STEP_BYTES);
  await readAt(source, STEP_BYTES, STEP_BYTES);
  source.fails = true;
  await readAt(source, 2 * STEP_BYTES, STEP_BYTES);
  await assert.rejects(async () => {
    for (let step = 3; step < 200; step++) await readAt(source, step * STEP_BYTES, STEP_BYTES);
  }, /it is gone/);
  source.fails = false;
  await readAt(source, 9 * MIB, STEP_BYTES);
});
