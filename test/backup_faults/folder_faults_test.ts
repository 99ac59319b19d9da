/**
 * A folder repository whose store fails, is full, may not be written, or is gone: the run ends with that error, nothing
 * that can be seen is wrong, and the next run completes.
 */
import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/errors.ts";
import { MIB } from "../../core-as/host/units.ts";
import { collectGarbage } from "../../cli/backup/collect/gc.ts";
import { WorkerLanes } from "../../cli/backup/lanes.ts";
import { backUp } from "../../cli/backup/make/backup.ts";
import { planFull } from "../../cli/backup/make/origins.ts";
import { FolderStore } from "../../cli/store/folder/store.ts";
import { Rng } from "../../fixtures/mod.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { memorySource } from "../helpers/memory.ts";
import { run, testWithPeers, withMount, withTempDir } from "../helpers/peers.ts";
import { FailingStore, type Failure } from "./failing_store.ts";
import { inTime } from "../helpers/hangs.ts";
import {
  assertReadsAs,
  assertTidy,
  assertWholeObjects,
  backUpBytes,
  bytesOf,
  collectLater,
  DAY_MS,
  diskOf,
  filesBelow,
  makeRepository,
  openRepository,
} from "./repositories.ts";

const BEFORE = diskOf("AB.CCD", 512 * 7);
/** More chunks than there are buffers and places for tasks. */
const AFTER = diskOf(`AE.CFG${"abcdefghijklmnopqrstuvwxyz".repeat(2)}`, 512 * 7);
const DISKS = { before: BEFORE, after: AFTER };
const FAILURES: readonly Failure[] = ["once", "from-there-on", "lost"];
/** The code of the error that something ends with; `undefined` when it goes well. */
async function codeOf(what: string, promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await inTime(what, promise);
    return undefined;
  } catch (error) {
    if (error instanceof RegrainError) return error.code;
    throw error;
  }
}

/** A repository with one snapshot. */
async function withRepository(fn: (repo: string, folder: string) => Promise<void>): Promise<void> {
  await withTempDir(async (folder) => {
    const repo = `${folder}/repo`;
    await backUpBytes(await makeRepository(repo), BEFORE);
    await fn(repo, folder);
  });
}

for (const how of FAILURES) {
  Deno.test(`a backup ends with the store's error when a call fails (${how}), and the next one completes`, () =>
    withTempDir(async (folder) => {
      let runs = 0;
      for (let at = 0;; at += at < 12 ? 1 : 7) {
        const what = `call ${at}, ${how}`;
        const repo = `${folder}/repo`;
        const repository = await makeRepository(repo);
        await backUpBytes(repository, BEFORE);
        const failing = new FailingStore(new FolderStore(repo), { at: at + 1, how });
        const code = await codeOf(what, openRepository(failing).then((each) => backUpBytes(each, AFTER)));
        assert.equal(code, failing.calls > at + 1 ? "STORE_FAILED" : undefined, what);
        assertWholeObjects(repo, what);
        // A manifest whose answer was lost stands there, and its backup said that it failed.
        const doubtful = how === "lost" && failing.failedPut?.startsWith("snaps/") ? 1 : 0;
        const there = await assertReadsAs(repository, DISKS, what, doubtful);
        assert.ok(code !== undefined || there.length === 2, `${what}: a false success`);
        await backUpBytes(await openRepository(repo), AFTER);
        await collectLater(repo);
        const last = await assertReadsAs(repository, DISKS, what, doubtful);
        assert.deepEqual(last.slice(there.length), ["after"], what);
        await assertTidy(repo, what);
        await Deno.remove(repo, { recursive: true });
        if (code === undefined) break;
        runs++;
      }
      console.log(`${runs} backups failed (${how})`);
      assert.ok(runs > 15);
    }));

  Deno.test(`a collection and a restore end with the store's error when a call fails (${how})`, () =>
    withTempDir(async (folder) => {
      let runs = 0;
      let open = { gc: true, restore: true };
      for (let at = 0; open.gc || open.restore; at++) {
        const what = `call ${at}, ${how}`;
        const repo = `${folder}/repo`;
        const repository = await makeRepository(repo);
        const { snapshot } = await backUpBytes(repository, BEFORE);
        const doomed = await backUpBytes(repository, diskOf("XYZ"), { name: "vm/other" });
        await repository.store.remove([`snaps/${doomed.snapshot.source.key}/${doomed.snapshot.id}.json`]);

        const forGc = new FailingStore(new FolderStore(repo), { at: at + 1, how });
        const collecting = openRepository(forGc).then((each) =>
          collectGarbage(each, { waitMs: 0, onNotice: () => {} })
        );
        const collected = await codeOf(what, collecting);
        assert.equal(collected, forGc.calls > at + 1 ? "STORE_FAILED" : undefined, what);
        assert.deepEqual(await assertReadsAs(repository, DISKS, what), ["before"], what);
        await collectLater(repo);
        await assertTidy(repo, what);

        const forRestore = new FailingStore(new FolderStore(repo), { at: at + 1, how });
        const restored = await codeOf(
          what,
          openRepository(forRestore).then((each) => bytesOf(each, snapshot)),
        );
        assert.equal(restored, forRestore.calls > at + 1 ? "STORE_FAILED" : undefined, what);
        open = { gc: collected !== undefined, restore: restored !== undefined };
        runs += Number(open.gc) + Number(open.restore);
        await Deno.remove(repo, { recursive: true });
      }
      console.log(`${runs} collections and restores failed (${how})`);
      assert.ok(runs > 10);
    }));
}

