/** Disks of one VM as one moment: made, listed, restored, kept and removed together. */
import assert from "node:assert/strict";
import { choose } from "../../cli/backup/snapshots/choose.ts";
import { copySnapshot, copyVms, CopyWorld, readCopies } from "../../cli/backup/make/copy.ts";
import { forget } from "../../cli/backup/keep/forget.ts";
import { collectGarbage } from "../../cli/backup/collect/gc.ts";
import { hold, release } from "../../cli/backup/keep/holds.ts";
import { InlineLanes } from "../../cli/backup/lanes.ts";
import { prune } from "../../cli/backup/keep/prune.ts";
import type { Repository } from "../../cli/backup/repository.ts";
import { checkStructure } from "../../cli/backup/verify/structure.ts";
import { findVm, listVms, putVm } from "../../cli/backup/snapshots/vms.ts";
import { snapshotKey, type VmSnapshot } from "../../core-as/host/repo/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainCommand } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { backUpLetters, memoryRepository, steppedWorld } from "./memory_repository.ts";
import { diskOf, RepositoryFolder } from "./repository_folder.ts";

const VM = "web01";
const LATEST = { name: VM, which: "latest" };

/** A moment of two disks whose chunks are the letters. */
async function backUpVm(repository: Repository, letters: readonly [string, string]): Promise<VmSnapshot> {
  const disks = new Map();
  for (const [i, each] of letters.entries()) {
    disks.set(`disk-${i}`, await backUpLetters(repository, each, `${VM}/disk-${i}`));
  }
  return await putVm(repository, { name: VM, disks, configs: [{ name: "web01.vmx", base64: "eA==" }] });
}

const idsOf = async (repository: Repository) => (await repository.listSnapshots()).map(({ id }) => id);
const quiet = { onNotice: () => undefined };

Deno.test("B15: disks and files of a VM whose names differ in case alone are refused before anything is stored", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const image = `${folder}/a.img`;
    Deno.writeFileSync(image, diskOf("a"));
    Deno.writeTextFileSync(`${folder}/WEB01.vmx`, "x");
    Deno.mkdirSync(`${folder}/other`);
    Deno.writeTextFileSync(`${folder}/other/web01.vmx`, "y");
    Deno.writeTextFileSync(`${folder}/other/Disk-0.IMG`, "z");
    const usage = { code: "USAGE", exit: 2 };
    const words = ["backup", "--vm", VM, `disk-0=${image}`];
    for (const label of ["disk-0", "DISK-0"]) {
      const { hint } = repository.refuses(usage, [...words, `${label}=${image}`]);
      assert.ok(hint!.includes(`such as ${label}b`), hint);
    }
    const pipe = repository.refuses(usage, ["backup", "--vm", VM, "disk-0=-"]);
    assert.match(pipe.hint!, /^without --vm: regrain backup - --name web01\/disk-0$/);
    repository.refuses(usage, [...words, `Stra\u00dfe=${image}`, `STRASSE=${image}`]);
    repository.refuses(usage, [...words, `e\u0301=${image}`, `\u00e9=${image}`]);
    const [upper, lower] = [`${folder}/WEB01.vmx`, `${folder}/other/web01.vmx`];
    repository.refuses(usage, [...words, "--config", upper, "--config", lower]);
    repository.refuses(usage, [...words, "--config", `${folder}/other/Disk-0.IMG`]);
    assert.deepEqual([...repository.keys("snaps/"), ...repository.keys("vms/")], []);
    repository.run([...words, `DISK-0b=${image}`, "--config", upper]);
  }));

