/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { Superseded } from "../disk/lock.ts";
import { DATA, HOLE, type PlacedRun, type Runs } from "../disk/runs.ts";
import { Scan } from "./scan.ts";
import { type Cells, Tiles } from "./tiles.ts";

const CAPACITY = 2 ** 24;
/** Each step takes this long, as one that reads does. */
const STEP_MS = 5;
const STEP_SECTORS = 2 ** 12;

/** Every other step's worth of sectors is data; the last half of the disk is a hole. */
class SlowRuns implements Runs {
  readonly capacitySectors = CAPACITY;
  readonly name = "slow";
  readonly files = ["slow"];
  readonly steps: number[] = [];
  stepMs = STEP_MS;

  async step(from: number, to: number, _: unknown, visit: (run: PlacedRun) => void): Promise<number> {
    this.steps.push(from);
    if (this.stepMs > 0) await new Promise((resolve) => setTimeout(resolve, this.stepMs));
    const size = this.stepMs > 0 ? STEP_SECTORS : 2 ** 16;
    const end = Math.min(to, (Math.floor(from / size) + 1) * size);
    const isData = from < CAPACITY / 2 && Math.floor(from / STEP_SECTORS) % 2 === 0;
    const kind = isData ? DATA : HOLE;
    const data = Math.min(end, (Math.floor(from / STEP_SECTORS) + 1) * STEP_SECTORS);
    visit({
      start: from,
      length: data - from,
      kind,
      file: isData ? 0 : -1,
      place: isData ? from : NaN,
      link: 0,
    });
    return data;
  }
}

const CLOSE: Cells = { fromSector: 0, sectorsPerCell: 8, cells: 100_000 };

Deno.test("what nobody waits for any more is given up, and others go on", async () => {
  const runs = new SlowRuns();
  const tiles = new Tiles();
  const scan = new Scan(0, runs);
  const first = tiles.tile(scan, { ...CLOSE, asker: "map" });
  const other = tiles.tile(scan, { ...CLOSE, cells: 2000, asker: "strip" });
  const second = tiles.tile(scan, { ...CLOSE, cells: 3000, asker: "map" });
  await assert.rejects(first, Superseded);
  assert.equal((await second).data.length, 3000);
  assert.equal((await other).data.length, 2000);
  assert.ok(runs.steps.every((from) => from < 40 * STEP_SECTORS), "the first went on");
});

Deno.test("owners are given up alike, and all when the disk is closed", async () => {
  const tiles = new Tiles();
  const runs = new SlowRuns();
  const first = tiles.owners(runs, { view: 0, ...CLOSE, asker: "map" });
  const second = tiles.owners(runs, { view: 0, ...CLOSE, cells: 99_000, asker: "map" });
  await assert.rejects(first, Superseded);
  tiles.stop();
  await assert.rejects(second, Superseded);
});

Deno.test("the same question is walked once, and each answer can be given away", async () => {
  const runs = new SlowRuns();
  const tiles = new Tiles();
  const scan = new Scan(0, runs);
  const asked = { ...CLOSE, cells: 2000, asker: "map" };
  const [one, two] = await Promise.all([tiles.tile(scan, asked), tiles.tile(scan, asked)]);
  const steps = runs.steps.length;
  structuredClone(one, { transfer: [one.data.buffer, one.zero.buffer] as ArrayBuffer[] });
  assert.equal(one.data.length, 0);
  assert.equal(two.data[0], 1);
  assert.equal((await tiles.tile(scan, asked)).data[0], 1);
  assert.equal(runs.steps.length, steps);
});

Deno.test("what the scan has found to be of one kind is not walked again", async () => {
  const runs = new SlowRuns();
  runs.stepMs = 0;
  const scan = new Scan(0, runs);
  const tiles = new Tiles();
  const walked = await tiles.tile(scan, { ...CLOSE, fromSector: STEP_SECTORS - 80, cells: 20 });
  await scan.run(0, () => undefined);
  const steps = runs.steps.length;
  const known = await tiles.tile(scan, { ...CLOSE, fromSector: STEP_SECTORS - 80, cells: 20 });
  assert.deepEqual(known, walked);
  assert.deepEqual([...known.data], [...Array(10).fill(1), ...Array(10).fill(0)]);
  assert.equal(runs.steps.length, steps);
});

Deno.test("what the page looks at is scanned next, and then the rest", async () => {
  const runs = new SlowRuns();
  runs.stepMs = 0;
  const scan = new Scan(0, runs);
  const tiles = new Tiles();
  const middle = CAPACITY / 2;
  const running = scan.run(0, () => undefined);
  await tiles.tile(scan, { fromSector: middle, sectorsPerCell: 64, cells: 2000, asker: "map" });
  await running;
  assert.equal(runs.steps[0], middle);
  assert.ok(scan.finished);
  assert.ok(runs.steps.indexOf(0) > 2000 * 64 / STEP_SECTORS - 1);
});
