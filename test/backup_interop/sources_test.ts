/** Backups of every kind of source and every kind of delta: what is restored is what the source reads as. */
import assert from "node:assert/strict";
import { caseNamed, CASES, type FixtureCase, fullDisk, writeCase } from "../../fixtures/mod.ts";
import { Disk, type Link, MIB, openChain, openDeltas } from "../../core-as/host/mod.ts";
import { planDelta } from "../../cli/backup/make/delta_origin.ts";
import { backUpSource, bytesOf, memoryRepository } from "../backup_faults/repositories.ts";
import { core, memoryContext } from "../helpers/memory.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { run, testWithPeers, withLoop } from "../helpers/peers.ts";
import { type Backups, withBackups } from "./backups.ts";
import { PROGRAM } from "../helpers/program.ts";

const READABLE = CASES.filter(({ expect }) => expect === "ok");
const ONE_OF_EACH = [
  "hosted-monolithic",
  "cowd-plain",
  "sesparse-all-four-kinds",
  "split-sparse-over-split-flat",
  READABLE.find(({ name }) => name.startsWith("stream"))!.name,
];

async function write(name: string, folder: string): Promise<FixtureCase> {
  const fixture = caseNamed(name);
  await writeCase(fixture, folder);
  return fixture;
}

/** A disk of a fixture's files. */
async function openFixture(
  fixture: FixtureCase,
): Promise<{ disk: Disk; base: Disk | undefined; deltas: Link[] }> {
  const context = memoryContext(fixture.make());
  const disk = new Disk(core, await openChain(fixture.leaf, context));
  const { base, links } = fixture;
  if (links.length === 0 || base?.descriptor === undefined) return { disk, base: undefined, deltas: [] };
  const { links: deltas } = await openDeltas(fixture.leaf, context);
  return { disk, base: new Disk(core, await openChain(base.descriptor, context)), deltas: [...deltas] };
}

Deno.test("every fixture that can be read is backed up and restored byte for byte", async () => {
  const repository = await memoryRepository();
  for (const fixture of READABLE) {
    const { name } = fixture;
    const { disk } = await openFixture(fixture);
    const { snapshot } = await backUpSource(repository, disk, { name });
    assert.ok(sameBytes(await bytesOf(repository, snapshot), fixture.expected!()), name);
  }
  console.log(`${READABLE.length} sources backed up and restored`);
});

Deno.test("a delta of every format laid over the snapshot of its base makes the snapshot of the chain", async () => {
  const repository = await memoryRepository();
  const counts = { same: 0, otherSize: 0 };
  for (const fixture of READABLE) {
    const { name } = fixture;
    const { disk, base, deltas } = await openFixture(fixture);
    if (base === undefined) continue;
    await backUpSource(repository, base, { name });
    const delta = { disk: new Disk(core, deltas), links: deltas, force: false };
    const notices: string[] = [];
    const means = { repository, name, onNotice: (sentence: string) => notices.push(sentence) };
    const laid = backUpSource(repository, disk, { name, plan: (parent) => planDelta(delta, parent, means) });
    if (base.sizeBytes !== disk.sizeBytes) {
      await assert.rejects(laid, { code: "SIZE_MISMATCH" });
      counts.otherSize++;
      continue;
    }
    const { snapshot } = await laid;
    assert.equal(snapshot.change.method, "delta", name);
    const whole = await backUpSource(repository, disk, { name: `${name}/whole` });
    assert.equal(snapshot.root, whole.snapshot.root, name);
    assert.ok(sameBytes(await bytesOf(repository, snapshot), fixture.expected!()), name);
    counts.same++;
  }
  console.log(`deltas laid over their base: ${JSON.stringify(counts)}`);
  assert.ok(counts.same > 20 && counts.otherSize > 0);
});

Deno.test("a disk of every format is backed up by the command, and restored", () =>
  withBackups(async (backups, folder) => {
    for (const name of ONE_OF_EACH) {
      const fixture = await write(name, `${folder}/${name}`);
      backups.backup(`${folder}/${name}/${fixture.leaf}`, "--name", name);
      assert.ok(sameBytes(backups.restored(name), fixture.expected!()), name);
    }
  }));

Deno.test("deltas laid over one by one, and all at once, make what applying them makes", () =>
  withBackups(async (backups, folder) => {
    for (const name of ["chain-two-cowd-links", "chain-five-links-of-three-kinds"]) {
      const fixture = await write(name, `${folder}/${name}`);
      const at = `${folder}/${name}`;
      const { id } = backups.backup(`${at}/disk.vmdk`, "--name", name);
      for (const link of fixture.links) {
        const { change, stderr } = backups.backup("--delta", `${at}/${link}`, "--name", name);
        assert.equal(change.method, "delta");
        assert.equal(stderr.includes("on trust"), false, stderr);
      }
      assert.ok(sameBytes(backups.restored(name), fixture.expected!()), name);

      backups.restore(`${name}@${id}`, `${folder}/${name}.img`);
      const target = `${folder}/${name}.img`;
      run(Deno.execPath(), ["run", "-A", PROGRAM, "apply", "--chain", `${at}/${fixture.leaf}`, target]);
      assert.ok(sameBytes(Deno.readFileSync(target), fixture.expected!()), name);
    }
  }));

Deno.test("over a snapshot without a CID all links of a delta are laid, on trust", () =>
  withBackups(async (backups, folder) => {
    const name = "chain-five-links-of-three-kinds";
    const fixture = await write(name, `${folder}/${name}`);
    const base = Deno.readFileSync(`${folder}/${name}/disk-flat.vmdk`);
    await backups.backupStream(base, "--name", name);
    const { stderr } = backups.backup("--delta", `${folder}/${name}/${fixture.leaf}`, "--name", name);
    assert.match(stderr, /taken on trust/);
    assert.ok(sameBytes(backups.restored(name), fixture.expected!()));
  }));

