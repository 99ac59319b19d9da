/**
 * What other programs for the same files are known to get wrong, and that this one does not. `PEERS.md` tells which
 * program and what; every test here is named there.
 */
import assert from "node:assert/strict";
import { caseNamed, CASES, type FixtureCase, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds, sha256File } from "../helpers/bytes.ts";
import { regrain, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";
import { PROGRAM } from "../helpers/program.ts";

/** Refused as a disk; its deltas can be applied onto a copy of the base all the same. */
const BASE_DATA_ELSEWHERE = "refused-parent-extent-missing";

/** A fixture on disk, with a copy of its base to apply onto. */
interface Prepared {
  readonly fixture: FixtureCase;
  readonly leaf: string;
  readonly target: string;
}

/** Writes a fixture and the target: a copy of its flat base, if it has one. */
async function prepare(name: string, folder: string): Promise<Prepared> {
  const fixture = caseNamed(name);
  await writeCase(fixture, folder);
  const target = `${folder}/target.img`;
  const flat = fixture.base?.flat;
  if (flat !== undefined && isThere(`${folder}/${flat}`)) {
    Deno.copyFileSync(`${folder}/${flat}`, target);
    Deno.truncateSync(target, fixture.capacitySectors * 512);
  }
  return { fixture, leaf: `${folder}/${fixture.leaf}`, target };
}

/** Applies fixtures and asserts what their targets hold afterwards. */
async function assertApplies(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await withTempDir(async (folder) => {
      const { fixture, leaf, target } = await prepare(name, folder);
      if (!isThere(target)) {
        regrainExits(0, ["apply", "--create", `${folder}/${fixture.base!.descriptor}`, target]);
      }
      if (fixture.links.length > 0) regrainExits(0, ["apply", "--chain", leaf, target]);
      assertFileHolds(target, fixture.expected!());
    });
  }
}

/** Asserts that fixtures are refused with one of their codes, and that no file changes. */
async function assertRefused(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await withTempDir(async (folder) => {
      const { fixture, leaf, target } = await prepare(name, folder);
      if (!isThere(target)) Deno.writeFileSync(target, new Uint8Array(fixture.capacitySectors * 512));
      const before = sumsOf(folder);
      const how = fixture.links.length > 0 ? ["--chain"] : [];
      const { code, stderr } = regrain(["apply", "--json", ...how, leaf, target]);
      assert.ok(code === 4 || code === 5, `${name}: exit ${code}`);
      const error = JSON.parse(stderr.trim().split("\n").at(-1)!);
      assert.ok(fixture.expect.includes(error.code), `${name}: ${stderr}`);
      assert.deepEqual(sumsOf(folder), before, name);
    });
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw cause;
  }
}

/** Hashes of the files in a folder. */
function sumsOf(folder: string): Record<string, string> {
  const names = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => name).sort();
  return Object.fromEntries(names.map((name) => [name, sha256File(`${folder}/${name}`)]));
}

Deno.test("applying onto a regular file changes it in place and keeps its size", () =>
  withTempDir(async (folder) => {
    const { fixture, leaf, target } = await prepare("cowd-plain", folder);
    const before = Deno.statSync(target);
    regrainExits(0, ["apply", leaf, target]);
    assertFileHolds(target, fixture.expected!());
    const after = Deno.statSync(target);
    assert.deepEqual([after.ino, after.size], [before.ino, before.size]);
  }));

Deno.test("the tail of a disk that is no multiple of 2 MiB is applied", () =>
  assertApplies("cowd-last-table-partial", "cowd-one-sector-past-a-table", "cowd-smaller-than-one-grain"));

Deno.test("the grain size of a COWD delta is taken from its header, and its last grain may overhang the disk", () =>
  assertApplies(
    "cowd-grain-8-last-grain-overhangs",
    "cowd-grain-128-last-grain-overhangs",
    "cowd-grain-2048-last-grain-overhangs",
  ));

Deno.test("the grain directory of a COWD delta is found where its header says", () =>
  assertApplies("cowd-directory-elsewhere"));

Deno.test("a zero grain of a COWD delta is zeros, whatever stands in sector 1 of its file", () =>
  assertApplies("cowd-zero-grains-and-a-long-parent-name"));

Deno.test("a zero grain of a COWD delta erases its own sectors and no others", () =>
  assertApplies("cowd-zero-grains"));

