import assert from "node:assert/strict";
import { check, fc } from "../../../test/helpers/property.ts";
import type { Run, RunKind } from "../source.ts";
import { TIB } from "../units.ts";
import { type Area, AreaTotals, cutAtPartitions, sumByArea } from "./areas.ts";
import type { Partition } from "./partition.ts";

function partition(index: number, startBytes: number, lengthBytes: number, isExtended = false): Partition {
  const type = { id: "83", name: "Linux" };
  return {
    index,
    startBytes,
    lengthBytes,
    type,
    isExtended,
    isBootable: false,
    entryOffsetBytes: 446,
    name: undefined,
    uuid: undefined,
  };
}

/** Areas as `index from-to`. */
function cut(partitions: readonly Partition[], sizeBytes: number): string[] {
  return cutAtPartitions(partitions, sizeBytes).map((area) =>
    `${area.partition?.index ?? "-"} ${area.startBytes}-${area.startBytes + area.lengthBytes}`
  );
}

function assertTiles(areas: readonly Pick<Area, "startBytes" | "lengthBytes">[], sizeBytes: number): void {
  let reached = 0;
  for (const { startBytes, lengthBytes } of areas) {
    assert.equal(startBytes, reached);
    assert.ok(lengthBytes > 0);
    reached += lengthBytes;
  }
  assert.equal(reached, sizeBytes);
}

Deno.test("a disk is cut at its partitions, with what lies before, between and behind them", () => {
  const partitions = [partition(2, 500, 100), partition(1, 100, 200)];
  assert.deepEqual(cut(partitions, 1000), ["- 0-100", "1 100-300", "- 300-500", "2 500-600", "- 600-1000"]);
  assert.deepEqual(cut([partition(1, 0, 1000)], 1000), ["1 0-1000"]);
  assert.deepEqual(cut([], 1000), ["- 0-1000"]);
  assert.deepEqual(cut([partition(1, 0, 10)], 0), []);
});

Deno.test("an extended partition is no area, the logical ones in it are", () => {
  const partitions = [partition(1, 100, 800, true), partition(5, 163, 100), partition(6, 300, 100)];
  assert.deepEqual(cut(partitions, 1000), ["- 0-163", "5 163-263", "- 263-300", "6 300-400", "- 400-1000"]);
});

Deno.test("where partitions overlap, the one that starts first has it; what is behind the end is cut off", () => {
  assert.deepEqual(cut([partition(1, 100, 200), partition(2, 200, 200)], 1000), [
    ...["- 0-100", "1 100-300", "2 300-400", "- 400-1000"],
  ]);
  assert.deepEqual(cut([partition(1, 100, 500), partition(2, 200, 100)], 1000), [
    "- 0-100",
    "1 100-600",
    "- 600-1000",
  ]);
  assert.deepEqual(cut([partition(1, 100, 5000), partition(2, 2000, 9)], 1000), ["- 0-100", "1 100-1000"]);
});

Deno.test("areas tile the disk whatever the partitions are", () => {
  const any = fc.record({
    start: fc.integer({ min: 0, max: 1200 }),
    length: fc.integer({ min: 0, max: 500 }),
    isExtended: fc.boolean(),
  });
  check(
    fc.property(fc.array(any, { maxLength: 10 }), fc.integer({ min: 0, max: 1000 }), (rows, sizeBytes) => {
      const partitions = rows.map(({ start, length, isExtended }, i) =>
        partition(i + 1, start, length, isExtended)
      );
      const areas = cutAtPartitions(partitions, sizeBytes);
      assertTiles(areas, sizeBytes);
      const owners = areas.flatMap(({ partition }) => partition ? [partition.index] : []);
      assert.equal(new Set(owners).size, owners.length);
    }),
    { runs: 500 },
  );
});

const THREE = [{ startBytes: 0, lengthBytes: 100 }, { startBytes: 100, lengthBytes: 50 }, {
  startBytes: 150,
  lengthBytes: 850,
}];

Deno.test("a run that spans areas is divided among them", () => {
  const totals = new AreaTotals(THREE);
  totals.add(90, 100, "data");
  totals.add(190, 10, "zero");
  totals.add(200, 10, "hole");
  totals.add(140, 20, "damaged");
  assert.deepEqual(totals.totals, [
    { dataBytes: 10, zeroBytes: 0, damagedBytes: 0 },
    { dataBytes: 50, zeroBytes: 0, damagedBytes: 10 },
    { dataBytes: 40, zeroBytes: 10, damagedBytes: 10 },
  ]);
});

Deno.test("runs outside all areas are ignored, and those that reach out are cut", () => {
  const areas = [{ startBytes: 100, lengthBytes: 100 }];
  const runs: Run[] = [[0, 50], [50, 60], [190, 20], [200, 10], [0, 0], [150, 0]].map(([start, length]) => ({
    start: start!,
    length: length!,
    kind: "data",
  }));
  assert.deepEqual(sumByArea(areas, runs), [{ dataBytes: 20, zeroBytes: 0, damagedBytes: 0 }]);
  assert.deepEqual(sumByArea([], runs), []);
});

Deno.test("sums by area are those of counting byte by byte, in whatever order runs come", () => {
  const kinds = fc.constantFrom<RunKind>("data", "zero", "hole", "damaged");
  const runs = fc.array(
    fc.record({
      start: fc.integer({ min: 0, max: 300 }),
      length: fc.integer({ min: 0, max: 200 }),
      kind: kinds,
    }),
    { maxLength: 12 },
  );
  const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
  check(
    fc.property(lengths, runs, (lengths, runs) => {
      let at = 0;
      const areas = lengths.map((lengthBytes) => ({
        startBytes: (at += lengthBytes) - lengthBytes,
        lengthBytes,
      }));
      const expected = areas.map(({ startBytes, lengthBytes }) => {
        const total = { dataBytes: 0, zeroBytes: 0, damagedBytes: 0 };
        for (let byte = startBytes; byte < startBytes + lengthBytes; byte++) {
          for (const { start, length, kind } of runs) {
            if (byte < start || byte >= start + length || kind === "hole") continue;
            total[`${kind}Bytes`]++;
          }
        }
        return total;
      });
      assert.deepEqual(sumByArea(areas, runs), expected);
    }),
    { runs: 500 },
  );
});

Deno.test("totals of disks of many TiB are exact", () => {
  const areas = [{ startBytes: 0, lengthBytes: 31 * TIB + 1 }, {
    startBytes: 31 * TIB + 1,
    lengthBytes: 31 * TIB,
  }];
  assert.deepEqual(sumByArea(areas, [{ start: 1, length: 62 * TIB, kind: "zero" }]), [
    { dataBytes: 0, zeroBytes: 31 * TIB, damagedBytes: 0 },
    { dataBytes: 0, zeroBytes: 31 * TIB, damagedBytes: 0 },
  ]);
});
