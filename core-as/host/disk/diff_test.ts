/** Comparing two buffers, against byte by byte. */
import assert from "node:assert/strict";
import { core } from "../../../test/helpers/memory.ts";
import { check, fc } from "../../../test/helpers/property.ts";
import { diffHalves, type Span } from "./diff.ts";

const HALF = core.buffer.length / 2;

function put(length: number, changed: readonly number[]): void {
  for (let i = 0; i < length; i++) core.buffer[i] = (i * 7 + 3) & 0xff;
  core.buffer.copyWithin(HALF, 0, length);
  for (const at of changed) core.buffer[HALF + at]! ^= 0x10;
  // What stands behind differs and must not count.
  core.buffer[length] = 1;
  core.buffer[HALF + length] = 2;
}

function spansModel(length: number, block: number, changed: readonly number[]): Span[] {
  const spans: Span[] = [];
  for (let start = 0; start < length; start += block) {
    const size = Math.min(block, length - start);
    if (!changed.some((at) => at >= start && at < start + size)) continue;
    const last = spans.at(-1);
    if (last && last.start + last.length === start) {
      spans[spans.length - 1] = { ...last, length: last.length + size };
    } else spans.push({ start, length: size });
  }
  return spans;
}

Deno.test("equal buffers have no spans and no differing byte", () => {
  put(10_000, []);
  assert.deepEqual(diffHalves(core, 10_000, 512), []);
  assert.equal(core.kernels.diffCount(core.bufferAddress, core.bufferAddress + HALF, 10_000), 0);
});

Deno.test("neighbouring blocks become one span, the last may be shorter", () => {
  put(1000, [0, 511, 512, 999]);
  assert.deepEqual(diffHalves(core, 1000, 512), [{ start: 0, length: 1000 }]);
  put(1300, [3, 1299]);
  assert.deepEqual(diffHalves(core, 1300, 512), [{ start: 0, length: 512 }, { start: 1024, length: 276 }]);
});

Deno.test("a comparison beyond half of the buffer, or of more blocks than fit, is refused", () => {
  assert.throws(() => diffHalves(core, HALF + 1, 512), /half of the buffer/);
  assert.throws(() => diffHalves(core, HALF, 0), /half of the buffer/);
  assert.throws(() => diffHalves(core, HALF, 1), /room/);
});

Deno.test("any two buffers differ as byte by byte", () => {
  const cases = fc.record({
    length: fc.integer({ min: 1, max: 3000 }),
    block: fc.constantFrom(1, 7, 16, 33, 512, 4096),
    places: fc.array(fc.nat(), { maxLength: 8 }),
  });
  check(
    fc.property(cases, ({ length, block, places }) => {
      const changed = [...new Set(places.map((place) => place % length))];
      put(length, changed);
      assert.deepEqual(diffHalves(core, length, block), spansModel(length, block, changed));
      const counted = core.kernels.diffCount(core.bufferAddress, core.bufferAddress + HALF, length);
      assert.equal(counted, changed.length);
    }),
    { runs: 500 },
  );
});
