/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { cellCount, fitWindow, MAX_CELL_PX, pan, settle, zoom, zoomTo } from "./map_window.ts";

const ROOM = { widthPx: 803, heightPx: 401 };
const DISKS = [
  { capacitySectors: 1, grainSectors: 8 },
  { capacitySectors: 2 ** 21, grainSectors: 128 },
  { capacitySectors: 2 ** 32 + 12345, grainSectors: 128 },
  { capacitySectors: 2 ** 32, grainSectors: 1 },
];

Deno.test("fitWindow() shows all of a disk, in the finest cells that do", () => {
  for (const disk of DISKS) {
    const window = fitWindow(disk, ROOM);
    assert.ok(cellCount(window) * window.sectorsPerCell >= disk.capacitySectors);
    const half = cellCount(window) * window.sectorsPerCell / 2;
    assert.ok(window.sectorsPerCell === disk.grainSectors || half < disk.capacitySectors);
    assert.deepEqual(settle(window, disk, ROOM), window);
  }
});

Deno.test("zoom() goes from all of the disk to one grain and back", () => {
  for (const disk of DISKS) {
    const whole = fitWindow(disk, ROOM);
    let window = whole;
    const anchor = { sector: Math.floor(disk.capacitySectors / 3), share: 0.5 };
    for (let step = 0; step < 60; step++) window = zoom(window, "in", anchor, disk, ROOM);
    assert.equal(window.sectorsPerCell, disk.grainSectors);
    assert.equal(window.cellPx, MAX_CELL_PX);
    const end = window.fromSector + cellCount(window) * window.sectorsPerCell;
    assert.ok(window.fromSector <= anchor.sector && anchor.sector < end);
    for (let step = 0; step < 60; step++) window = zoom(window, "out", anchor, disk, ROOM);
    assert.deepEqual(window, whole);
  }
});

Deno.test("pan() stops at both ends of the disk", () => {
  const disk = { capacitySectors: 2 ** 32, grainSectors: 128 };
  const inner = zoom(fitWindow(disk, ROOM), "in", { sector: 0, share: 0 }, disk, ROOM);
  assert.equal(pan(inner, -10, disk, ROOM).fromSector, 0);
  const last = pan(inner, 2 ** 40, disk, ROOM);
  const end = last.fromSector + cellCount(last) * last.sectorsPerCell;
  assert.ok(end >= disk.capacitySectors && end - disk.capacitySectors < last.columns * last.sectorsPerCell);
});

Deno.test("zoomTo() shows a partition from its first sector on", () => {
  const disk = { capacitySectors: 2 ** 32, grainSectors: 128 };
  const window = zoomTo({ startSector: 2 ** 30, sectors: 2 ** 21 }, disk, ROOM);
  assert.ok(window.fromSector <= 2 ** 30 && window.fromSector > 2 ** 30 - window.sectorsPerCell);
  assert.ok(cellCount(window) * window.sectorsPerCell >= 2 ** 21);
});
