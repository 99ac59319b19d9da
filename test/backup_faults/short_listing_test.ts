/**
 * A store whose listing ends early without a word, as servers do that give up on a slow disk or tidy up meanwhile: what
 * it does not list must not be taken for what nobody needs.
 */
import assert from "node:assert/strict";
import { collectGarbage } from "../../cli/backup/collect/gc.ts";
import type { Repository } from "../../cli/backup/repository.ts";
import { attachMemory, refuseHidden } from "../../cli/session/newest_seen.ts";
import { Console } from "../../cli/ui/mod.ts";
import { type ObjectInfo, type Snapshot, snapshotKey, SnapshotSource } from "../../core-as/host/repo/mod.ts";
import { backUpLetters, memoryRepository } from "../backup_cli/memory_repository.ts";
import { readWhole } from "../helpers/memory.ts";
import { MemoryStore } from "../helpers/memory_store.ts";

/** Leaves keys out of listings, so many times. */
class ForgetfulStore extends MemoryStore {
  unlisted = "";
  left = 0;

  override async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    const isShort = prefix.startsWith("snaps/") && this.left > 0;
    if (isShort) this.left--;
    for await (const info of super.list(prefix)) if (!isShort || info.key !== this.unlisted) yield info;
  }
}

interface Scene {
  readonly store: ForgetfulStore;
  readonly repository: Repository;
  readonly snapshots: readonly Snapshot[];
  /** Leaves a snapshot out of so many listings. */
  leaveOut(index: number, times?: number): void;
}

async function withScene(fn: (scene: Scene) => Promise<void>): Promise<void> {
  const store = new ForgetfulStore();
  const repository = await memoryRepository(store);
  const snapshots: Snapshot[] = [];
  for (const letters of ["ab", "cd", "ef"]) snapshots.push(await backUpLetters(repository, letters));
  const leaveOut = (index: number, times = Infinity) => {
    const { source, id } = snapshots[index]!;
    store.unlisted = snapshotKey(source.key, id, repository.suffix);
    store.left = times;
  };
  await fn({ store, repository, snapshots, leaveOut });
}

function collect(repository: Repository) {
  return collectGarbage(repository, { waitMs: 0, onNotice: () => undefined });
}

for (const index of [0, 1]) {
  Deno.test(`a collection removes nothing where a listing leaves out snapshot ${index} that another is built on`, () =>
    withScene(async ({ store, repository, snapshots, leaveOut }) => {
      const keys = [...store.objects.keys()];
      leaveOut(index);
      await assert.rejects(() => collect(repository), {
        code: "STORE_UNSUITABLE",
        path: `memory/${store.unlisted}`,
      });
      assert.deepEqual([...store.objects.keys()], keys);
      store.left = 0;
      assert.equal((await collect(repository)).removedObjects, 0);
      for (const snapshot of snapshots) await readWhole(new SnapshotSource(repository, snapshot));
    }));
}

Deno.test("a collection keeps what only the second listing has, and removes what a pruned snapshot needed", () =>
  withScene(async ({ store, repository, snapshots, leaveOut }) => {
    leaveOut(0, 1);
    assert.equal((await collect(repository)).removedObjects, 0);
    const { source, id } = snapshots[1]!;
    await store.remove([snapshotKey(source.key, id, repository.suffix)]);
    assert.equal((await collect(repository)).removedObjects, 3, "two chunks and a page");
    await readWhole(new SnapshotSource(repository, snapshots[0]!));
    await readWhole(new SnapshotSource(repository, snapshots[2]!));
  }));

Deno.test("the newest snapshot, on which nothing is built, is asked for by what this host remembers of it", () =>
  withScene(async ({ repository, snapshots, leaveOut }) => {
    const newest = snapshots.at(-1)!;
    attachMemory(repository, {
      file: { path: undefined, why: "a test" },
      known: {
        address: "memory",
        id: repository.description.id,
        encryption: "none",
        authenticated: false,
        keys: 0,
        newest: new Map([[newest.source.key, newest.id]]),
      },
      replaced: "--replaced",
    });
    await refuseHidden(repository, new Console({}));
    leaveOut(2);
    await assert.rejects(() => refuseHidden(repository, new Console({})), (error: Error) => {
      assert.match(error.message, new RegExp(`leaves out web01/disk-0@${newest.id}, which is there`));
      return true;
    });
  }));