Deno.test("a truncated delta is refused before a byte is written", () =>
  assertRefused(
    "refused-cowd-cut-in-directory",
    "refused-cowd-cut-in-table",
    "refused-cowd-cut-before-last-grain",
    "refused-cowd-cut-in-last-grain",
    "refused-hosted-cut-in-last-grain",
    "refused-sesparse-cut-in-last-grain",
    "refused-stream-cut-in-a-grain",
  ));

Deno.test("no fixture that is to be refused changes any file, and none is taken for a bug", () =>
  assertRefused(
    ...CASES.filter(({ expect, name }) => expect !== "ok" && name !== BASE_DATA_ELSEWHERE).map(({ name }) =>
      name
    ),
  ));

Deno.test("deltas are applied although the base's data is elsewhere, and not shown as a whole disk", () =>
  withTempDir(async (folder) => {
    const { fixture, leaf, target } = await prepare(BASE_DATA_ELSEWHERE, folder);
    Deno.writeFileSync(target, new Uint8Array(fixture.capacitySectors * 512));
    regrainRefuses({ code: "NOT_FOUND", exit: 4 }, ["map", "--chain", leaf]);
    regrainExits(0, ["apply", "--chain", leaf, target]);
  }));

Deno.test("a delta that was not closed cleanly is applied with a warning", () =>
  withTempDir(async (folder) => {
    const { fixture, leaf, target } = await prepare("cowd-not-closed-cleanly", folder);
    assert.match(regrainExits(0, ["apply", leaf, target]).stderr, /warning: .*not closed cleanly/);
    assertFileHolds(target, fixture.expected!());
  }));

Deno.test("a target of another size is refused with both sizes", () =>
  withTempDir(async (folder) => {
    const { leaf, target } = await prepare("cowd-plain", folder);
    for (const sizeBytes of [6291456 - 512, 6291456 + 512]) {
      Deno.truncateSync(target, sizeBytes);
      const before = sha256File(target);
      const { message } = regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, ["apply", leaf, target]);
      assert.ok(message.includes(`${sizeBytes} bytes`) && message.includes("6291456"), message);
      assert.equal(sha256File(target), before);
    }
  }));

Deno.test("a target that does not exist is not made unless --create says so", () =>
  withTempDir(async (folder) => {
    const { leaf, target } = await prepare("cowd-plain", folder);
    Deno.removeSync(target);
    const { hint } = regrainRefuses({ code: "TARGET_MISSING", exit: 2 }, ["apply", leaf, target]);
    assert.match(hint!, /--create/);
    assert.equal(isThere(target), false);
    regrainExits(0, ["apply", "--create", leaf, target]);
    assert.equal(Deno.statSync(target).size, 6291456);
  }));

Deno.test("several snapshots are merged, so that each sector is written once", () =>
  withTempDir(async (folder) => {
    const { fixture, target } = await prepare("chain-five-links-of-three-kinds", folder);
    const links = fixture.links.map((name) => `${folder}/${name}`);
    const { stdout } = regrainExits(0, ["apply", "--json", ...links, target]);
    const summary = JSON.parse(stdout.trim().split("\n").at(-1)!);
    const { writtenBytes, sparedBytes, zeroedBytes, skippedBytes, diskBytes } = summary;
    assert.equal(writtenBytes + sparedBytes + zeroedBytes + skippedBytes, fixture.capacitySectors * 512);
    assert.equal(diskBytes, fixture.capacitySectors * 512);
    assertFileHolds(target, fixture.expected!());
  }));

