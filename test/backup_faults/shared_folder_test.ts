/** A repository in a folder that several users share, and one on a file system that knows no fsync. */
import assert from "node:assert/strict";
import process from "node:process";
import { collectGarbage } from "../../cli/backup/collect/gc.ts";
import { Repository } from "../../cli/backup/repository.ts";
import { readSnapshots } from "../../cli/backup/snapshots/snapshots.ts";
import { FolderStore } from "../../cli/store/folder/store.ts";
import type { RegrainError } from "../../core-as/host/errors.ts";
import { snapshotKey, SnapshotSource } from "../../core-as/host/repo/mod.ts";
import { readWhole } from "../helpers/memory.ts";
import { backUpLetters, memoryRepository, steppedWorld } from "../backup_cli/memory_repository.ts";
import { regrainCommand, regrainExits } from "../helpers/cli.ts";
import { peer, testWithPeers, withTempDir } from "../helpers/peers.ts";
import { DISK, diskOf, RepositoryFolder } from "../backup_cli/repository_folder.ts";

function modesOf(repository: RepositoryFolder): Map<string, string> {
  const modes = new Map<string, string>();
  const walk = (folder: string) => {
    modes.set(`${folder}/`, (Deno.statSync(folder).mode! & 0o7777).toString(8));
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      if (isDirectory) walk(`${folder}/${name}`);
      else modes.set(`${folder}/${name}`, (Deno.statSync(`${folder}/${name}`).mode! & 0o7777).toString(8));
    }
  };
  walk(repository.path);
  return modes;
}

function openToGroup(path: string): void {
  const script = 'chmod -R g+rwX "$0" && find "$0" -type d -exec chmod g+s {} +';
  assert.ok(new Deno.Command("/bin/sh", { args: ["-c", script, path] }).outputSync().success);
}

Deno.test("what is stored in a repository that was opened to its group is the group's too, and nobody else's", () =>
  withTempDir((folder) => {
    const before = Deno.umask(0o077);
    try {
      const repository = RepositoryFolder.create(folder);
      repository.backUp("ab");
      for (const [path, mode] of modesOf(repository)) {
        assert.equal(mode, path.endsWith("/") ? "700" : "600", path);
      }
      openToGroup(repository.path);
      repository.backUp("cd", [], "web02/disk-0");
      for (const [path, mode] of modesOf(repository)) {
        assert.match(mode, path.endsWith("/") ? /^2770$/ : /^6[46]0$/, path);
      }
    } finally {
      Deno.umask(before);
    }
  }));

const SECOND = 65534;
const GROUP = 4321;

