/** Backups whose terminal or ssh session goes away, and who else learns of it. */
import assert from "node:assert/strict";
import { Rng } from "../../fixtures/mod.ts";
import { MIB } from "../../core-as/host/units.ts";
import { expire, Intent } from "../../cli/backup/signs/intents.ts";
import { describeActive, runningBackups } from "../../cli/backup/signs/active.ts";
import { collectGarbage } from "../../cli/backup/collect/gc.ts";
import { backupLine } from "../../cli/report/active_backups.ts";
import { regrainCommand } from "../helpers/cli.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { withTempDir } from "../helpers/peers.ts";
import { backUpLetters, memoryRepository } from "../backup_cli/memory_repository.ts";
import { RepositoryFolder } from "../backup_cli/repository_folder.ts";
import { PROGRAM } from "../helpers/program.ts";

const onUnix = { ignore: Deno.build.os === "windows" };

/** A backup that reads slowly, and is held until it has an intent. */
async function slowBackup(
  repository: RepositoryFolder,
  args: readonly string[] = [],
): Promise<Deno.ChildProcess> {
  const image = `${repository.folder}/slow.img`;
  Deno.writeFileSync(image, new Rng(3).bytes(32 * MIB));
  const flags = ["--name", "vm/slow", "--rate-limit", "2M", "--repo", repository.path, ...args];
  const child = regrainCommand(["backup", image, ...flags], { stdout: "piped", stderr: "piped" }).spawn();
  // It listens to signals before it puts its intent, and stores a chunk after that.
  await nextChunk(repository);
  return child;
}