Deno.test("B15: --vm makes one moment of two disks, and restore VM@latest DIR/ writes both and the vmx", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const [a, b, vmx] = [diskOf("ab"), diskOf("c.d"), new TextEncoder().encode('displayName = "web01"\n')];
    Deno.writeFileSync(`${folder}/a.img`, a);
    Deno.writeFileSync(`${folder}/b.img`, b);
    Deno.writeFileSync(`${folder}/web01.vmx`, vmx);
    const words = ["backup", "--vm", VM, `disk-0=${folder}/a.img`, `disk-1=${folder}/b.img`];
    // One that is not there: nothing of the VM is seen, nor of its other disks.
    repository.refuses({ code: "NOT_FOUND", exit: 4 }, [...words, `disk-2=${folder}/gone.img`]);
    assert.deepEqual([...repository.keys("vms/"), ...repository.keys("snaps/")], []);
    const made = repository.json([...words, "--config", `${folder}/web01.vmx`]).at(-1)!;
    assert.deepEqual([made.type, made.name, made.configs], ["summary", VM, ["web01.vmx"]]);
    const listed = repository.json(["snapshots"]).find(({ type }) => type === "vm")!;
    assert.deepEqual([listed.id, listed.damage], [made.id, null]);
    assert.match(
      repository.run(["snapshots"]).stdout,
      /web01 {2}VM, 1 snapshot\n.*disk-0, disk-1, web01\.vmx/,
    );
    const out = `${folder}/out/`;
    repository.run(["restore", `${VM}@latest`, out]);
    assertFileHolds(`${out}disk-0.img`, a);
    assertFileHolds(`${out}disk-1.img`, b);
    assertFileHolds(`${out}web01.vmx`, vmx);
    const again = ["restore", `${VM}@latest`, out];
    assert.match(repository.refuses({ code: "TARGET_UNSUITABLE", exit: 2 }, again).hint!, /--force/);
    repository.run([...again, "--force"]);
    const { hint } = repository.refuses({ code: "USAGE", exit: 2 }, ["restore", VM, `${folder}/file`]);
    assert.match(hint!, /DIR\//);
  }));

Deno.test("B15: a file where the folder of a VM is to be is refused, and a restore that ended early goes on", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    Deno.writeFileSync(`${folder}/a.img`, diskOf("ab"));
    Deno.writeFileSync(`${folder}/b.img`, diskOf("cd"));
    repository.run(["backup", "--vm", VM, `disk-0=${folder}/a.img`]);
    const before = repository.keys("chunks/");
    repository.run(["backup", "--vm", VM, `disk-0=${folder}/a.img`, `disk-1=${folder}/b.img`]);
    const inTheWay = ["restore", `${VM}@latest`, `${folder}/a.img/`];
    repository.refuses({ code: "TARGET_UNSUITABLE", exit: 2 }, inTheWay);
    repository.remove(repository.keys("chunks/").find((key) => !before.includes(key))!);
    const command = ["restore", `${VM}@latest`, `${folder}/out/`];
    const { hint } = repository.refuses({ code: "CHUNK_MISSING", exit: 4 }, command);
    assert.match(hint!, /--damaged zeros.*; add --force, which writes the disk that is finished once more$/s);
    repository.run([...command, "--damaged", "zeros", "--force"], 3);
    assertFileHolds(`${folder}/out/disk-0.img`, diskOf("ab"));
  }));

Deno.test("B15: a disk that is written to while another one is read makes exit 3, or is meant by --live", () =>
  withTempDir(async (folder) => {
    const repository = RepositoryFolder.create(folder);
    Deno.writeFileSync(`${folder}/a.img`, diskOf("ab"));
    Deno.writeFileSync(`${folder}/b.img`, diskOf("cdefghijklmnopqrstuvwxyz"));
    const words = [
      "backup",
      "--vm",
      VM,
      `disk-0=${folder}/a.img`,
      `disk-1=${folder}/b.img`,
      "--rate-limit",
      "8M",
    ];
    for (const live of [false, true]) {
      const args = [...words, ...live ? ["--live"] : [], "--repo", repository.path, "--json"];
      const child = regrainCommand(args, { stdout: "piped", stderr: "piped" }).spawn();
      const [lines, told] = [child.stdout, child.stderr].map((each) =>
        each.pipeThrough(new TextDecoderStream())
      );
      const warned = Array.fromAsync(told!);
      let out = "";
      for await (const text of lines!) {
        // The first disk is stored by then, and the second has seconds to go.
        if (!out.includes('"type":"disk"') && (out + text).includes('"type":"disk"')) {
          Deno.writeFileSync(`${folder}/a.img`, diskOf(live ? "xy" : "yz"));
        }
        out += text;
      }
      assert.equal((await child.status).code, live ? 0 : 3, out);
      assert.equal((await warned).join("").includes("a.img: it was changed while it was read"), !live);
    }
  }));

