/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import {
  CELL_PX,
  cellCount,
  fitWindow,
  type MapDisk,
  type MapWindow,
  MAX_CELL_PX,
  pan,
  settle,
  zoom,
  zoomTo,
} from "./map_window.ts";

const ROOM = { widthPx: 803, heightPx: 401 };
const ROOMS = [ROOM, { widthPx: 330, heightPx: 414 }, { widthPx: 1480, heightPx: 900 }];
const DISKS = [
  { capacitySectors: 1, grainSectors: 8 },
  { capacitySectors: 16 * 128, grainSectors: 128 },
  { capacitySectors: 2 ** 21, grainSectors: 128 },
  { capacitySectors: 20_001 * 128, grainSectors: 128 },
  { capacitySectors: 2 ** 32 + 12345, grainSectors: 128 },
  { capacitySectors: 2 ** 32, grainSectors: 1 },
];

function endOf(window: MapWindow): number {
  return window.fromSector + cellCount(window) * window.sectorsPerCell;
}

/** Part of the height of a room that the rows of the disk take, the last one counted as full. */
function heightShare(window: MapWindow, room: typeof ROOM): number {
  return window.rows / Math.floor(room.heightPx / window.cellPx);
}

Deno.test("fitWindow() shows all of a disk, and the last row alone may be part-empty", () => {
  for (const room of ROOMS) {
    for (const disk of DISKS) {
      const window = fitWindow(disk, room);
      assert.ok(endOf(window) >= disk.capacitySectors);
      assert.ok(endOf(window) - disk.capacitySectors < window.columns * window.sectorsPerCell);
      assert.ok(window.rows * window.cellPx <= room.heightPx);
      assert.deepEqual(settle(window, disk, room), window);
    }
  }
});

Deno.test("fitWindow() fills the room, however small the disk or odd its size", () => {
  for (const room of ROOMS) {
    for (
      let capacitySectors = 4000;
      capacitySectors < 2 ** 33;
      capacitySectors = Math.ceil(capacitySectors * 1.13)
    ) {
      for (const grainSectors of [1, 8, 128]) {
        const disk = { capacitySectors, grainSectors };
        const window = fitWindow(disk, room);
        const share = heightShare(window, room);
        assert.ok(
          share >= 0.8 && share <= 1,
          `${JSON.stringify(disk)}: ${share} of ${JSON.stringify(room)}`,
        );
        assert.ok(Number.isSafeInteger(window.sectorsPerCell) && window.cellPx >= CELL_PX);
      }
    }
  }
});

Deno.test("fitWindow() shows a grain a cell where that fills the room", () => {
  const disk: MapDisk = { capacitySectors: 192 * 98 * 128, grainSectors: 128 };
  assert.equal(fitWindow(disk, ROOM).sectorsPerCell, 128);
  assert.equal(fitWindow({ ...disk, capacitySectors: 192 * 55 * 128 }, ROOM).sectorsPerCell < 128, true);
});

Deno.test("zoom() goes from all of the disk to one grain and back", () => {
  for (const disk of DISKS.slice(2)) {
    const whole = fitWindow(disk, ROOM);
    const anchor = { sector: Math.floor(disk.capacitySectors / 3), share: 0.5 };
    const scales: number[] = [];
    let window = whole;
    for (let step = 0; step < 60; step++) {
      window = zoom(window, "in", anchor, disk, ROOM);
      scales.push(window.sectorsPerCell / window.cellPx ** 2);
      assert.deepEqual(settle(window, disk, ROOM), window);
    }
    assert.deepEqual(scales, scales.toSorted((a, b) => b - a));
    assert.equal(window.sectorsPerCell, disk.grainSectors);
    assert.equal(window.cellPx, MAX_CELL_PX);
    assert.ok(window.fromSector <= anchor.sector && anchor.sector < endOf(window));
    for (let step = 0; step < 60; step++) window = zoom(window, "out", anchor, disk, ROOM);
    assert.deepEqual(window, whole);
  }
});

Deno.test("zoom() leaves a disk as it is of which every sector has a large cell", () => {
  const disk = { capacitySectors: 16 * 128, grainSectors: 128 };
  const whole = fitWindow(disk, ROOM);
  for (const way of ["in", "out"] as const) {
    assert.deepEqual(zoom(whole, way, { sector: 0, share: 0 }, disk, ROOM), whole);
  }
});

Deno.test("pan() stops at both ends of the disk", () => {
  const disk = { capacitySectors: 2 ** 32, grainSectors: 128 };
  const inner = zoom(fitWindow(disk, ROOM), "in", { sector: 0, share: 0 }, disk, ROOM);
  assert.equal(pan(inner, -10, disk, ROOM).fromSector, 0);
  const last = pan(inner, 2 ** 40, disk, ROOM);
  const over = endOf(last) - disk.capacitySectors;
  assert.ok(over >= 0 && over < last.columns * last.sectorsPerCell);
});

Deno.test("zoomTo() shows a partition from its first sector on", () => {
  const disk = { capacitySectors: 2 ** 32, grainSectors: 128 };
  const window = zoomTo({ startSector: 2 ** 30, sectors: 2 ** 21 }, disk, ROOM);
  assert.ok(window.fromSector <= 2 ** 30 && window.fromSector > 2 ** 30 - window.sectorsPerCell);
  assert.ok(endOf(window) >= 2 ** 30 + 2 ** 21);
  assert.deepEqual(zoomTo({ startSector: 8, sectors: 2 ** 32 - 8 }, disk, ROOM), fitWindow(disk, ROOM));
});