Deno.test("when every put fails at once, in lanes of their own, a backup ends and does not wait for buffers", () =>
  withRepository(async (repo) => {
    const repository = await openRepository(
      new FailingStore(new FolderStore(repo), { at: 12, how: "from-there-on" }),
    );
    const lanes = new WorkerLanes(repository.laneSetup, 2);
    try {
      const source = memorySource("disk", AFTER);
      const running = backUp(repository, {
        name: "vm/disk",
        tags: [],
        lanes,
        plan: () => Promise.resolve(planFull({ source, chunkBytes: MIB, cid: undefined })),
        onNotice: () => {},
      });
      assert.equal(await codeOf("all fail", running), "STORE_FAILED");
    } finally {
      lanes.close();
    }
  }));

Deno.test("when lanes fail with every buffer in their hands, a backup ends and does not wait for them", () =>
  withRepository(async (repo) => {
    const repository = await openRepository(repo);
    const source = memorySource("disk", AFTER);
    const fails = async (): Promise<never> => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new RegrainError("READ_FAILED", "the lane fails, as the test wants it");
    };
    const running = backUp(repository, {
      name: "vm/disk",
      tags: [],
      lanes: { count: 1, identify: fails, unseal: fails, close: () => {} },
      plan: () => Promise.resolve(planFull({ source, chunkBytes: MIB, cid: undefined })),
      onNotice: () => {},
    });
    assert.equal(await codeOf("lanes fail", running), "READ_FAILED");
  }));

Deno.test("a folder that vanishes ends a backup, and is not made anew where it was", async () => {
  for (const left of ["nothing", "an empty folder"]) {
    for (let at = 1; at < 50; at += at < 14 ? 1 : 9) {
      await withRepository(async (repo) => {
        const what = `${left} is left at call ${at}`;
        const vanishing = new VanishingStore(repo, { at, empty: left !== "nothing" });
        const code = await codeOf(
          what,
          openRepository(vanishing).then((each) => backUpBytes(each, AFTER)),
        );
        assert.equal(code, "STORE_FAILED", what);
        assert.deepEqual(filesBelow(repo), [], what);
        if (left !== "nothing") await Deno.remove(repo, { recursive: true });
        await Deno.rename(`${repo}.away`, repo);
        assertWholeObjects(repo, what);
        await backUpBytes(await openRepository(repo), AFTER);
        const there = await assertReadsAs(await openRepository(repo), DISKS, what);
        // One whose manifest was there already is seen, though nobody was told of it.
        assert.deepEqual(there, ["before", "after", "after"].slice(0, there.length), what);
        assert.ok(there.length >= 2, what);
      });
    }
  }
});

Deno.test("a folder that vanishes is named by a restore and a collection, not a missing chunk", () =>
  withRepository(async (repo) => {
    const repository = await openRepository(repo);
    const snapshot = (await repository.readSnapshot((await repository.listSnapshots())[0]!))!;
    await Deno.rename(repo, `${repo}.away`);
    await Deno.mkdir(repo);
    assert.equal(await codeOf("restore", bytesOf(repository, snapshot)), "STORE_FAILED");
    const collecting = collectGarbage(repository, { waitMs: 0, onNotice: () => {} });
    assert.equal(await codeOf("collection", collecting), "STORE_FAILED");
  }));