Deno.test("B15: a VM is verified and copied by its name, and other commands name its disks", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    for (const name of ["a", "b"]) Deno.writeFileSync(`${folder}/${name}.img`, diskOf(name));
    repository.run(["backup", "--vm", VM, `disk-0=${folder}/a.img`, `disk-1=${folder}/b.img`]);
    for (const spec of [VM, `${VM}@latest`]) {
      assert.equal(repository.json(["verify", spec]).at(-1)!.snapshots, 2);
    }
    RepositoryFolder.create(folder, "other");
    assert.equal(repository.json(["repo", "copy", VM, "--to", `${folder}/other`]).at(-1)!.copied, 2);
    for (const command of [["prune", VM, "--keep-last", "1"], ["diff", VM, VM]]) {
      const { hint } = repository.refuses({ code: "USAGE", exit: 2 }, command);
      assert.equal(hint, `one of its disks: ${VM}/disk-0, ${VM}/disk-1`);
    }
  }));

Deno.test("B15: a VM of which a disk is held stays, and the hint of forget lets it go", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    for (const name of ["a", "b"]) Deno.writeFileSync(`${folder}/${name}.img`, diskOf(name));
    const words = ["backup", "--vm", VM, `disk-0=${folder}/a.img`, `disk-1=${folder}/b.img`];
    const id = repository.json(words).at(-1)!.id as string;
    repository.run(["hold", `${VM}/disk-0@latest`]);
    const { stderr } = repository.run(["forget", id], 3);
    const hints = new Set([...stderr.matchAll(/regrain (release \S+)/g)].map(([, line]) => line!));
    assert.equal(hints.size, 1, stderr);
    assert.doesNotMatch(stderr, /disk-1@\S+ is held/);
    assert.match(repository.run([...hints][0]!.split(" ")).stdout, /is held no more/);
    repository.run(["forget", id]);
    assert.deepEqual([...repository.keys("vms/"), ...repository.keys("snaps/")], []);
  }));

Deno.test("B15: hold VM@WHICH holds all disks of that moment, and release takes all holds away", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const words = ["backup", "--vm", VM, `disk-0=${folder}/a.img`, `disk-1=${folder}/b.img`];
    const makeMoment = () => {
      for (const name of ["a", "b"]) Deno.writeFileSync(`${folder}/${name}.img`, diskOf(name));
      return repository.json(words).at(-1)!.id as string;
    };
    const first = makeMoment();
    const second = makeMoment();
    const held = repository.json(["hold", `${VM}@${first.slice(0, 24)}`, "--reason", "audit"]).at(-1)!;
    assert.deepEqual([held.id, held.name, (held.disks as unknown[]).length], [first, VM, 2]);
    assert.equal(repository.keys("holds/").length, 2);
    repository.run(["prune", "--keep-last", "1"]);
    assert.equal(repository.keys("vms/").length, 2);
    assert.match(
      repository.run(["release", `${VM}@${first}`]).stdout,
      /is held no more, nor is any of its disks/,
    );
    assert.match(repository.run(["release", `${VM}@${first}`]).stdout, /was not held/);
    repository.run(["prune", "--keep-last", "1"]);
    assert.deepEqual(repository.keys("vms/").map((key) => key.includes(second)), [true]);
    repository.refuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ["hold", `${VM}@${first}`]);
  }));

