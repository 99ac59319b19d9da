import assert from "node:assert/strict";
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { ObjectInfo, PutOptions, Snapshot } from "../../../core-as/host/repo/mod.ts";
import { backUpLetters, memoryRepository } from "../../../test/backup_cli/memory_repository.ts";
import { MemoryStore } from "../../../test/helpers/memory_store.ts";
import { forget } from "../keep/forget.ts";
import { collectGarbage } from "../collect/gc.ts";
import { prune } from "../keep/prune.ts";
import { UnreadableSnapshots } from "../collect/references.ts";
import { refuseUnlockable, retainUntil } from "./retain.ts";

const DAY_MS = 24 * 3600 * 1000;
const RETAINED = { retainMs: 30 * DAY_MS };

/** A store without versions that removes nothing before its date. */
class LockingStore extends MemoryStore {
  readonly locks = new Map<string, number>();
  /** Keys that were to be locked for longer. */
  readonly extended: string[] = [];
  isOver = false;

  override async put(key: string, bytes: Uint8Array, options: PutOptions = {}) {
    const outcome = await super.put(key, bytes, options);
    const { retainUntilMs } = options;
    if (outcome === "created" && retainUntilMs !== undefined) this.locks.set(key, retainUntilMs);
    return outcome;
  }

  override async head(key: string): Promise<ObjectInfo | undefined> {
    const info = await super.head(key);
    const retainUntilMs = this.isOver ? undefined : this.locks.get(key);
    return info && { ...info, ...(retainUntilMs === undefined ? {} : { retainUntilMs }) };
  }

  extendRetention(keys: readonly string[], untilMs: number): Promise<string[]> {
    this.extended.push(...keys);
    const [there, gone] = [
      keys.filter((key) => this.objects.has(key)),
      keys.filter((key) => !this.objects.has(key)),
    ];
    for (const key of there) this.locks.set(key, Math.max(untilMs, this.locks.get(key) ?? 0));
    return Promise.resolve(gone);
  }

  override remove(keys: readonly string[]): Promise<void> {
    if (!this.isOver && keys.some((key) => this.locks.has(key))) {
      return Promise.reject(new RegrainError("STORE_DENIED", "is locked", { path: this.label }));
    }
    return super.remove(keys);
  }
}

function lettersIn(keys: readonly string[]): number {
  return keys.filter((key) => key.startsWith("chunks/")).length;
}

async function lockingRepository() {
  const store = new LockingStore({ nowMs: () => Date.UTC(2026, 10, 21) });
  return { store, repository: await memoryRepository(store) };
}

function untilOf({ retainUntil }: Snapshot): number {
  return Date.parse(retainUntil!);
}

Deno.test("a date is at least as far as the window, and ends a generation of ten days", () => {
  const nowMs = Date.UTC(2026, 10, 21, 3);
  const untilMs = retainUntil(nowMs, 30 * DAY_MS)!;
  assert.ok(untilMs >= nowMs + 30 * DAY_MS && untilMs < nowMs + 40 * DAY_MS);
  assert.equal(untilMs % (10 * DAY_MS), 0);
  assert.equal(retainUntil(untilMs - 30 * DAY_MS, 30 * DAY_MS), untilMs);
  assert.equal(retainUntil(nowMs, undefined), undefined);
});

Deno.test("without a wish nothing is locked, and the manifest says nothing", async () => {
  const { store, repository } = await lockingRepository();
  const snapshot = await backUpLetters(repository, "ab");
  assert.equal(store.locks.size, 0);
  assert.ok(!("retainUntil" in snapshot));
});

Deno.test("what is reused is locked for longer, and left alone where the parent covers it", async () => {
  const { store, repository } = await lockingRepository();
  await backUpLetters(repository, "abab");
  const second = await backUpLetters(repository, "abc.", "web01/disk-0", RETAINED);
  assert.equal(lettersIn(store.extended), 2, "a and b, once each");
  const needed = [...store.locks].filter(([key]) => /^(chunks|maps|snaps)/.test(key));
  assert.equal(needed.length, 5, "three chunks, a page, a manifest");
  for (const [key, untilMs] of needed) assert.equal(untilMs, untilOf(second), key);
  store.extended.length = 0;
  await backUpLetters(repository, "abcd", "web01/disk-0", RETAINED);
  assert.deepEqual(store.extended, []);
  await backUpLetters(repository, "abcd", "web01/disk-0", { retainMs: 90 * DAY_MS });
  assert.equal(lettersIn(store.extended), 4);
  assert.equal(store.extended.length, 5, "and the page");
});