testWithPeers(
  "neighbouring grains are written together, and the end is made durable",
  ["strace"],
  () =>
    withTempDir(async (folder) => {
      const { leaf, target } = await prepare("cowd-every-sector-written", folder);
      const log = `${folder}/calls`;
      run(
        "strace",
        ["-f", "-y", "-e", "trace=pwrite64,fsync", "-o", log, Deno.execPath(), "run", "-A", PROGRAM, "apply"]
          .concat(leaf, target),
      );
      const calls = Deno.readTextFileSync(log).split("\n").filter((line) => line.includes(target));
      const writes = calls.filter((line) => line.includes("pwrite64("));
      // 4596 grains of 512 bytes.
      assert.ok(writes.length >= 1 && writes.length <= 4, `${writes.length} writes`);
      assert.match(calls.at(-1)!, /fsync\(/);
    }),
);

Deno.test("a delta without its descriptor is read as what it is", () =>
  withTempDir(async (folder) => {
    for (const name of ["cowd-zero-grains", "sesparse-all-four-kinds"]) {
      const { fixture, leaf, target } = await prepare(name, folder);
      const bare = leaf.replace(/\.vmdk$/, name.startsWith("cowd") ? "-delta.vmdk" : "-sesparse.vmdk");
      Deno.removeSync(leaf);
      const { stderr } = regrainExits(0, ["apply", bare, target]);
      assert.match(stderr, /warning: .*no descriptor beside it/);
      assertFileHolds(target, fixture.expected!());
    }
  }));

Deno.test("the input is never written to, whatever its format", () =>
  withTempDir(async (folder) => {
    const names = ["cowd-tables-without-grains", "cowd-empty", "sesparse-all-four-kinds", "hosted-version-1"];
    for (const name of names) {
      const { leaf, target } = await prepare(name, folder);
      const { "target.img": _, ...before } = sumsOf(folder);
      regrainExits(0, ["apply", leaf, target]);
      const { "target.img": __, ...after } = sumsOf(folder);
      assert.deepEqual(after, before);
    }
  }));

Deno.test("a child whose parent nobody names is not taken for a whole disk", () =>
  withTempDir(async (folder) => {
    const { leaf, target } = await prepare("refused-chain-without-hint", folder);
    for (
      const args of [["map", "--chain", leaf], ["check", "--chain", leaf], ["apply", "--chain", leaf, target]]
    ) {
      const { message } = regrainRefuses({ code: "NOT_FOUND", exit: 4 }, args);
      assert.match(message, /nothing names its parent/);
    }
  }));

Deno.test("a parent is found by its hint however far down in the descriptor that stands", () =>
  withTempDir(async (folder) => {
    const { fixture, leaf, target } = await prepare("cowd-plain", folder);
    const text = Deno.readTextFileSync(leaf);
    Deno.writeTextFileSync(leaf, text.replace(/^parentFileNameHint/m, `${"# a comment\n".repeat(2000)}$&`));
    assert.ok(Deno.statSync(leaf).size > 20_000);
    regrainExits(0, ["apply", "--chain", leaf, target]);
    assertFileHolds(target, fixture.expected!());
  }));

Deno.test("extents without a file and extents that are read only keep their place on the disk", () =>
  assertApplies("split-zero-extent-in-the-middle", "split-read-only-extent"));

Deno.test("a base with another content id is refused with both ids, and --force overrules", () =>
  withTempDir(async (folder) => {
    const { fixture, leaf } = await prepare("cowd-plain", folder);
    const base = `${folder}/disk.vmdk`;
    Deno.writeTextFileSync(base, Deno.readTextFileSync(base).replace("CID=5eed0001", "CID=0badcafe"));
    const before = sumsOf(folder);
    const chain = regrainRefuses({ code: "CHAIN_BROKEN", exit: 5 }, [
      "apply",
      "--chain",
      leaf,
      `${folder}/target.img`,
    ]);
    const direct = regrainRefuses({ code: "WRONG_BASE", exit: 5 }, ["apply", leaf, base]);
    for (const { message, hint } of [chain, direct]) {
      assert.match(message, /5eed0001.*0badcafe/);
      assert.match(hint!, /--force/);
    }
    assert.deepEqual(sumsOf(folder), before);
    regrainExits(0, ["apply", "--force", leaf, base]);
    assertFileHolds(`${folder}/disk-flat.vmdk`, fixture.expected!());
  }));

Deno.test("a hint from another machine leads to the file beside the child, or to where --search says", async () => {
  await assertApplies("hint-of-a-datastore", "hint-of-windows", "hint-of-a-folder-that-moved");
  await withTempDir(async (folder) => {
    const { fixture, leaf, target } = await prepare("hint-of-a-datastore", folder);
    Deno.mkdirSync(`${folder}/elsewhere`);
    Deno.renameSync(`${folder}/disk.vmdk`, `${folder}/elsewhere/disk.vmdk`);
    regrainRefuses({ code: "OUTSIDE_FOLDER", exit: 4 }, ["apply", "--chain", leaf, target]);
    regrainExits(0, ["apply", "--chain", leaf, target, "--search", `${folder}/elsewhere`]);
    assertFileHolds(target, fixture.expected!());
  });
});

Deno.test("descriptors are read without regard to case, blanks, padding and createType", () =>
  assertApplies(
    "descriptor-blanks-around-equals",
    "descriptor-keys-in-capitals",
    "descriptor-keys-in-small-letters",
    "descriptor-with-zero-bytes-at-the-end",
    "split-sparse-old-create-type",
    "name-with-quotes",
    "name-in-windows-1252",
  ));

Deno.test("an SESparse delta can be applied, not only read", () =>
  assertApplies("sesparse-runs", "sesparse-tables-in-first-use-order", "sesparse-low-bits-of-the-index"));

Deno.test("an SESparse file with a dirty journal is refused, and taken with a warning when asked", () =>
  withTempDir(async (folder) => {
    const { leaf, target } = await prepare("refused-sesparse-journal-dirty", folder);
    const before = sha256File(target);
    const { hint } = regrainRefuses({ code: "JOURNAL_DIRTY", exit: 4 }, ["apply", leaf, target]);
    assert.match(hint!, /--ignore-journal/);
    assert.equal(sha256File(target), before);
    assert.match(regrainExits(0, ["apply", "--ignore-journal", leaf, target]).stderr, /warning: .*journal/);
  }));

Deno.test("an unmapped grain of an SESparse delta is zeros, and hides the parent", () =>
  assertApplies("sesparse-all-four-kinds", "chain-zero-grains-mask-data-below"));

Deno.test("an SESparse disk may end anywhere in a block of 8 KiB", () =>
  assertApplies("sesparse-capacity-of-half-an-8-kib-block", "sesparse-capacity-of-no-whole-page"));

Deno.test("the base takes the content id of the delta, so that children of the delta still match", () =>
  withTempDir(async (folder) => {
    const { fixture } = await prepare("chain-two-cowd-links", folder);
    const base = `${folder}/disk.vmdk`;
    const before = Deno.readTextFileSync(base);
    for (const [i, cid] of ["c0ffee01", "c0ffee02"].entries()) {
      regrainExits(0, ["apply", `${folder}/${fixture.links[i]}`, base]);
      assert.equal(Deno.readTextFileSync(base), before.replace("CID=5eed0001", `CID=${cid}`));
    }
    assertFileHolds(`${folder}/disk-flat.vmdk`, fixture.expected!());
  }));

testWithPeers(
  "the base may be a raw image, a block device or a VMDK",
  ["root-loop"],
  () =>
    withTempDir(async (folder) => {
      const { fixture, leaf, target } = await prepare("cowd-zero-grains", folder);
      await withLoop(target, (device) => {
        regrainExits(0, ["apply", "--chain", leaf, device]);
      });
      assertFileHolds(target, fixture.expected!());
      regrainExits(0, ["apply", "--chain", leaf, `${folder}/disk.vmdk`]);
      assertFileHolds(`${folder}/disk-flat.vmdk`, fixture.expected!());
    }),
);

Deno.test("map gives one run for neighbouring grains, and tells zeros from holes", () =>
  withTempDir(async (folder) => {
    const every = await prepare("cowd-every-sector-written", folder);
    const data = JSON.parse(regrainExits(0, ["map", "--json", every.leaf]).stdout);
    assert.ok(data.runs.length <= 3, `${data.runs.length} runs`);
    const kinds = await prepare("sesparse-all-four-kinds", folder);
    const { runs } = JSON.parse(regrainExits(0, ["map", "--json", kinds.leaf]).stdout);
    const sums = { data: 0, zero: 0, hole: 0 };
    for (const { kind, length } of runs as { kind: keyof typeof sums; length: number }[]) {
      sums[kind] += length;
    }
    const { dataBytes, zeroBytes, holeBytes } = kinds.fixture.counts!;
    assert.deepEqual(sums, { data: dataBytes, zero: zeroBytes, hole: holeBytes });
  }));

Deno.test("a zero grain of a hosted disk is zeros, flagged or not", () =>
  assertApplies("hosted-version-2-zero-grains", "hosted-unflagged-entry-1", "hosted-child-in-one-file"));

Deno.test("a hosted disk whose tables are damaged is read by their redundant twins", () =>
  assertApplies("hosted-directory-entry-damaged", "hosted-table-damaged"));

Deno.test("a disk in one file can be renamed", () => assertApplies("hosted-monolithic-renamed"));

Deno.test("a stream-optimized disk is read with and without markers, with zero grains, and in any order", () =>
  assertApplies(
    "stream-footer-zero-grains",
    "stream-footer-progress-markers",
    "stream-front-without-markers",
    "stream-front-grains-out-of-order",
  ));

Deno.test("a delta may have many extents, and so may its base", () =>
  assertApplies("split-sparse-over-split-flat"));

Deno.test("a disk that was grown reads as zeros past the end of its parents", () =>
  assertApplies("chain-disk-grown", "chain-disk-grown-lower-link-overhangs"));

Deno.test("zeros of an upper link hide what is below, in chains of any formats", () =>
  assertApplies("chain-zero-grains-mask-data-below", "chain-five-links-of-three-kinds"));