Deno.test("B15: a disk of a VM run that died is in no moment of the VM, and takes no whole moment's place", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const write = (letter: string) => {
      for (const name of ["a", "b"]) Deno.writeFileSync(`${folder}/${name}.img`, diskOf(name + letter));
    };
    const run = [
      "backup",
      "--vm",
      VM,
      `disk-0=${folder}/a.img`,
      `disk-1=${folder}/b.img`,
      "--progress",
      "none",
    ];
    write("1");
    repository.run(run);
    const whole = repository.keys("snaps/");
    write("2");
    repository.run(run);
    // As if it had died before the last disk.
    for (const key of repository.keys("vms/").slice(1)) repository.remove(key);
    const [stray, last] = repository.keys("snaps/").filter((key) => !whole.includes(key));
    repository.remove(last!);
    const { stdout } = repository.run(["snapshots"]);
    assert.equal(stdout.match(/in no moment of VM web01$/gm)?.length, 1, stdout);
    const lines = repository.json(["snapshots"]).filter(({ type }) => type === "snapshot");
    assert.deepEqual(lines.map(({ vm, isInMoment }) => [vm, isInMoment]).toSorted(), [
      [VM, false],
      [VM, true],
      [VM, true],
    ]);
    // The newest of its disk may be of a run that goes on.
    repository.run(["prune", "--keep-last", "1"]);
    assert.equal(repository.keys("snaps/").length, 3);
    write("3");
    repository.run(run);
    repository.run(["prune", "--keep-last", "2"]);
    assert.equal(repository.keys("vms/").length, 2, "two whole moments, whatever is between them");
    repository.run(["prune", "--keep-last", "1"]);
    assert.ok(!repository.keys("snaps/").includes(stray!));
    assert.equal(repository.keys("vms/").length, 1);
  }));

Deno.test("B15: a run that ends half-way shows no VM snapshot, and the one before stays the latest", async () => {
  const repository = await memoryRepository();
  const before = await backUpVm(repository, ["ab", "c."]);
  await backUpLetters(repository, "xy", `${VM}/disk-0`);
  assert.equal((await findVm(repository, LATEST)).id, before.id);
  const names = await repository.listSnapshots();
  const disks = new Map([["disk-0", (await repository.readSnapshot(names.at(-1)!))!]]);
  await repository.store.remove([names.at(-1)!.key]);
  // A prune took a disk before the manifest was written.
  await assert.rejects(putVm(repository, { name: VM, disks, configs: [] }), { code: "SNAPSHOT_MISSING" });
  assert.equal((await listVms(repository)).length, 1);
});

Deno.test("B15: prune keeps or removes the disks of a VM snapshot as one, and gc leaves what one needs", async () => {
  const repository = await memoryRepository();
  const first = await backUpVm(repository, ["a.", "b."]);
  const second = await backUpVm(repository, ["c.", "d."]);
  const policy = { last: 1 };
  await hold(repository, first.disks[1]!.id);
  // One disk newer by itself: its VM snapshot is kept for the other disk.
  await backUpLetters(repository, "e.", `${VM}/disk-0`);
  assert.deepEqual((await prune(repository, { policy, ...quiet })).removed, []);
  await release(repository, first.disks[1]!.id);
  const { source } = first.disks[1]!;
  assert.deepEqual((await prune(repository, { policy, source: source.key, ...quiet })).removed, []);
  const { removed, fates } = await prune(repository, { policy, ...quiet });
  assert.deepEqual([...removed].sort(), first.disks.map(({ id }) => id).sort());
  const kept = fates.find(({ snapshot }) => snapshot.id === second.disks[0]!.id)!;
  assert.deepEqual(kept.reasons, [`part of ${VM}@${second.id}`]);
  assert.deepEqual((await listVms(repository)).map(({ id }) => id), [second.id]);
  await collectGarbage(
    repository,
    { waitMs: 0, expireAfterMs: 1e9, dryRun: false, onNotice: () => undefined } as never,
  );
  for (const { id, source: { key } } of second.disks) {
    const snapshot = await repository.readSnapshot({ key: snapshotKey(key, id, "zst"), source: key, id });
    for await (const { page } of repository.pages(snapshot!)) {
      const entry = page.get(0)!;
      assert.equal((await repository.readChunk(entry, snapshot!.chunkBytes)).length, snapshot!.chunkBytes);
    }
  }
  assert.deepEqual(
    (await checkStructure(repository)).findings.map(({ what }) => what).includes("stray"),
    false,
  );
});

