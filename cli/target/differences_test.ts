/** Sectors that an overwrite changes: found where they are, never where old and new are alike. */
import assert from "node:assert/strict";
import { Batch } from "../../core-as/host/mod.ts";
import { Rng } from "../../fixtures/mod.ts";
import { memorySource } from "../../test/helpers/memory.ts";
import { findDifferences, isEqual } from "./differences.ts";

const SECTORS = 2048;

const NOISE = noise(2 * SECTORS * 512);

function noise(lengthBytes: number): Uint8Array {
  const rng = new Rng(1);
  return new Uint8Array(lengthBytes).map(() => rng.int(256));
}

interface Case {
  readonly stretches: Batch;
  readonly buffer: Uint8Array;
  readonly old: Uint8Array;
  /** Byte of the disk of every sector that changes. */
  readonly changes: ReadonlySet<number>;
}

/** Stretches of data and zeros on a disk that holds the new bytes already, but in some sectors. */
function random(seed: number, oneIn: number): Case {
  const rng = new Rng(seed);
  const old = NOISE.slice(SECTORS * 512);
  const buffer = NOISE.slice(0, SECTORS * 512);
  const stretches = new Batch();
  const changes = new Set<number>();
  for (let sector = 0, at = 0; sector < SECTORS - 64; sector += rng.int(5)) {
    const isZero = rng.int(4) === 0;
    const count = 1 + rng.int(40);
    stretches.add({ offsetBytes: sector * 512, lengthBytes: count * 512, at: isZero ? -1 : at });
    for (let i = 0; i < count; i++, sector++, at += 512) {
      const now = isZero ? new Uint8Array(512) : buffer.subarray(at, at + 512);
      if (rng.int(oneIn) === 0) changes.add(sector * 512);
      else old.set(now, sector * 512);
    }
  }
  return { stretches, buffer, old, changes };
}

Deno.test("D4: whatever is found is about to change, and something is found where anything changes", async () => {
  for (let seed = 0; seed < 10; seed++) {
    for (const oneIn of [1, 20, 1000, 4000]) {
      const { stretches, buffer, old, changes } = random(seed, oneIn);
      const overwrite = { target: memorySource("disk", old), stretches, buffer };
      const found = await findDifferences(overwrite, { places: 8, thorough: true });
      assert.equal(found.length > 0, changes.size > 0, `seed ${seed}, one in ${oneIn}`);
      for (const { offsetBytes, before, after } of found) {
        assert.ok(changes.has(offsetBytes));
        assert.deepEqual(before, old.slice(offsetBytes, offsetBytes + 512));
        assert.ok(!isEqual(before, after));
      }
      if (oneIn === 1) assert.equal(found.length, 8);
      assert.equal(new Set(found.map(({ offsetBytes }) => offsetBytes)).size, found.length);
    }
  }
});

Deno.test("D4: stretches out of order, as a pipe brings them, are looked through as well", async () => {
  const stretches = new Batch();
  const old = new Uint8Array(64 * 512);
  const buffer = new Uint8Array(64 * 512).fill(1);
  for (let i = 63; i >= 0; i--) stretches.add({ offsetBytes: i * 512, lengthBytes: 512, at: i * 512 });
  for (let i = 0; i < 64; i++) if (i !== 5) old.fill(1, i * 512, i * 512 + 512);
  const target = memorySource("disk", old);
  const found = await findDifferences({ target, stretches, buffer }, { places: 2, thorough: true });
  assert.deepEqual(found.map(({ offsetBytes }) => offsetBytes), [5 * 512]);
  const nothing = { target, stretches: new Batch(), buffer };
  assert.deepEqual(await findDifferences(nothing, { places: 2, thorough: true }), []);
});