/** Runs something with the rights of a second user, in this process: every thread of it takes them. */
async function asSecond<T>(action: () => Promise<T>): Promise<T> {
  process.setegid!(GROUP);
  process.seteuid!(SECOND);
  try {
    return await action();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}

testWithPeers(
  "two users of a group back up into one repository, and each reads and collects what both stored",
  ["second-user"],
  () =>
    withTempDir(async (folder) => {
      Deno.chmodSync(folder, 0o755);
      const path = `${folder}/repo`;
      const open = () =>
        Repository.open(new FolderStore(path), {
          world: steppedWorld(),
          unlock: () => Promise.reject(new Error("it is not encrypted")),
        });
      const readAll = async () => {
        const repository = await open();
        const listed = await Array.fromAsync(readSnapshots(repository));
        for (const { snapshot } of listed) await readWhole(new SnapshotSource(repository, snapshot!));
        await collectGarbage(repository, { waitMs: 0, onNotice: () => undefined });
        return listed.map(({ snapshot }) => snapshot!.source.name).sort();
      };
      await backUpLetters(await memoryRepository(new FolderStore(path)), "ab", "web01/disk-0");
      await assert.rejects(() => asSecond(open), (error: RegrainError) => {
        assert.equal(error.code, "PERMISSION");
        assert.match(error.hint!, /another user may own it; .*chgrp -R GROUP REPO.*chmod -R g\+rwX REPO/);
        return true;
      });
      assert.ok(new Deno.Command("chgrp", { args: ["-R", `${GROUP}`, path] }).outputSync().success);
      openToGroup(path);
      await asSecond(async () => await backUpLetters(await open(), "acd", "web02/disk-0"));
      const dropped = await backUpLetters(await open(), "efg", "web03/disk-0");
      const all = ["web01/disk-0", "web02/disk-0", "web03/disk-0"];
      assert.deepEqual(await asSecond(readAll), all);
      assert.deepEqual(await readAll(), all);
      await asSecond(async () => {
        const { store, suffix } = await open();
        await store.remove([snapshotKey(dropped.source.key, dropped.id, suffix)]);
      });
      assert.deepEqual(await asSecond(readAll), all.slice(0, 2));
      const chunks = [...Deno.readDirSync(`${path}/chunks`)].flatMap(({ name }) => [
        ...Deno.readDirSync(`${path}/chunks/${name}`),
      ]);
      assert.equal(chunks.length, 4, "the second user collects what the first one stored");
    }),
);

/** Answers `fsync` as file systems do that have none of it: of folders alone, or of everything. */
const NO_FSYNC = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
static int refuses(int fd) {
  struct stat status;
  const char *what = getenv("NO_FSYNC");
  if (what == NULL || fstat(fd, &status) != 0) return 0;
  return *what == 'a' ? S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) : S_ISDIR(status.st_mode);
}
int fsync(int fd) {
  if (refuses(fd)) { errno = EINVAL; return -1; }
  return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd);
}
int fdatasync(int fd) {
  if (refuses(fd)) { errno = EOPNOTSUPP; return -1; }
  return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
`;

testWithPeers(
  "a file system without fsync is told once, and takes backups",
  ["cc"],
  () =>
    withTempDir(async (folder) => {
      const [source, library] = [`${folder}/no_fsync.c`, `${folder}/no_fsync.so`];
      Deno.writeTextFileSync(source, NO_FSYNC);
      const built = new Deno.Command(peer("cc")!, {
        args: ["-shared", "-fPIC", "-o", library, source, "-ldl"],
      });
      assert.ok(built.outputSync().success);
      const image = `${folder}/image`;
      Deno.writeFileSync(image, diskOf("abc"));
      for (const what of ["folders", "all"]) {
        const repo = `${folder}/${what}`;
        const run = async (args: readonly string[]) => {
          const env = { LD_PRELOAD: library, NO_FSYNC: what };
          const { code, stderr } = await regrainCommand([...args, "--repo", repo], { env }).output();
          const told = new TextDecoder().decode(stderr);
          assert.equal(code, 0, `${args.join(" ")}: ${told}`);
          return told.match(/warning: .*does not tell when something is durable/g)?.length ?? 0;
        };
        assert.equal(await run(["repo", "init", "--chunk-size", "1M"]), 1);
        assert.equal(await run(["backup", image, "--name", DISK]), 1);
        assert.equal(await run(["verify", "--deep"]), 1);
      }
      // An undo file beside the target, whose folder cannot be made durable either.
      Deno.copyFileSync(image, `${folder}/vm.img`);
      const delta = `${folder}/delta.vmdk`;
      const { success } = new Deno.Command("qemu-img", {
        args: [
          "create",
          "-q",
          "-f",
          "vmdk",
          "-o",
          "subformat=monolithicSparse",
          delta,
          `${Deno.statSync(image).size}`,
        ],
      }).outputSync();
      assert.ok(success);
      regrainExits(0, ["apply", "--force", "--undo", `${folder}/vm.undo`, delta, `${folder}/vm.img`], {
        env: { LD_PRELOAD: library, NO_FSYNC: "folders" },
      });
    }),
);

Deno.test("a store in a folder says nothing of a file system that has fsync", () =>
  withTempDir(async (folder) => {
    const store = new FolderStore(`${folder}/repo`, { warn: assert.fail });
    await store.put("a/b", new Uint8Array(3));
    await store.put("a/b", new Uint8Array(3), { ifAbsent: true });
  }));