/** A folder that is moved away at the n-th call. */
class VanishingStore extends FailingStore {
  constructor(repo: string, vanish: { at: number; empty: boolean }) {
    const folder = new FolderStore(repo);
    const watched = new Proxy(folder, {
      get: (store, name) => {
        const value = Reflect.get(store, name);
        if (typeof value !== "function") return value;
        if (this.calls === vanish.at + 1 && !this.isGone) {
          this.isGone = true;
          Deno.renameSync(repo, `${repo}.away`);
          if (vanish.empty) Deno.mkdirSync(repo);
        }
        return value.bind(store);
      },
    });
    super(watched, { at: Infinity, how: "once" });
  }

  private isGone = false;
}

Deno.test("what other programs leave in the folder is no object", () =>
  withRepository(async (repo) => {
    const strays = [
      ".DS_Store",
      "chunks/.DS_Store",
      "chunks/a b.txt",
      "snaps/.nfs000001",
      "active/~lock",
      "gc/#x",
    ];
    await Deno.mkdir(`${repo}/gc`, { recursive: true });
    await Deno.mkdir(`${repo}/lost+found`);
    for (const stray of strays) await Deno.writeTextFile(`${repo}/${stray}`, "stray");
    await backUpBytes(await openRepository(repo), AFTER);
    await collectLater(repo);
    assert.deepEqual(await assertReadsAs(await openRepository(repo), DISKS, "strays"), ["before", "after"]);
    for (const stray of strays) assert.equal(await Deno.readTextFile(`${repo}/${stray}`), "stray");
  }));

Deno.test("a half written object of a killed process is removed when it is a day old, and not before", () =>
  withRepository(async (repo) => {
    const left = `${repo}/tmp/left-behind`;
    await Deno.writeTextFile(left, "half");
    const { world } = await openRepository(repo);
    const store = new FolderStore(repo);
    assert.equal(await store.tidy(world.nowMs()), 0);
    assert.equal(await store.tidy(world.nowMs() + 2 * DAY_MS), 1);
    assert.deepEqual(filesBelow(`${repo}/tmp`), []);
  }));

Deno.test("C10: a repository folder that may not be written or read is exit 6, and still restores", () =>
  withRepository((repo, folder) => {
    const image = `${folder}/image`;
    const source = `${folder}/source.vmdk`;
    Deno.writeTextFileSync(
      source,
      '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="vmfs"\nRW 2048 ZERO\n',
    );
    const permissions = ["-A", `--deny-write=${repo}`];
    const denied = { code: "PERMISSION", exit: 6 };
    const there = ["--repo", repo];
    regrainRefuses(denied, ["backup", source, ...there, "--name", "vm/new"], { permissions });
    regrainExits(0, ["restore", "vm/disk", image, ...there], { permissions });
    assert.ok(sameBytes(Deno.readFileSync(image), BEFORE));
    const unreadable = { permissions: ["-A", `--deny-read=${repo}`] };
    regrainRefuses(denied, ["snapshots", ...there], unreadable);
    return Promise.resolve();
  }));

/** Bytes that do not become fewer by packing. */
function fullDisk(chunks: number): Uint8Array<ArrayBuffer> {
  return new Rng(99).bytes(chunks * MIB);
}

testWithPeers(
  "a full disk ends a backup by its name; with more space the next one completes",
  ["root-mount"],
  () =>
    withTempDir(async (mounted) => {
      await withMount(mounted, ["-t", "tmpfs", "-o", "size=4m", "none"], async () => {
        const repo = `${mounted}/repo`;
        await backUpBytes(await makeRepository(repo), BEFORE);
        const big = fullDisk(6);
        const disks = { before: BEFORE, big };
        for (let i = 0; i < 2; i++) {
          const code = await codeOf("full", openRepository(repo).then((each) => backUpBytes(each, big)));
          assert.equal(code, "NO_SPACE");
          assert.deepEqual(filesBelow(`${repo}/tmp`), []);
          assertWholeObjects(repo, "full");
          assert.deepEqual(await assertReadsAs(await openRepository(repo), disks, "full"), ["before"]);
        }
        run("mount", ["-o", "remount,size=16m", mounted]);
        const { snapshot } = await backUpBytes(await openRepository(repo), big);
        assert.ok(snapshot.stats.newChunks < 6, "what was stored before the disk was full is not used");
        assert.deepEqual(await assertReadsAs(await openRepository(repo), disks, "room"), ["before", "big"]);
      });
    }),
);

