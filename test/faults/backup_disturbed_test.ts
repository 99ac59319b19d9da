/** A source that is written to, or may be, while it is backed up. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { runBackup } from "../../cli/commands/backup.ts";
import { backupReport } from "../../cli/report/backup.ts";
import { backUpWithProgress, statusOf } from "../../cli/session/backup_run.ts";
import { openOrigin } from "../../cli/session/origin.ts";
import { openRepository } from "../../cli/session/open_repository.ts";
import { runRepoInit } from "../../cli/commands/repo.ts";
import { startSession } from "../../cli/session/session.ts";
import { readSnapshots } from "../../cli/backup/snapshots/snapshots.ts";
import { usedFor } from "../../cli/io/in_use.ts";
import { pickIo } from "../../cli/io/mod.ts";
import { DeviceWatch } from "../../cli/io/source_use.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { regrainExits } from "../helpers/cli.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";

const NAME = "vm/disk";
const CRASHED = "crash-consistent";

/** A raw disk and a repository. */
async function withPlace(
  fn: (place: { folder: string; image: string; repo: string }) => Promise<void>,
): Promise<void> {
  await withTempDir(async (folder) => {
    const place = { folder, image: `${folder}/vm.img`, repo: `${folder}/repo` };
    await runRepoInit({ repo: place.repo, quiet: true, chunkSize: "1M" });
    Deno.writeFileSync(place.image, new Uint8Array(1024 * 1024).fill(7));
    await fn(place);
  });
}

async function snapshots(repo: string): Promise<Snapshot[]> {
  const repository = await openRepository({ repo });
  try {
    return (await Array.fromAsync(readSnapshots(repository))).flatMap(({ snapshot }) => snapshot ?? []);
  } finally {
    repository.close();
  }
}

/** Backs a file up that another one writes to after it was opened. */
async function disturbed(
  image: string,
  flags: { repo: string; force?: boolean; live?: boolean },
  written = image,
): Promise<number> {
  Deno.utimeSync(written, 1e9, 1e9);
  const all = { ...flags, name: NAME, quiet: true };
  const session = startSession(all);
  const repository = await openRepository(all);
  try {
    const { console } = session;
    const report = backupReport(console);
    using origin = await openOrigin(image, { flags: all, session, repository, report });
    Deno.utimeSync(written, 1e9, 1e9 + 1);
    const watch = { phase: () => {}, learn: () => {} };
    const result = await backUpWithProgress(repository, { origin, flags: all, console, watch, report });
    report.done(result);
    return statusOf(origin, result);
  } finally {
    repository.close();
  }
}

Deno.test("A20: a VMDK with tables that is written to while it is backed up becomes no snapshot, unless by force", () =>
  withPlace(async ({ folder, repo }) => {
    const fixture = caseNamed("hosted-monolithic");
    await writeCase(fixture, folder);
    const image = `${folder}/${fixture.leaf}`;
    for (const live of [false, true]) {
      await assert.rejects(disturbed(image, { repo, live }), {
        code: "INPUT_CHANGED",
        path: image,
        hint: /no snapshot is made, with --live neither: .* --force makes it a warning/,
      });
    }
    assert.deepEqual(await snapshots(repo), []);
    assert.equal(await disturbed(image, { repo, force: true }), 3);
    assert.equal((await snapshots(repo))[0]!.consistency, CRASHED);
  }));

Deno.test("B6: a raw disk that is written to while it is read is marked, exit 3; --live says that it is meant", () =>
  withPlace(async ({ image, repo }) => {
    assert.equal(await disturbed(image, { repo }), 3);
    assert.equal(await disturbed(image, { repo, live: true }), 0);
    assert.equal(await runBackup(image, { repo, name: NAME, quiet: true }), 0);
    assert.equal(await runBackup(image, { repo, name: NAME, quiet: true, live: true }), 0);
    const marks = (await snapshots(repo)).map(({ consistency }) => consistency);
    assert.deepEqual(marks, [CRASHED, CRASHED, undefined, CRASHED]);
  }));

