/** Finding zeros, in buffers and in pieces about to be written. */
import assert from "node:assert/strict";
import { core } from "../../test/helpers/memory.ts";
import { check, fc } from "../../test/helpers/property.ts";
import { mergeRecords, recordsOf, type RunRecord, setRecords } from "../../test/helpers/runs.ts";
import { SECTOR_SIZE } from "./units.ts";
import { ZERO_PLACE } from "./wasm.ts";

const isZero = (at: number, length: number) => core.kernels.isZero(core.bufferAddress + at, length) === 1;

Deno.test("zeros are found at every alignment and length, and nothing beside them is looked at", () => {
  for (let at = 1; at <= 65; at++) {
    for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 300]) {
      core.buffer.fill(0xff, 0, at + length + 70);
      core.buffer.fill(0, at, at + length);
      assert.ok(isZero(at, length), `${length} zeros at ${at}`);
    }
  }
});

Deno.test("one byte that is not zero is found wherever it stands", () => {
  core.buffer.fill(0, 0, 1024);
  for (const at of [0, 1, 7, 16, 33]) {
    for (const length of [1, 16, 64, 65, 200]) {
      for (let byte = 0; byte < length; byte++) {
        core.buffer[at + byte] = 0x80;
        assert.equal(isZero(at, length), false, `byte ${byte} of ${length} at ${at}`);
        core.buffer[at + byte] = 0;
      }
    }
  }
});

function split(pieces: readonly RunRecord[], block: number): RunRecord[] {
  const [from, out] = core.lists;
  setRecords(from, pieces);
  out.count = core.kernels.splitZeros(from.address, from.count, core.bufferAddress, block, out.address);
  return recordsOf(out);
}

/** Block by block of the target; only whole ones can be zeros. */
function splitModel(pieces: readonly RunRecord[], block: number): RunRecord[] {
  const parts: RunRecord[] = [];
  for (const { start, length, place } of mergeRecords(pieces)) {
    for (let at = start; at < start + length;) {
      const stop = Math.min(start + length, (Math.floor(at / block) + 1) * block);
      const from = place + at - start;
      const bytes = core.buffer.subarray(from * SECTOR_SIZE, (from + stop - at) * SECTOR_SIZE);
      const zeros = stop - at === block && bytes.every((byte) => byte === 0);
      parts.push({ start: at, length: stop - at, place: zeros ? ZERO_PLACE : from, owner: 0 });
      at = stop;
    }
  }
  return mergeRecords(parts);
}

/** Marks which sectors of the buffer hold anything. */
function fillSectors(used: readonly boolean[]): void {
  core.buffer.fill(0, 0, used.length * SECTOR_SIZE);
  used.forEach((isUsed, sector) => {
    if (isUsed) core.buffer[sector * SECTOR_SIZE + (sector * 37) % SECTOR_SIZE] = 1;
  });
}

Deno.test("only whole aligned blocks of the target count as zeros", () => {
  fillSectors(new Array(32).fill(false));
  const piece = { start: 5, length: 20, place: 0, owner: 0 };
  assert.deepEqual(split([piece], 8).map(({ start, length, place }) => [start, length, place]), [
    [5, 3, 0],
    [8, 16, ZERO_PLACE],
    [24, 1, 19],
  ]);
});

Deno.test("zeros of neighbouring pieces become one run", () => {
  fillSectors(new Array(32).fill(false));
  const pieces = [{ start: 0, length: 8, place: 0, owner: 0 }, { start: 8, length: 8, place: 8, owner: 0 }];
  assert.deepEqual(split(pieces, 8), [{ start: 0, length: 16, place: ZERO_PLACE, owner: 0 }]);
});

Deno.test("pieces that continue each other make blocks together", () => {
  fillSectors(new Array(32).fill(false));
  const pieces = Array.from({ length: 20 }, (_, i) => ({ start: 4 + i, length: 1, place: i, owner: 0 }));
  assert.deepEqual(split(pieces, 8).map(({ start, length, place }) => [start, length, place]), [
    [4, 4, 0],
    [8, 16, ZERO_PLACE],
  ]);
});

Deno.test("any pieces split as block by block", () => {
  const pieces = fc.array(
    fc.record({ gap: fc.integer({ min: 0, max: 9 }), length: fc.integer({ min: 1, max: 40 }) }),
    { minLength: 1, maxLength: 6 },
  );
  const zeroRuns = fc.array(fc.record({ used: fc.boolean(), length: fc.integer({ min: 1, max: 20 }) }), {
    minLength: 20,
    maxLength: 30,
  });
  check(
    fc.property(pieces, zeroRuns, fc.constantFrom(1, 2, 8, 16), (gaps, stretches, block) => {
      const used = stretches.flatMap(({ used, length }) => new Array<boolean>(length).fill(used));
      let start = 0;
      let place = 0;
      const records = gaps.map(({ gap, length }) => {
        const record = { start: start + gap, length, place, owner: 0 };
        start += gap + length;
        place += length;
        return record;
      });
      fillSectors([...used, ...new Array<boolean>(240).fill(true)].slice(0, 240));
      assert.deepEqual(split(records, block), splitModel(records, block));
    }),
    { runs: 500 },
  );
});
