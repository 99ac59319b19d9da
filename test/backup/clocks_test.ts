/** Hosts whose clocks are wrong: the order of snapshots, what is built on what, what rules keep, what a time means. */
import assert from "node:assert/strict";
import { backUp } from "../../cli/backup/make/backup.ts";
import { InlineLanes } from "../../cli/backup/lanes.ts";
import { prune } from "../../cli/backup/keep/prune.ts";
import { Repository, type World } from "../../cli/backup/repository.ts";
import { planChanged, planFull } from "../../cli/backup/make/origins.ts";
import { findSnapshot } from "../../cli/backup/snapshots/snapshots.ts";
import { type Snapshot, SnapshotSource } from "../../core-as/host/repo/mod.ts";
import { CHUNK, fillChunk, memoryRepository } from "../backup_cli/memory_repository.ts";
import { core, memorySource, readWhole } from "../helpers/memory.ts";
import { MemoryStore } from "../helpers/memory_store.ts";

const DAY_MS = 24 * 3600 * 1000;
const MINUTE_MS = 60_000;
const NAME = "vm/disk-0";
const START_MS = Date.UTC(2026, 10, 1, 3);

/** A world whose clock a test sets. */
class SetClock implements World {
  readonly tool = "regrain of a test";
  readonly host = "host";
  constructor(public ms: number) {}
  nowMs = () => this.ms++;
  random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
  sleep = () => Promise.resolve();
}

/** A disk of letters, a chunk each, that a guest changes and that is backed up by what is known to have changed. */
class Host {
  readonly notices: string[] = [];
  private constructor(readonly repository: Repository, readonly clock: SetClock, public letters: string) {}

  static async start(letters: string, storeMs?: () => number): Promise<Host> {
    const store = new MemoryStore(storeMs === undefined ? {} : { nowMs: storeMs });
    await memoryRepository(store);
    const clock = new SetClock(START_MS);
    const repository = await Repository.open(store, {
      world: clock,
      unlock: () => Promise.reject(new Error("it is not encrypted")),
    });
    return new Host(repository, clock, letters);
  }

  /** Changes one chunk, and backs up only that one. */
  async change(at: number, letter: string): Promise<Snapshot> {
    this.letters = this.letters.slice(0, at) + letter + this.letters.slice(at + 1);
    return await this.backUp(at);
  }

  async backUp(only?: number): Promise<Snapshot> {
    const { letters } = this;
    const bytes = new Uint8Array(letters.length * CHUNK);
    [...letters].forEach((letter, i) => fillChunk(letter, bytes.subarray(i * CHUNK, (i + 1) * CHUNK)));
    const disk = { source: memorySource("disk", bytes), chunkBytes: CHUNK, cid: undefined, core };
    const report = await backUp(this.repository, {
      name: NAME,
      tags: [],
      lanes: await InlineLanes.open(this.repository.laneSetup),
      onNotice: (sentence) => this.notices.push(sentence),
      plan: (parent) =>
        Promise.resolve(
          only === undefined ? planFull(disk) : planChanged(disk, parent, {
            list: [{ start: only * CHUNK, length: CHUNK }],
            sizeBytes: bytes.length,
          }),
        ),
    });
    return report.snapshot;
  }

  async assertHolds(snapshot: Snapshot, letters: string): Promise<void> {
    const bytes = await readWhole(new SnapshotSource(this.repository, snapshot));
    const plain = new Uint8Array(CHUNK);
    for (const [i, letter] of [...letters].entries()) {
      fillChunk(letter, plain);
      assert.equal(bytes[i * CHUNK], plain[0], `chunk ${i} of ${snapshot.id}`);
    }
  }

  find(which: string): Promise<Snapshot> {
    return findSnapshot(this.repository, `${NAME}@${which}`, () => undefined);
  }
}

for (const [words, aheadMs] of [["ten minutes", 10 * MINUTE_MS], ["ten years", 3652 * DAY_MS]] as const) {
  Deno.test(`B1: after one backup whose clock was ${words} ahead, the next are built on it and are right`, async () => {
    const host = await Host.start("abcd");
    await host.backUp();
    host.clock.ms = START_MS + DAY_MS + aheadMs;
    const ahead = await host.change(0, "x");
    host.clock.ms = START_MS + DAY_MS + MINUTE_MS;
    const next = await host.change(1, "y");
    const last = await host.change(2, "z");
    assert.equal(next.parent, ahead.id);
    assert.equal(last.parent, next.id);
    assert.ok(ahead.id < next.id && next.id < last.id);
    await host.assertHolds(last, "xyzd");
    assert.equal((await host.find("latest")).id, last.id);
    assert.equal((await host.find(next.created)).id, next.id, "by its own time");
  });

  Deno.test(`B1: a snapshot from ${words} ahead is kept by prune and not counted until its time has come`, async () => {
    const host = await Host.start("abcd");
    host.clock.ms = START_MS + aheadMs;
    const ahead = await host.backUp();
    for (let day = 0; day < 30; day++) {
      host.clock.ms = START_MS + day * DAY_MS + MINUTE_MS;
      await host.change(day % 4, String.fromCodePoint(97 + day % 26));
    }
    const { fates } = await prune(host.repository, { policy: { daily: 7 }, onNotice: () => undefined });
    const kept = fates.filter(({ isKept }) => isKept);
    const inFuture = aheadMs > 31 * DAY_MS;
    assert.equal(kept.length, inFuture ? 8 : 7);
    assert.equal(kept.some(({ snapshot }) => snapshot.id === ahead.id), inFuture);
    const days = kept.map(({ snapshot }) => snapshot).filter(({ id }) => id !== ahead.id);
    assert.deepEqual(
      days.map(({ timeMs }) => Math.round((timeMs - START_MS) / DAY_MS)),
      [23, 24, 25, 26, 27, 28, 29],
    );
  });
}