Deno.test("what another disk locked for a shorter time is locked for longer", async () => {
  const { store, repository } = await lockingRepository();
  await backUpLetters(repository, "ab", "web02/disk-0", { retainMs: DAY_MS });
  const snapshot = await backUpLetters(repository, "ba", "web01/disk-0", RETAINED);
  for (const [key, untilMs] of store.locks) {
    if (key.startsWith("chunks/")) assert.equal(untilMs, untilOf(snapshot));
  }
});

Deno.test("prune leaves what is locked, and says so", async () => {
  const { repository } = await lockingRepository();
  const locked = await backUpLetters(repository, "ab", "web01/disk-0", RETAINED);
  const free = await backUpLetters(repository, "ac");
  await backUpLetters(repository, "ad");
  const { fates, removed } = await prune(repository, { policy: { last: 1 }, onNotice: () => undefined });
  assert.deepEqual(removed, [free.id]);
  const fate = fates.find(({ snapshot }) => snapshot.id === locked.id)!;
  assert.deepEqual(fate.reasons, [`locked until ${locked.retainUntil!.slice(0, 10)}`]);
});

Deno.test("a collection goes on over what is locked, and a later one removes it", async () => {
  const { store, repository } = await lockingRepository();
  await backUpLetters(repository, "ab", "web01/disk-0", RETAINED);
  const [manifest] = await repository.listSnapshots();
  // As somebody with the right to it might take a manifest away, or a backup that never came to one.
  store.objects.delete(manifest!.key);
  await backUpLetters(repository, "bc", "web02/disk-0");
  await backUpLetters(repository, "d", "web03/disk-0");
  const third = (await repository.listSnapshots()).find(({ source }) => source.startsWith("web03"))!;
  store.objects.delete(third.key);
  const notices: string[] = [];
  const options = { waitMs: 0, onNotice: (sentence: string) => notices.push(sentence) };
  const report = await collectGarbage(repository, options);
  assert.deepEqual([report.removedObjects, report.lockedObjects], [2, 2]);
  assert.deepEqual(notices, [
    "nobody needs 2 objects any more, but the store keeps what is locked until a date",
  ]);
  store.isOver = true;
  const later = await collectGarbage(repository, options);
  assert.deepEqual([later.removedObjects, later.lockedObjects], [2, 0]);
});

Deno.test("a refusal of what is not locked ends a collection", async () => {
  const { store, repository } = await lockingRepository();
  await backUpLetters(repository, "ab");
  const [manifest] = await repository.listSnapshots();
  store.objects.delete(manifest!.key);
  const remove = store.remove.bind(store);
  const denied = new RegrainError("STORE_DENIED", "no right to");
  store.remove = (keys) =>
    keys.some((key) => key.startsWith("chunks/")) ? Promise.reject(denied) : remove(keys);
  await assert.rejects(collectGarbage(repository, { waitMs: 0, onNotice: () => undefined }), {
    code: "STORE_DENIED",
  });
});

Deno.test("a store that cannot lock, or does not say, is refused", async () => {
  await assert.rejects(refuseUnlockable(new MemoryStore()), { code: "USAGE" });
  const { store } = await lockingRepository();
  await assert.rejects(refuseUnlockable(store), { code: "USAGE", message: /does not say/ });
});

Deno.test("B8: forget leaves what the store has locked, also where its manifest can say nothing any more", async () => {
  const { store, repository } = await lockingRepository();
  const locked = await backUpLetters(repository, "ab", "web01/disk-0", RETAINED);
  const free = await backUpLetters(repository, "ac");
  const [manifest] = await repository.listSnapshots();
  const fatesOf = async (...ids: readonly string[]) =>
    (await forget(repository, ids, { dryRun: false })).map(({ fate }) => fate);
  assert.deepEqual(await fatesOf(locked.id), ["locked"]);
  store.objects.set(manifest!.key, { ...store.objects.get(manifest!.key)!, bytes: new Uint8Array(0) });
  assert.deepEqual(await fatesOf(locked.id, free.id), ["locked", "removed"]);
  await assert.rejects(
    collectGarbage(repository, { waitMs: 0, onNotice: () => undefined }),
    UnreadableSnapshots,
  );
  store.isOver = true;
  assert.deepEqual(await fatesOf(locked.id), ["removed"]);
});
