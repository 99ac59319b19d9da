/** What commands show of damage: a kind of its own, never a hole, never zeros, never equal. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { BASE, baseFiles, buildCowd, dataGrains, DELTA, deltaFiles, putInteger } from "../../fixtures/mod.ts";
import { regrain, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

const CAPACITY_SECTORS = 4096 * 3;
/** Sectors that a lost entry covers, one after the other; the second table is lost whole. */
const BAD_ENTRIES = [11, 12];
const TABLE_SECTORS = 4096;
const DAMAGED_BYTES = (BAD_ENTRIES.length + TABLE_SECTORS) * SECTOR_SIZE;

/** A delta on a base: data in sectors 10 to 13 and 5000, of which 11, 12 and the table of 5000 are lost. */
async function withDamage(run: (folder: string) => void | Promise<void>): Promise<void> {
  await withTempDir(async (folder) => {
    const image = buildCowd({
      capacitySectors: CAPACITY_SECTORS,
      grainSectors: 1,
      seed: 3,
      grains: dataGrains([10, 11, 12, 13, 5000]),
    });
    for (const sector of BAD_ENTRIES) {
      putInteger(image.bytes, { at: image.layout.entries.get(sector)!, size: 4, value: 0x7000_0000 });
    }
    putInteger(image.bytes, { at: image.layout.directory + 4, size: 4, value: 1 });
    const files = {
      ...baseFiles({ capacitySectors: CAPACITY_SECTORS }),
      ...deltaFiles({ kind: "cowd", bytes: image.bytes, capacitySectors: CAPACITY_SECTORS }),
    };
    for (const [name, bytes] of Object.entries(files)) Deno.writeFileSync(join(folder, name), bytes);
    await run(folder);
  });
}

Deno.test("C3: map shows damaged runs as damaged, alone and merged with the base, and exits 1", () =>
  withDamage((cwd) => {
    const kinds = (args: readonly string[]) => {
      const { stdout, stderr } = regrainExits(1, ["map", "--json", ...args, DELTA], { cwd });
      assert.match(stderr, /damaged, nobody knows what is there; regrain check/);
      const { runs } = JSON.parse(stdout) as { runs: { kind: string; start: number; length: number }[] };
      return runs.map(({ kind, start, length }) => [kind, start / SECTOR_SIZE, length / SECTOR_SIZE]);
    };
    assert.deepEqual(kinds([]), [
      ["hole", 0, 10],
      ["data", 10, 1],
      ["damaged", 11, 2],
      ["data", 13, 1],
      ["hole", 14, TABLE_SECTORS - 14],
      ["damaged", TABLE_SECTORS, TABLE_SECTORS],
      ["hole", 2 * TABLE_SECTORS, TABLE_SECTORS],
    ]);
    assert.deepEqual(kinds(["--chain"]).map(([kind]) => kind), [
      "data",
      "data",
      "damaged",
      "data",
      "data",
      "damaged",
      "data",
    ], "the base does not show through");
    const table = regrainExits(1, ["map", DELTA], { cwd }).stdout;
    assert.equal(table.match(/ damaged$/gm)?.length, 2);
  }));

Deno.test("C3: the heat map marks a cell with one damaged entry, whatever else is in it", () =>
  withDamage((cwd) => {
    const { stdout } = regrainExits(1, ["map", "--ascii", DELTA], { cwd });
    const [, first] = stdout.split("\n");
    assert.match(first!, /\|.!/, "a cell is 11 sectors, and 11 is in the second one");
    assert.match(stdout, /!: damaged/);
  }));

Deno.test("C3: info and check count damage apart from holes, and the sums make up the disk", () =>
  withDamage((cwd) => {
    const info = JSON.parse(regrainExits(0, ["info", "--json", DELTA], { cwd }).stdout);
    assert.equal(info.damagedBytes, DAMAGED_BYTES);
    assert.equal(info.sound, false);
    const sum = info.dataBytes + info.zeroBytes + info.holeBytes + info.damagedBytes;
    assert.equal(sum, CAPACITY_SECTORS * SECTOR_SIZE);
    assert.match(regrainExits(0, ["info", DELTA], { cwd }).stdout, /damaged +2\.0 MiB .*nobody knows/);
    const check = JSON.parse(regrainExits(1, ["check", "--json", DELTA], { cwd }).stdout);
    assert.equal(check.links[0].damagedBytes, DAMAGED_BYTES);
  }));

Deno.test("C3: compare, apply and backup refuse a disk with a damaged stretch", () =>
  withDamage((cwd) => {
    Deno.copyFileSync(join(cwd, BASE.flat), join(cwd, "copy.img"));
    const before = Deno.readFileSync(join(cwd, "copy.img"));
    regrainRefuses({ code: "DAMAGED", exit: 4 }, ["compare", DELTA, "copy.img"], { cwd });
    regrainRefuses({ code: "DAMAGED", exit: 4 }, ["apply", DELTA, "copy.img", "--force"], { cwd });
    assert.deepEqual(Deno.readFileSync(join(cwd, "copy.img")), before);
    regrainExits(0, ["repo", "init", "--repo", "backups"], { cwd });
    regrainRefuses(
      { code: "DAMAGED", exit: 4 },
      ["backup", DELTA, "--repo", "backups", "--name", "vm/disk"],
      { cwd },
    );
    const { stdout } = regrain(["snapshots", "--json", "--repo", "backups"], { cwd });
    assert.equal(JSON.parse(stdout).snapshots, 0, "nothing was stored");
  }));