Deno.test("B15: forget removes a VM snapshot as one, and no disk out of it", async () => {
  const repository = await memoryRepository();
  const vm = await backUpVm(repository, ["a.", "b."]);
  const [disk] = await forget(repository, [vm.disks[0]!.id], { dryRun: false });
  assert.deepEqual([disk!.fate, disk!.vm], ["part", vm.id]);
  await hold(repository, vm.disks[1]!.id);
  const held = await forget(repository, [vm.id], { dryRun: false });
  assert.deepEqual(new Set(held.map(({ fate }) => fate)), new Set(["held"]));
  assert.equal((await idsOf(repository)).length, 2);
  await release(repository, vm.disks[1]!.id);
  await forget(repository, [vm.id], { dryRun: false });
  assert.deepEqual([await idsOf(repository), await listVms(repository)], [[], []]);
});

Deno.test("B15: a VM snapshot whose disk is gone is an error that names it, not an older moment", async () => {
  const repository = await memoryRepository();
  await backUpVm(repository, ["a.", "b."]);
  const vm = await backUpVm(repository, ["c.", "d."]);
  const [, { source, id }] = vm.disks as [unknown, VmSnapshot["disks"][number]];
  await repository.store.remove([snapshotKey(source.key, id, "zst")]);
  const missing = { code: "SNAPSHOT_MISSING", message: new RegExp(`${VM}/disk-1@${id} is gone`) };
  await assert.rejects(findVm(repository, LATEST), missing);
  const { damaged } = await choose(repository, [], () => undefined);
  assert.deepEqual(damaged.map((each) => each.name.id), [vm.id], "verify and copy tell of it");
  const [{ key }] = (await listVms(repository)).slice(-1) as unknown as [{ key: string }];
  await repository.store.remove([key]);
  await repository.store.put(key, new TextEncoder().encode("{}"));
  await assert.rejects(findVm(repository, LATEST), { code: "SNAPSHOT_DAMAGED" });
  const refused = prune(repository, { policy: { last: 1 }, ...quiet });
  await assert.rejects(refused, { code: "SNAPSHOT_DAMAGED", hint: new RegExp(`regrain forget ${vm.id}`) });
  await forget(repository, [vm.id], { dryRun: false });
  await prune(repository, { policy: { last: 1 }, ...quiet });
});

Deno.test("B15: a copy of a repository has its VM snapshots once, with the copies of their disks", async () => {
  const [from, to] = [await memoryRepository(), await memoryRepository()];
  const vm = await backUpVm(from, ["a.", "b."]);
  const copies = await readCopies(to);
  const lanes = await InlineLanes.open(to.laneSetup);
  const options = { lanes, world: new CopyWorld(steppedWorld()), ...quiet };
  const { snapshots } = await choose(from, [], () => undefined);
  assert.equal(await copyVms({ from, to }, copies), 0);
  for (const each of snapshots) await copySnapshot({ from, to }, each, { originals: [], copies }, options);
  assert.equal(await copyVms({ from, to }, copies), 1);
  assert.equal(await copyVms({ from, to }, await readCopies(to)), 0);
  const copy = await findVm(to, LATEST);
  assert.deepEqual(
    copy.disks.map(({ label, root }) => [label, root]),
    vm.disks.map((d) => [d.label, d.root]),
  );
  assert.deepEqual([copy.created, copy.configs], [vm.created, vm.configs]);
});