Deno.test("a backup by a clock of 1970 is not the first that prune removes, and is still the latest", async () => {
  const host = await Host.start("abcd");
  for (let day = 0; day < 10; day++) {
    host.clock.ms = START_MS + day * DAY_MS;
    await host.change(day % 4, String.fromCodePoint(97 + day));
  }
  host.clock.ms = DAY_MS;
  const flat = await host.change(0, "x");
  host.clock.ms = START_MS + 10 * DAY_MS;
  const { fates } = await prune(host.repository, { policy: { daily: 3 }, onNotice: () => undefined });
  const kept = fates.filter(({ isKept }) => isKept).map(({ snapshot }) => snapshot);
  assert.deepEqual(kept.map(({ timeMs }) => Math.floor((timeMs - START_MS) / DAY_MS)).slice(1), [7, 8, 9]);
  assert.equal(kept[0]!.id, flat.id);
  assert.equal((await host.find("latest")).id, flat.id);
  await host.assertHolds(flat, host.letters);
});

Deno.test("B1: with clocks that jump at random every backup is right, and every time means its row", async () => {
  const host = await Host.start("abcdefgh");
  let seed = 7;
  const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % below;
  const made: { snapshot: Snapshot; letters: string }[] = [{
    snapshot: await host.backUp(),
    letters: host.letters,
  }];
  for (let i = 0; i < 40; i++) {
    host.clock.ms = START_MS + random(20 * DAY_MS) - 5 * DAY_MS;
    const snapshot = await host.change(random(8), String.fromCodePoint(97 + random(26)));
    assert.equal(snapshot.parent, made.at(-1)!.snapshot.id);
    made.push({ snapshot, letters: host.letters });
  }
  for (const { snapshot, letters } of made) {
    await host.assertHolds(snapshot, letters);
    assert.equal((await host.find(snapshot.created)).id, snapshot.id);
  }
});

Deno.test("B1: a clock that is not the store's is said once the backup is done", async () => {
  const cases: [number, string[]][] = [[0, []], [10 * MINUTE_MS, ["10 minutes ahead of"]], [-DAY_MS, [
    "24 hours behind",
  ]]];
  for (const [aheadMs, said] of cases) {
    const host = await Host.start("ab", () => START_MS);
    host.clock.ms = START_MS + aheadMs;
    await host.backUp();
    const told = host.notices.flatMap((each) => /this machine is (.*) the store's/.exec(each)?.[1] ?? []);
    assert.deepEqual(told, said);
  }
});

Deno.test("E9: junk under the name of a list in gc stops backups for two days by the store's clock", async () => {
  let storeMs = START_MS;
  const host = await Host.start("abcd", () => storeMs);
  await host.backUp();
  const key = `gc/${host.repository.newId()}.json`;
  const junk = new TextEncoder().encode("junk");
  await host.repository.store.put(key, junk);
  // Whatever the clock of the host says: it is not the one that gave the list its time.
  for (const [days, hostDays] of [[0, 100], [1, 0], [1.9, -5]] as const) {
    storeMs = START_MS + days * DAY_MS;
    host.clock.ms = START_MS + hostDays * DAY_MS;
    await assert.rejects(host.change(0, "x"), {
      code: "SNAPSHOT_DAMAGED",
      hint: /where no regrain gc is running/,
    });
  }
  storeMs = START_MS + 2.1 * DAY_MS;
  host.clock.ms = START_MS;
  await host.assertHolds(await host.change(0, "y"), "ybcd");
  assert.ok(
    host.notices.some((sentence) => sentence.includes(`${key}: `) && sentence.includes("passed over")),
  );
  // A list that can be read counts whatever its age.
  const stored = await Array.fromAsync(host.repository.store.list("chunks/"));
  const [, name] = /([0-9a-f]{64})\.zst$/.exec(stored[0]!.key)!;
  const condemned = new TextEncoder().encode(JSON.stringify({ chunks: [name], maps: [] }));
  await host.repository.store.put(key, condemned);
  storeMs = START_MS + 10 * DAY_MS;
  await host.assertHolds(await host.backUp(), "ybcd");
  const after = await Array.fromAsync(host.repository.store.list("chunks/"));
  assert.ok(after.some(({ key }) => key.includes(`${name}.1.`)), "it is stored again under another name");
});
