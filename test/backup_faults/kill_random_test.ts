/** kill -9 of larger backups, restores and collections at random moments, again and again. */
import assert from "node:assert/strict";
import { MIB } from "../../core-as/host/units.ts";
import { Rng } from "../../fixtures/mod.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { regrainCommand } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { countOf } from "../helpers/tiers.ts";
import {
  assertReadsAs,
  assertTidy,
  assertWholeObjects,
  backUpBytes,
  collectLater,
  filesBelow,
  makeRepository,
  openRepository,
} from "./repositories.ts";

const DISK_MIB = 24;
const ROUNDS = countOf({ share: 4, full: 12 });
/** A run that takes so long ends by the limit of the whole job, not by ours. */
const NEVER_MS = 2 ** 31 - 1;

/** Runs the program, and kills it after some time; true when it was quicker. */
async function endsBefore(killMs: number, args: readonly string[]): Promise<boolean> {
  const child = regrainCommand(args, { stdout: "null", stderr: "piped" }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  const timer = setTimeout(() => kill(child, () => ended), killMs);
  const { code, signal, stderr } = await child.output();
  await status;
  clearTimeout(timer);
  assert.ok(code === 0 || signal === "SIGKILL", new TextDecoder().decode(stderr));
  return code === 0;
}

/** Kills it, unless it ended in this very moment: then there is nothing to kill, and its own exit status counts. */
function kill(child: Deno.ChildProcess, hasEnded: () => boolean): void {
  if (hasEnded()) return;
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** How long the program takes when nobody kills it. */
async function timeOf(args: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  assert.ok(await endsBefore(NEVER_MS, args));
  return performance.now() - startedMs;
}

Deno.test("backups killed at random moments lose nothing, and the next one completes", () =>
  withTempDir(async (folder) => {
    const rng = new Rng(71);
    const repo = `${folder}/repo`;
    await makeRepository(repo);
    let disk = rng.bytes(DISK_MIB * MIB);
    const disks: Record<string, Uint8Array> = { first: disk };
    Deno.writeFileSync(`${folder}/disk`, disk);
    const backup = ["backup", `${folder}/disk`, "--repo", repo, "--name", "vm/disk"];
    const fullMs = await timeOf(backup);
    const counts = { done: 0, killed: 0, seen: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      disk = rng.bytes(DISK_MIB * MIB);
      disks[round] = disk;
      Deno.writeFileSync(`${folder}/disk`, disk);
      const before = filesBelow(`${repo}/snaps`).length;
      const done = await endsBefore(fullMs * (0.3 + rng.int(80) / 100), backup);
      counts[done ? "done" : "killed"]++;
      assertWholeObjects(repo, `round ${round}`);
      const isSeen = filesBelow(`${repo}/snaps`).length > before;
      if (done) assert.ok(isSeen, `round ${round}: was reported, and is not there`);
      else if (isSeen) counts.seen++;
      if (!isSeen) delete disks[round];
    }
    await backUpBytes(await openRepository(repo), disk);
    disks.last = disk;
    const repository = await openRepository(repo);
    const found = await assertReadsAs(repository, disks, "at the end");
    assert.equal(found.length, Object.keys(disks).length);
    await collectLater(repo);
    await assertTidy(repo, "at the end");
    console.log(`${ROUNDS} backups: ${JSON.stringify(counts)}; ${found.length} snapshots restored`);
  }));

Deno.test("a restore killed at random moments is carried on with, and ends with the right image", () =>
  withTempDir(async (folder) => {
    const rng = new Rng(72);
    const repo = `${folder}/repo`;
    const disk = rng.bytes(3 * DISK_MIB * MIB);
    disk.fill(0, 5 * MIB, 9 * MIB);
    await backUpBytes(await makeRepository(repo), disk);
    const image = `${folder}/image`;
    const restore = ["restore", "vm/disk", image, "--repo", repo];
    const fullMs = await timeOf(restore);
    let killed = 0;
    for (let round = 0; round < countOf({ share: 2, full: 4 }); round++) {
      Deno.removeSync(image);
      for (
        let tries = 0;
        !await endsBefore(fullMs * (0.2 + tries * 0.1 + rng.int(30) / 100), restore);
        tries++
      ) {
        assert.throws(() => Deno.statSync(image), Deno.errors.NotFound, "half an image is seen");
        killed++;
        assert.ok(tries < 60, "the restore never completes");
      }
      assert.ok(sameBytes(Deno.readFileSync(image), disk), `round ${round}`);
      assert.deepEqual(filesBelow(folder).filter((path) => path.startsWith(`${image}.`)), []);
    }
    console.log(`restore killed ${killed} times`);
  }));

Deno.test("collections killed at random moments remove nothing that is needed", () =>
  withTempDir(async (folder) => {
    const rng = new Rng(73);
    const repo = `${folder}/repo`;
    const repository = await makeRepository(repo);
    const disks: Record<string, Uint8Array> = {};
    const counts = { done: 0, killed: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      // Small chunks by the hundred, that a collection takes a while to remove.
      const disk = new Uint8Array(150 * MIB);
      for (let at = 0; at < disk.length; at += MIB) disk.set(rng.bytes(200), at);
      const { snapshot } = await backUpBytes(await openRepository(repo), disk);
      const kept = new Uint8Array(disk.subarray(0, 20 * MIB));
      await backUpBytes(await openRepository(repo), kept, { name: "vm/kept" });
      disks[round] = kept;
      await repository.store.remove([`snaps/${snapshot.source.key}/${snapshot.id}.json`]);
      const done = await endsBefore(60 + rng.int(200), ["gc", "--repo", repo]);
      counts[done ? "done" : "killed"]++;
    }
    assertWholeObjects(repo, "at the end");
    const found = await assertReadsAs(await openRepository(repo), disks, "at the end");
    assert.deepEqual(found, Object.keys(disks));
    await collectLater(repo);
    await assertTidy(repo, "at the end");
    console.log(`${ROUNDS} collections: ${JSON.stringify(counts)}`);
  }));