Deno.test("a delta is laid over without its base, and without its descriptor", () =>
  withBackups(async (backups, folder) => {
    for (const [name, bare] of [["cowd-plain", "-delta"], ["sesparse-runs", "-sesparse"]] as const) {
      const fixture = await write(name, `${folder}/${name}`);
      const at = `${folder}/${name}`;
      backups.backup(`${at}/disk.vmdk`, "--name", name);
      Deno.removeSync(`${at}/disk.vmdk`);
      Deno.removeSync(`${at}/disk-flat.vmdk`);
      const known = backups.backup("--delta", `${at}/${fixture.leaf}`, "--name", name);
      assert.equal(known.stderr.includes("on trust"), false, known.stderr);
      assert.ok(sameBytes(backups.restored(name), fixture.expected!()), name);

      Deno.removeSync(`${at}/disk-000001.vmdk`);
      const trusted = backups.backup("--delta", `${at}/disk-000001${bare}.vmdk`, "--name", name);
      assert.match(trusted.stderr, /taken on trust: the delta names no parent/);
      assert.equal(trusted.root, known.root);
    }
  }));

Deno.test("a delta of another base, of another size, or of nothing is refused; --force lays over another base", () =>
  withBackups(async (backups, folder) => {
    const { leaf } = await write("cowd-plain", `${folder}/plain`);
    const delta = ["--delta", `${folder}/plain/${leaf}`];
    backups.backupRefuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ...delta);
    backups.backup(`${folder}/plain/disk.vmdk`);
    const text = Deno.readTextFileSync(`${folder}/plain/${leaf}`);
    Deno.writeTextFileSync(
      `${folder}/plain/${leaf}`,
      text.replace("parentCID=5eed0001", "parentCID=0badcafe"),
    );
    const { message } = backups.backupRefuses({ code: "WRONG_BASE", exit: 5 }, ...delta);
    assert.match(message, /0badcafe.*5eed0001/);
    const { stderr } = backups.backup(...delta, "--force");
    assert.match(stderr, /laid over all the same/);
    assert.ok(sameBytes(backups.restored(), caseNamed("cowd-plain").expected!()));

    const other = await write("cowd-smaller-than-one-grain", `${folder}/small`);
    backups.backupRefuses(
      { code: "SIZE_MISMATCH", exit: 5 },
      "--delta",
      `${folder}/small/${other.leaf}`,
      "--force",
    );
    assert.equal(snapshotCount(backups), 2);
  }));

Deno.test("a delta that the latest snapshot has already is laid over once more, and changes nothing", () =>
  withBackups(async (backups, folder) => {
    const { leaf } = await write("cowd-plain", folder);
    backups.backup(`${folder}/disk.vmdk`);
    const first = backups.backup("--delta", `${folder}/${leaf}`);
    const second = backups.backup("--delta", `${folder}/${leaf}`);
    assert.match(second.stderr, /has .* already; it is laid over once more/);
    assert.deepEqual([second.root, second.stats.newChunks], [first.root, 0]);
  }));

function snapshotCount({ repo }: Backups): number {
  return [...Deno.readDirSync(`${repo}/snaps`)].flatMap((
    { name },
  ) => [...Deno.readDirSync(`${repo}/snaps/${name}`)])
    .length;
}

testWithPeers(
  "images that qemu-img made are restored as qemu-img reads them",
  ["qemu-img"],
  () =>
    withBackups((backups, folder) => {
      const content = fullDisk({ seed: 31, capacitySectors: 16_391 });
      content.fill(0, 2 * MIB, 5 * MIB);
      Deno.writeFileSync(`${folder}/source.raw`, content);
      const formats = ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "streamOptimized"];
      for (const subformat of formats) {
        const image = `${folder}/${subformat}.vmdk`;
        run("qemu-img", [
          "convert",
          "-O",
          "vmdk",
          "-o",
          `subformat=${subformat}`,
          `${folder}/source.raw`,
          image,
        ]);
        backups.backup(image, "--name", subformat);
        backups.restore(subformat, `${folder}/restored.raw`);
        run("qemu-img", ["compare", "-f", "vmdk", "-F", "raw", image, `${folder}/restored.raw`]);
        Deno.removeSync(`${folder}/restored.raw`);
      }
      const raw = backups.backup(`${folder}/source.raw`);
      // Zeros, and what the images before had.
      assert.equal(raw.stats.newChunks, 0);
      assert.ok(sameBytes(backups.restored(), content));
    }),
);

testWithPeers(
  "a block device is backed up, and one with other content is made the same",
  ["root-loop"],
  () =>
    withBackups(async (backups, folder) => {
      const content = fullDisk({ seed: 32, capacitySectors: 5 * 2048 });
      content.fill(0, MIB, 3 * MIB);
      content.fill(0, 4 * MIB + 4096, 4 * MIB + 65_536);
      Deno.writeFileSync(`${folder}/from`, content);
      await withLoop(`${folder}/from`, (device) => void backups.backup(device));
      for (const flags of [[], ["--delta"]]) {
        Deno.writeFileSync(`${folder}/to`, fullDisk({ seed: 33, capacitySectors: 5 * 2048 }));
        await withLoop(`${folder}/to`, (device) => backups.restore("vm/disk", device, ...flags));
        assert.ok(sameBytes(Deno.readFileSync(`${folder}/to`), content), flags.join());
      }
    }),
);