testWithPeers(
  "on a disk with room for little more than its list a collection makes room",
  ["root-mount"],
  () =>
    withTempDir(async (mounted) => {
      await withMount(mounted, ["-t", "tmpfs", "-o", "size=4m", "none"], async () => {
        const repo = `${mounted}/repo`;
        await backUpBytes(await makeRepository(repo), BEFORE);
        await Deno.writeFile(`${mounted}/other`, new Uint8Array(64 * 1024));
        const code = await codeOf(
          "full",
          openRepository(repo).then((each) => backUpBytes(each, fullDisk(6))),
        );
        assert.equal(code, "NO_SPACE");
        await Deno.remove(`${mounted}/other`);
        const report = await collectLater(repo);
        // How many were stored before it was full depends on which of them came first.
        assert.ok(report.removedObjects >= 1, `${report.removedObjects} objects were removed`);
        await assertTidy(repo, "collected");
      });
    }),
);

/** Writes a file until not a byte is free. */
function fillUp(path: string): void {
  using file = Deno.openSync(path, { write: true, create: true });
  const piece = new Uint8Array(512).fill(1);
  assert.throws(() => {
    for (;;) file.writeSync(piece);
  }, /os error 28/);
}

testWithPeers(
  "B10: a backup that ends because not a byte is free says so all the same, and no collection waits for it",
  ["root-mount"],
  () =>
    withTempDir(async (mounted) => {
      await withMount(mounted, ["-t", "tmpfs", "-o", "size=4m", "none"], async () => {
        const repo = `${mounted}/repo`;
        await backUpBytes(await makeRepository(repo), BEFORE);
        const { id } = (await (await openRepository(repo)).listSnapshots())[0]!;
        const big = fullDisk(2);
        const plan = () => {
          fillUp(`${mounted}/other`);
          return Promise.resolve(
            planFull({ source: memorySource("big", big), chunkBytes: MIB, cid: undefined }),
          );
        };
        const code = await codeOf(
          "full",
          openRepository(repo).then((each) => backUpBytes(each, big, { plan })),
        );
        assert.equal(code, "NO_SPACE");
        assert.equal(filesBelow(`${repo}/active`).filter((path) => path.endsWith("/failed")).length, 1);
        // What is free again is no more than a manifest took.
        regrainExits(0, ["forget", id, "--repo", repo]);
        regrainExits(0, ["gc", "--wait", "0s", "--repo", repo]);
        assert.deepEqual(filesBelow(`${repo}/chunks`), []);
      });
    }),
);

testWithPeers(
  "a read-only file system is refused by its error, and still restores",
  ["root-mount"],
  () =>
    withTempDir(async (mounted) => {
      await withMount(mounted, ["-t", "tmpfs", "-o", "size=4m", "none"], async () => {
        const repo = `${mounted}/repo`;
        await backUpBytes(await makeRepository(repo), BEFORE);
        run("mount", ["-o", "remount,ro", mounted]);
        const code = await codeOf("backup", openRepository(repo).then((each) => backUpBytes(each, AFTER)));
        assert.equal(code, "STORE_FAILED");
        const hold = ["hold", "vm/disk@latest", "--repo", repo];
        const { hint } = regrainRefuses({ code: "STORE_FAILED", exit: 7 }, hold);
        assert.match(hint!, /mount -o remount,rw/);
        assert.deepEqual(await assertReadsAs(await openRepository(repo), DISKS, "read-only"), ["before"]);
      });
    }),
);

Deno.test("a file system without links holds a repository all the same", () =>
  withTempDir(async (folder) => {
    const { link } = Deno;
    Deno.link = () =>
      Promise.reject(new Deno.errors.PermissionDenied("Operation not permitted (os error 1): link"));
    try {
      const repo = `${folder}/repo`;
      await backUpBytes(await makeRepository(repo), BEFORE);
      await backUpBytes(await openRepository(repo), AFTER);
      await collectLater(repo);
      assert.deepEqual(await assertReadsAs(await openRepository(repo), DISKS, "no links"), [
        "before",
        "after",
      ]);
      assert.deepEqual(filesBelow(`${repo}/tmp`), []);
    } finally {
      Deno.link = link;
    }
  }));
