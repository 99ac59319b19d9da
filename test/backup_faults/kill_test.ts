/**
 * kill -9 of the real program at every operation of a small backup, restore and collection. Afterwards nothing that was
 * reported is lost, no half object is seen, and the next run completes.
 */
import assert from "node:assert/strict";
import { sameBytes } from "../helpers/bytes.ts";
import { withTempDir } from "../helpers/peers.ts";
import {
  assertReadsAs,
  assertTidy,
  assertWholeObjects,
  backUpBytes,
  collectLater,
  diskOf,
  makeRepository,
  openRepository,
} from "./repositories.ts";
import { SOURCES } from "../helpers/program.ts";

/** It changes a class of the sources, so that is what runs. */
const SWITCH = new URL("./kill_switch.ts", import.meta.url).href;

/** Zeros, a chunk twice, and a last chunk that is cut short. */
const BEFORE = diskOf("AB.CCD", 512 * 7);
const AFTER = diskOf("AE.CFD", 512 * 7);
const DISKS = { before: BEFORE, after: AFTER };

interface Point {
  readonly level: "store" | "file";
  readonly when: "before" | "after";
  readonly n: number;
}

const LEVELS: readonly Pick<Point, "level" | "when">[] = [
  { level: "store", when: "before" },
  { level: "store", when: "after" },
  { level: "file", when: "after" },
];

/** Runs the program until it ends or is killed. */
async function runKilled(args: readonly string[], { level, n, when }: Point) {
  const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", "-A", "--preload", SWITCH, SOURCES, ...args],
    env: { NO_COLOR: "1", REGRAIN_TEST_KILL: `${level}:${n}:${when}` },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, killed: signal === "SIGKILL", stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Kills a run at its first operation, at its second and so on, until one completes. @returns how many were killed. */
async function killEverywhere(
  at: Pick<Point, "level" | "when">,
  round: (point: Point) => Promise<{ killed: boolean }>,
): Promise<number> {
  for (let n = 0;; n++) {
    assert.ok(n < 500, "the run never completes");
    if (!(await round({ ...at, n })).killed) return n;
  }
}

/** Copies a folder of files. */
function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

/** A folder with a repository, and copies of it to be spoilt. */
async function withCopies(
  prepare: (folder: string) => Promise<void>,
  fn: (freshCopy: () => string, folder: string) => Promise<void>,
): Promise<void> {
  await withTempDir(async (folder) => {
    await prepare(`${folder}/first`);
    await fn(() => {
      const copy = `${folder}/repo`;
      removeIfThere(copy);
      copyFolder(`${folder}/first`, copy);
      return copy;
    }, folder);
  });
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function writeDisk(folder: string, disk: Uint8Array): string {
  const sectors = disk.length / 512;
  Deno.writeFileSync(`${folder}/disk-flat.vmdk`, disk);
  Deno.writeTextFileSync(
    `${folder}/disk.vmdk`,
    `# Disk DescriptorFile\nversion=1\nCID=5eed0001\nparentCID=ffffffff\ncreateType="vmfs"\n` +
      `RW ${sectors} VMFS "disk-flat.vmdk"\n`,
  );
  return `${folder}/disk.vmdk`;
}

for (const at of LEVELS) {
  Deno.test(`a backup killed ${at.when} every ${at.level} operation loses nothing`, () =>
    withCopies(
      async (repo) => void await backUpBytes(await makeRepository(repo), BEFORE),
      async (freshCopy, folder) => {
        const disk = writeDisk(folder, AFTER);
        const outcomes = { seen: 0, notSeen: 0 };
        const killed = await killEverywhere(at, async (point) => {
          const label = `${at.level} operation ${point.n}, ${at.when}`;
          const repo = freshCopy();
          const ran = await runKilled(["backup", disk, "--repo", repo, "--name", "vm/disk"], point);
          assert.ok(ran.killed || ran.code === 0, `${label}: ${ran.stderr}`);
          assertWholeObjects(repo, label);
          const there = await assertReadsAs(await openRepository(repo), DISKS, label);
          assert.deepEqual(there, there.length === 1 ? ["before"] : ["before", "after"], label);
          if (ran.stdout !== "") assert.equal(there.length, 2, `${label}: was reported, and is not there`);
          outcomes[there.length === 2 ? "seen" : "notSeen"]++;

          await backUpBytes(await openRepository(repo), AFTER);
          await collectLater(repo);
          const after = await assertReadsAs(await openRepository(repo), DISKS, `${label}, afterwards`);
          assert.deepEqual(after, [...there, "after"], label);
          await assertTidy(repo, label);
          return ran;
        });
        console.log(`backup killed at ${killed} operations, ${JSON.stringify(outcomes)}`);
        assert.ok(outcomes.seen > 0 && outcomes.notSeen > 10);
      },
    ));

  Deno.test(`a collection killed ${at.when} every ${at.level} operation loses nothing`, () =>
    withCopies(
      async (repo) => {
        const repository = await makeRepository(repo);
        const { snapshot } = await backUpBytes(repository, AFTER);
        await backUpBytes(repository, BEFORE);
        const [name] = await repository.listSnapshots();
        assert.equal(name!.id, snapshot.id);
        await repository.store.remove([name!.key]);
      },
      async (freshCopy) => {
        const killed = await killEverywhere(at, async (point) => {
          const label = `${at.level} operation ${point.n}, ${at.when}`;
          const repo = freshCopy();
          const ran = await runKilled(["gc", "--repo", repo], point);
          assert.ok(ran.killed || ran.code === 0, `${label}: ${ran.stderr}`);
          assertWholeObjects(repo, label);
          assert.deepEqual(await assertReadsAs(await openRepository(repo), DISKS, label), ["before"], label);

          // What the list of the dead collection condemns is stored anew, under another name.
          await backUpBytes(await openRepository(repo), AFTER);
          await collectLater(repo);
          const after = await assertReadsAs(await openRepository(repo), DISKS, `${label}, afterwards`);
          assert.deepEqual(after, ["before", "after"], label);
          await assertTidy(repo, label);
          return ran;
        });
        console.log(`collection killed at ${killed} operations`);
        assert.ok(killed > 5);
      },
    ));
}

for (const when of ["before", "after"] as const) {
  Deno.test(`a restore killed ${when} every store operation is carried on with`, () =>
    withCopies(
      async (repo) => void await backUpBytes(await makeRepository(repo), AFTER),
      async (freshCopy, folder) => {
        const repo = freshCopy();
        const image = `${folder}/image`;
        const killed = await killEverywhere({ level: "store", when }, async (point) => {
          const label = `store operation ${point.n}, ${when}`;
          removeIfThere(image);
          removeIfThere(`${image}.part`);
          const args = ["restore", "vm/disk@latest", image, "--repo", repo];
          const ran = await runKilled(args, point);
          assert.ok(ran.killed || ran.code === 0, `${label}: ${ran.stderr}`);
          if (!ran.killed) {
            assert.ok(sameBytes(Deno.readFileSync(image), AFTER));
            return ran;
          }
          assert.throws(() => Deno.statSync(image), Deno.errors.NotFound, label);
          const again = await runKilled(args, { ...point, n: Infinity });
          assert.equal(again.code, 0, `${label}: ${again.stderr}`);
          assert.ok(sameBytes(Deno.readFileSync(image), AFTER), label);
          return ran;
        });
        console.log(`restore killed at ${killed} operations`);
        assert.ok(killed > 5);
      },
    ));
}
