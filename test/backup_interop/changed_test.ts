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
    ["B3: an answer about more than the disk has", {
      startOffset: 0,
      length: 9 * MIB,
      changedArea: AREAS,
    }],
    ["A3: a map without runs", { runs: [] }],
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

/** What is stretched to whole chunks: a list, the MiB that are read of the disk, and what is said of the rest. */
const PARTS = [
  ["an answer about the first half", part(0, 4, [AREAS[0]]), 2 + 4, "bytes 4194304 to 8388608 of the disk"],
  ["an answer about the second half", part(4, 4, [AREAS[1]]), 1 + 4, "bytes 0 to 4194304 of the disk"],
  ["answers with a hole between them", [part(0, 1, []), part(7, 1)], 6, "bytes 1048576 to 7340032 of"],
  ["an answer about the middle", part(3, 2), 3 + 3, "bytes 0 to 3145728 and 1 other stretch of the disk"],
  [
    "a map with a gap",
    {
      capacityBytes: DISK_MIB * MIB,
      runs: [{ start: 0, length: MIB, kind: "hole" }, { start: 7 * MIB, length: MIB, kind: "hole" }],
    },
    6,
    "bytes 1048576 to 7340032 of",
  ],
] as const;

function part(startMib: number, mib: number, changedArea?: unknown) {
  return {
    startOffset: startMib * MIB,
    length: mib * MIB,
    ...changedArea === undefined ? {} : { changedArea },
  };
}

for (const [what, list, readMib, said] of PARTS) {
  Deno.test(`B3: ${what}: what it does not cover is read, and that is said`, () =>
    withBackups((backups, folder) => {
      const disk = changedDisk(backups, folder);
      const { change, stats } = backups.backup(disk.descriptor, "--changed", writeList(folder, list));
      assert.deepEqual([change.method, stats.readBytes], ["changed-areas", readMib * MIB]);
      assert.ok(change.reason!.includes(`says nothing of ${said}`), change.reason);
      assert.ok(sameBytes(backups.restored(), disk.bytes));
    }));
}

Deno.test("B3: all answers in one file, in a list or one after the other, are the whole list", () =>
  withBackups((backups, folder) => {
    const disk = changedDisk(backups, folder);
    const answers = [part(0, 4, [AREAS[0]]), part(4, 2), part(6, 2, [AREAS[1]])];
    const texts = [
      JSON.stringify(answers),
      answers.map((answer) => JSON.stringify(answer)).join("\n"),
      answers.map((answer) => JSON.stringify(answer, null, 2)).join(""),
    ];
    for (const text of texts) {
      Deno.writeTextFileSync(`${folder}/answers.json`, text);
      const { change, stats } = backups.backup(disk.descriptor, "--changed", `${folder}/answers.json`);
      assert.deepEqual([change, stats.readBytes], [{ method: "changed-areas" }, 3 * MIB], text);
    }
    assert.ok(sameBytes(backups.restored(), disk.bytes));
  }));

Deno.test("B3: what PowerCLI writes is read: capitals, UTF-16, a list of one as that one", () =>
  withBackups((backups, folder) => {
    const disk = changedDisk(backups, folder);
    const area = (at: number) => ({ Start: AREAS[at]!.start, Length: AREAS[at]!.length });
    const answers = [
      { StartOffset: 0, Length: 4 * MIB, ChangedArea: area(0) },
      { StartOffset: 4 * MIB, Length: 4 * MIB, ChangedArea: [area(1)] },
    ];
    const text = JSON.stringify(answers, null, 2).replaceAll("\n", "\r\n");
    const utf16 = new Uint8Array(Uint16Array.from(`\ufeff${text}`, (unit) => unit.charCodeAt(0)).buffer);
    Deno.writeFileSync(`${folder}/powercli.json`, utf16);
    const { change, stats } = backups.backup(disk.descriptor, "--changed", `${folder}/powercli.json`);
    assert.deepEqual([change, stats.readBytes], [{ method: "changed-areas" }, 3 * MIB]);
    assert.ok(sameBytes(backups.restored(), disk.bytes));
  }));

for (
  const [what, list, message] of [
    ["without length", { startOffset: 0, changedArea: AREAS }, /answer 1 has no "length" in bytes/],
    [
      "without startOffset",
      [part(0, 4), { length: 4 * MIB, changedArea: [] }],
      /answer 2 has no "startOffset"/,
    ],
    ["with neither", { changedArea: AREAS }, /answer 1 has no "startOffset" and no "length"/],
    ["whose areas are cut off", part(0, 8, ["VMware.Vim.DiskChangeExtent"]), /entry 0 has no "start"/],
    ["beside something else", [part(0, 8), AREAS[0]], /document 2 is no answer/],
    ["with a member twice", { ...part(0, 4), Length: 8 * MIB }, /has "Length" twice/],
  ] as const
) {
  Deno.test(`B3: an answer ${what} is refused; without the list the disk is read`, () =>
    withBackups((backups, folder) => {
      const disk = changedDisk(backups, folder);
      const refused = { code: "DESCRIPTOR_INVALID", exit: 4 };
      const error = backups.backupRefuses(refused, disk.descriptor, "--changed", writeList(folder, list));
      assert.match(error.message, message);
      backups.backup(disk.descriptor);
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