/** Returns when a chunk was stored that is not there yet. */
async function nextChunk(repository: RepositoryFolder): Promise<void> {
  const before = repository.keys("chunks/").length;
  while (repository.keys("chunks/").length === before) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test({
  ...onUnix,
  name: "B10: SIGHUP stops a backup with 129, leaves the sign that it failed, and gc waits for nobody",
  fn: () =>
    withTempDir(async (folder) => {
      const repository = RepositoryFolder.create(folder);
      const child = await slowBackup(repository);
      child.kill("SIGHUP");
      const { code, signal, stderr } = await child.output();
      const said = new TextDecoder().decode(stderr);
      assert.deepEqual([code, signal], [129, null], said);
      assert.match(said, /stopped by SIGHUP \[HUNG_UP\]/);
      assert.equal(repository.keys("active/").filter((key) => key.endsWith("/failed")).length, 1);
      assert.match(repository.run(["gc", "--wait", "0s"]).stdout, /^[1-9]\d* objects? removed/);
    }),
});

Deno.test({
  ...onUnix,
  name: "B10: a backup whose output nobody reads any more leaves its sign all the same",
  fn: () =>
    withTempDir(async (folder) => {
      const repository = RepositoryFolder.create(folder);
      const child = await slowBackup(repository, ["--progress", "lines", "-v"]);
      await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
      child.kill("SIGUSR2");
      child.kill("SIGHUP");
      assert.equal((await child.status).code, 129);
      assert.equal(repository.keys("active/").filter((key) => key.endsWith("/failed")).length, 1);
    }),
});

Deno.test({
  ...onUnix,
  name: "B10: a backup under nohup goes on when its terminal is gone",
  fn: () =>
    withTempDir(async (folder) => {
      const repository = RepositoryFolder.create(folder);
      const image = `${folder}/vm.img`;
      Deno.writeFileSync(image, new Rng(4).bytes(4 * MIB));
      const backup = ["backup", image, "--name", "vm/d", "--rate-limit", "2M", "--repo", repository.path];
      const child = new Deno.Command("nohup", {
        args: [Deno.execPath(), "run", "-A", PROGRAM, ...backup],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      await nextChunk(repository);
      child.kill("SIGHUP");
      assert.equal((await child.status).code, 0);
      repository.run(["verify", "--deep"]);
    }),
});

Deno.test("B10: repo active lists backups by disk, host and time, and says which are silent or dead", async () => {
  const store = new MemoryStore();
  const repository = await memoryRepository(store);
  await backUpLetters(repository, "ab");
  const minutes = [200, 20, 31 + 24 * 60];
  const nowMs = repository.world.nowMs();
  const ids: string[] = [];
  for (const [i, ago] of minutes.entries()) {
    const id = repository.newId();
    const name = i === 1 ? "db/new" : "web01/disk-0";
    await Intent.open(repository, { id, source: await repository.sourceKey(name), name });
    const key = `active/${id}/intent.json`;
    store.objects.set(key, { ...store.objects.get(key)!, modifiedMs: nowMs - ago * 60_000 });
    ids.push(id);
  }
  const listed = await runningBackups(repository);
  assert.deepEqual(listed.map(({ id, disk, host, state }) => [id, disk, host, state]), [
    [ids[2], "web01/disk-0", "host", "dead"],
    [ids[0], "web01/disk-0", "host", "silent"],
    [ids[1], "db/new", "host", "running"],
  ]);
  assert.deepEqual(listed.map(({ sinceMs }) => nowMs - sinceMs), [
    minutes[2]! * 60_000,
    200 * 60_000,
    20 * 60_000,
  ]);

  // One that ended is not listed, nor one that said that it failed, nor one that was taken for dead.
  await expire(repository, ids[0]!);
  store.objects.set(`active/${ids[1]}/failed`, store.objects.get(`active/${ids[1]}/intent.json`)!);
  assert.deepEqual((await runningBackups(repository)).map(({ id }) => id), [ids[2]]);
});

Deno.test("B10: the first backup of a disk is listed by its name, which encryption hides from others", async () => {
  for (const master of [undefined, new Uint8Array(32).fill(7)]) {
    const store = new MemoryStore();
    const repository = await memoryRepository(store, { master });
    const [id, older] = [repository.newId(), repository.newId()];
    const source = await repository.sourceKey("db/new");
    await Intent.open(repository, { id, source, name: "db/new" });
    const text = new TextDecoder().decode(store.objects.get(`active/${id}/intent.json`)!.bytes);
    assert.equal(text.includes("db/new"), master === undefined);
    // As versions before this one wrote it.
    const bytes = new TextEncoder().encode(JSON.stringify({ source, host: "host", tool: "regrain 0.1.0" }));
    await store.put(`active/${older}/intent.json`, bytes);
    const listed = new Map((await runningBackups(repository)).map((backup) => [backup.id, backup]));
    assert.deepEqual([listed.get(id)!.disk, listed.get(id)!.key], ["db/new", source]);
    assert.equal(listed.get(older)!.disk, undefined);
    assert.ok(backupLine(listed.get(older)!).includes(`a disk without a snapshot (${source}) on host`));
  }
});

Deno.test("B10: gc names the backups that it waits for, and who they are", async () => {
  const repository = await memoryRepository();
  const { source, id } = await backUpLetters(repository, "ab");
  await repository.store.remove([`snaps/${source.key}/${id}.json`]);
  const waiting = repository.newId();
  await Intent.open(repository, { id: waiting, source: source.key, name: source.name });
  const named: string[] = [];
  const { waitedFor, removedObjects } = await collectGarbage(repository, {
    waitMs: 0,
    onUnderWay: async (backups) => {
      for (const { id, host } of await describeActive(repository, backups)) named.push(`${id} ${host}`);
    },
    onNotice: () => undefined,
  });
  assert.deepEqual([waitedFor, removedObjects, named], [[waiting], 0, [`${waiting} host`]]);
});

Deno.test("B10: gc and repo active print disk, host and time of a backup that was killed, and the hint works", () =>
  withTempDir(async (folder) => {
    const repository = RepositoryFolder.create(folder);
    const id = repository.backUp("ab");
    repository.run(["forget", id]);
    const child = await slowBackup(repository);
    child.kill("SIGKILL");
    await child.output();
    const line =
      /vm\/slow on \S+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, last sign \d+ \w+ ago: [0-9A-Z]{26}$/m;
    assert.match(repository.run(["repo", "active"]).stdout, line);
    const [backup, summary] = repository.json(["repo", "active"]);
    assert.deepEqual([backup!.state, summary!.backups], ["running", 1]);
    const { stderr } = repository.run(["gc", "--wait", "0s"], 3);
    assert.match(stderr, line);
    assert.match(
      stderr,
      /1 backup did not end in time: [0-9A-Z]{26}; run it again, or with --expire-after 30m/,
    );
    repository.run(["gc", "--expire-after", "0s"]);
    assert.match(repository.run(["repo", "active"]).stderr, /no backup is running/);
  }));