Deno.test("B6: the warning says what to do, lists and JSON have the mark, a copy keeps it", () =>
  withPlace(async ({ folder, image, repo }) => {
    const held = pickIo().openTarget(image, { force: false });
    const args = ["backup", image, "--name", NAME, "--repo", repo];
    const { stderr } = regrainExits(3, args);
    assert.match(
      stderr,
      /vm\.img: another program has it open for writing .* by --live/,
    );
    assert.doesNotMatch(regrainExits(0, [...args, "--live"]).stderr, /warning/);
    Deno.writeTextFileSync(`${folder}/list`, `vm/one ${image}\n`);
    const listed = regrainExits(3, ["backup", "--list", `${folder}/list`, "--repo", repo]);
    assert.match(listed.stdout, /not quiet while they were read: vm\/one$/m);
    held.close();
    assert.match(regrainExits(0, ["snapshots", "--repo", repo]).stdout, /full +crash-consistent$/m);
    regrainExits(0, ["repo", "init", "--repo", `${folder}/other`]);
    regrainExits(0, ["repo", "copy", "--to", `${folder}/other`, "--repo", repo]);
    const copies = await snapshots(`${folder}/other`);
    assert.deepEqual(copies.map(({ consistency }) => consistency), [CRASHED, CRASHED, CRASHED]);
  }));

testWithPeers(
  "B6: an image that QEMU has open for writing is told from one that it reads",
  ["qemu-io"],
  () =>
    withPlace(async ({ image }) => {
      const source = pickIo("linux").openSource(image);
      for (const [flags, said] of [[[], /open for writing/], [["-r"], undefined]] as const) {
        const child = new Deno.Command("qemu-io", {
          args: ["-f", "raw", ...flags, image],
          stdin: "piped",
          stdout: "piped",
          stderr: "null",
        }).spawn();
        const writer = child.stdin.getWriter();
        await writer.write(new TextEncoder().encode("read 0 512\n"));
        const reader = child.stdout.getReader();
        await reader.read();
        const use = source.inUse!();
        if (said === undefined) assert.equal(use, undefined);
        else assert.match(use!, said);
        await writer.close();
        while (!(await reader.read()).done);
        await child.status;
      }
      assert.equal(source.inUse!(), undefined);
      source.close();
    }),
);

Deno.test("B6: of a block device mounts count that can write, and the sectors that its driver counts", () => {
  const texts: Record<string, string> = {};
  const system = {
    readText: (path: string) => texts[path],
    list: () => [],
    identify: () => undefined,
  };
  const disk = { device: NaN, inode: NaN, rdev: 0x0810 };
  const mount = (options: string) => `36 1 8:16 / /mnt/vm rw,relatime - ext4 /dev/sdb ${options}\n`;
  assert.equal(usedFor(system, disk), undefined);
  texts["/proc/self/mountinfo"] = mount("ro,norecovery");
  assert.equal(usedFor(system, disk), undefined);
  texts["/proc/self/mountinfo"] = mount("rw");
  assert.match(usedFor(system, disk)!, /mounted at \/mnt\/vm/);

  const stat = "/sys/dev/block/8:16/stat";
  texts[stat] = "  10 0 80 1 20 3 160 4 0 5 6\n";
  const watch = new DeviceWatch(system, disk.rdev);
  texts[stat] = "  99 0 800 1 20 3 160 4 0 5 6\n";
  assert.equal(watch.changed(), undefined, "reading is no change");
  texts[stat] = "  99 0 800 1 21 3 168 4 0 5 6\n";
  assert.equal(watch.changed(), "8 sectors of it were written");
  delete texts[stat];
  assert.equal(watch.changed(), undefined);
});

Deno.test("B6: --hook-before runs before the source is opened, and nothing is backed up when it fails", () =>
  withPlace(async ({ folder, repo }) => {
    const args = ["backup", `${folder}/snap.img`, "--name", NAME, "--repo", repo];
    const made = `cp '${folder}/vm.img' '${folder}/snap.img'; env | grep ^REGRAIN_NAME=`;
    assert.match(regrainExits(0, [...args, "--hook-before", made]).stderr, /^REGRAIN_NAME=vm\/disk$/m);
    const { stderr } = regrainExits(6, [...args, "--hook-before", "exit 7"]);
    assert.match(stderr, /--hook-before ended with exit status 7, and nothing was backed up \[HOOK_FAILED\]/);
    assert.equal((await snapshots(repo)).length, 1);
  }));
