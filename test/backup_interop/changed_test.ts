/** `--changed`: only what a list names is read; where there is any doubt about it, everything. */
import assert from "node:assert/strict";
import { fullDisk, Rng } from "../../fixtures/mod.ts";
import { MIB } from "../../core-as/host/units.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { regrainExits } from "../helpers/cli.ts";
import { type Backups, FlatDisk, withBackups } from "./backups.ts";

const DISK_MIB = 8;

/** A disk that is backed up, and then changed in two places. */
function changedDisk(backups: Backups, folder: string): FlatDisk {
  const disk = new FlatDisk(folder, fullDisk({ seed: 51, capacitySectors: DISK_MIB * 2048 }));
  backups.backup(disk.descriptor);
  disk.write(2 * MIB - 512, new Rng(1).bytes(1024));
  disk.write(6 * MIB + 4096, new Rng(2).bytes(512));
  return disk;
}

const AREAS = [{ start: 2 * MIB - 512, length: 1024 }, { start: 6 * MIB + 4096, length: 512 }];

function writeList(folder: string, list: unknown): string {
  const path = `${folder}/areas.json`;
  Deno.writeTextFileSync(path, JSON.stringify(list));
  return path;
}

for (
  const [what, list] of [
    ["a bare list", AREAS],
    ["vSphere's list", { startOffset: 0, length: DISK_MIB * MIB, changedArea: AREAS }],
    ["areas out of order that overlap", [AREAS[1], AREAS[0], { start: 2 * MIB, length: 512 }, AREAS[0]]],
  ] as const
) {
  Deno.test(`${what} of changes: only the chunks it touches are read`, () =>
    withBackups((backups, folder) => {
      const disk = changedDisk(backups, folder);
      const { change, stats } = backups.backup(disk.descriptor, "--changed", writeList(folder, list));
      assert.deepEqual(change, { method: "changed-areas" });
      assert.deepEqual([stats.readBytes, stats.newChunks], [3 * MIB, 3]);
      assert.ok(sameBytes(backups.restored(), disk.bytes));
    }));
}

Deno.test("an empty list is a snapshot equal to the one before, of which nothing is read", () =>
  withBackups((backups, folder) => {
    const disk = new FlatDisk(folder, fullDisk({ seed: 52, capacitySectors: 4096 }));
    const before = backups.backup(disk.descriptor);
    const { root, stats } = backups.backup(disk.descriptor, "--changed", writeList(folder, []));
    assert.deepEqual([root, stats.readBytes, stats.newChunks], [before.root, 0, 0]);
  }));

Deno.test("what regrain map --json says of a delta is a list of the changes that it makes", () =>
  withBackups((backups, folder) => {
    const disk = changedDisk(backups, folder);
    // The map of a delta: data, zeros, and holes, which are what did not change.
    const runs = [
      { start: 0, length: 2 * MIB - 512, kind: "hole" },
      { start: 2 * MIB - 512, length: 512, kind: "data" },
      { start: 2 * MIB, length: 512, kind: "zero" },
      { start: 2 * MIB + 512, length: 4 * MIB + 4096 - 512, kind: "hole" },
      { start: 6 * MIB + 4096, length: 512, kind: "data" },
      { start: 6 * MIB + 4608, length: 2 * MIB - 4608, kind: "hole" },
    ];
    const real = JSON.parse(regrainExits(0, ["map", "--json", disk.descriptor]).stdout);
    const list = writeList(folder, { ...real, runs });
    const { change, stats } = backups.backup(disk.descriptor, "--changed", list);
    assert.deepEqual([change.method, stats.readBytes], ["changed-areas", 3 * MIB]);
    assert.ok(sameBytes(backups.restored(), disk.bytes));

    // The map of the whole disk names all of it: everything is read, and nothing stored.
    const whole = writeList(folder, real);
    const all = backups.backup(disk.descriptor, "--changed", whole);
    assert.deepEqual([all.stats.readBytes, all.stats.newChunks], [DISK_MIB * MIB, 0]);
  }));

for (
  const [doubt, list] of [
    ["a change behind the end of the disk", [{ start: DISK_MIB * MIB - 512, length: 1024 }]],
    ["a list of a disk of another size", { capacityBytes: 9 * MIB, runs: [] }],
    ["A3: a page of changes that ends early", { startOffset: 0, length: 4 * MIB, changedArea: [AREAS[0]] }],
    ["A3: a page that begins late", { startOffset: 4 * MIB, length: 4 * MIB, changedArea: [AREAS[1]] }],
    ["A3: a map without runs", { runs: [] }],
    ["A3: a map with a gap", {
      capacityBytes: DISK_MIB * MIB,
      runs: [{ start: 0, length: MIB, kind: "hole" }, { start: 7 * MIB, length: MIB, kind: "hole" }],
    }],
  ] as const
) {
  Deno.test(`${doubt} is doubt: the whole disk is read, and that is said`, () =>
    withBackups((backups, folder) => {
      const disk = changedDisk(backups, folder);
      const { change, stats } = backups.backup(disk.descriptor, "--changed", writeList(folder, list));
      assert.equal(change.method, "full");
      assert.ok(change.reason!.length > 10);
      assert.equal(stats.readBytes, DISK_MIB * MIB);
      assert.equal(stats.newChunks, 3);
      assert.ok(sameBytes(backups.restored(), disk.bytes));
    }));
}

Deno.test("no snapshot before, or one of another size, is doubt: the whole disk is read", () =>
  withBackups((backups, folder) => {
    const small = new FlatDisk(folder, fullDisk({ seed: 53, capacitySectors: 4096 }));
    const list = writeList(folder, []);
    const first = backups.backup(small.descriptor, "--changed", list);
    assert.match(first.change.reason!, /no snapshot/);
    assert.ok(sameBytes(backups.restored(), small.bytes));

    const grown = new FlatDisk(folder, fullDisk({ seed: 53, capacitySectors: 6144 }));
    const { change, stats } = backups.backup(grown.descriptor, "--changed", list);
    assert.match(change.reason!, /2097152 bytes.*3145728/);
    assert.equal(stats.newChunks, 1);
    assert.ok(sameBytes(backups.restored(), grown.bytes));
  }));

Deno.test("a full read says on standard error why it is one", () =>
  withBackups((backups, folder) => {
    const disk = new FlatDisk(folder, fullDisk({ seed: 54, capacitySectors: 2048 }));
    const args = ["backup", disk.descriptor, "--changed", writeList(folder, []), "--repo", backups.repo];
    const { stderr } = regrainExits(0, [...args, "--name", "vm/disk"]);
    assert.match(stderr, /warning: the whole disk was read: there is no snapshot/);
  }));

Deno.test("a list that is none is refused before anything is read", () =>
  withBackups((backups, folder) => {
    const disk = new FlatDisk(folder, fullDisk({ seed: 55, capacitySectors: 2048 }));
    for (
      const list of ["text", {}, [{ start: -1, length: 5 }], [{ start: 0 }], { changedArea: [null] }, {
        changedArea: [],
        length: "all",
      }]
    ) {
      const refused = { code: "DESCRIPTOR_INVALID", exit: 4 };
      backups.backupRefuses(refused, disk.descriptor, "--changed", writeList(folder, list));
    }
  }));
