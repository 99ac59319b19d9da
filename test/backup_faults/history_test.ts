/**
 * Random histories of a disk: changes, backups of every kind, failing ones among them, snapshots removed, garbage
 * collected. At every moment each snapshot reads as a plain model says.
 */
import assert from "node:assert/strict";
import { Disk, openLink, type RegrainError, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { collectGarbage } from "../../cli/backup/collect/gc.ts";
import { planDelta } from "../../cli/backup/make/delta_origin.ts";
import { planChanged, planFull } from "../../cli/backup/make/origins.ts";
import type { BackupPlan } from "../../cli/backup/make/plan.ts";
import type { Repository } from "../../cli/backup/repository.ts";
import {
  buildCowd,
  buildHosted,
  buildSeSparse,
  DELTA,
  deltaFiles,
  type Grain,
  type LinkSpec,
  overlay,
  Rng,
} from "../../fixtures/mod.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { core, memoryContext, memorySource } from "../helpers/memory.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { checkAsync, fc } from "../helpers/property.ts";
import { FailingStore } from "./failing_store.ts";
import { backUpBytes, bytesOf, CHUNK_BYTES, makeIn, openRepository } from "./repositories.ts";

const RUNS = 80;

/** What a guest does between two backups: grains of the disk that it writes or gives back. */
interface Change {
  readonly format: "cowd" | "sesparse" | "hosted";
  readonly stretches: readonly {
    readonly at: number;
    readonly grains: number;
    readonly kind: "data" | "zero";
  }[];
}

type Step =
  | { readonly type: "full" | "changed" | "delta"; readonly change: Change; readonly failsAt: number }
  | { readonly type: "forget"; readonly which: number }
  | { readonly type: "collect" };

const change: fc.Arbitrary<Change> = fc.record({
  format: fc.constantFrom("cowd", "sesparse", "hosted"),
  stretches: fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      grains: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 400 })),
      kind: fc.constantFrom("data", "data", "zero"),
    }),
    { maxLength: 5 },
  ),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constantFrom("full", "changed", "delta"),
      change,
      failsAt: fc.oneof({ weight: 3, arbitrary: fc.constant(Infinity) }, fc.integer({ min: 1, max: 25 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("forget"), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("collect") }) },
);

/** Eight sectors: what every format has. */
const GRAIN_SECTORS = 8;

function linkOf({ stretches }: Change, about: { capacitySectors: number; seed: number }): LinkSpec {
  const count = Math.ceil(about.capacitySectors / GRAIN_SECTORS);
  const grains = new Map<number, Grain>();
  for (const { at, grains: length, kind } of stretches) {
    const first = Math.floor(at * count);
    for (let index = first; index < Math.min(count, first + length); index++) {
      grains.set(index, { index, kind });
    }
  }
  return { ...about, grainSectors: GRAIN_SECTORS, grains: [...grains.values()] };
}

const BUILDERS = { cowd: buildCowd, sesparse: buildSeSparse, hosted: buildHosted } as const;

/** The delta of a link, as its files tell it. */
async function openDelta(link: LinkSpec, format: Change["format"]) {
  const { capacitySectors } = link;
  const files = deltaFiles({ kind: format, bytes: BUILDERS[format](link).bytes, capacitySectors });
  const opened = await openLink(DELTA, memoryContext(files), "delta");
  return { disk: new Disk(core, [opened]), links: [opened], force: true };
}

class History {
  /** What each snapshot must read as. */
  private readonly expected = new Map<string, Uint8Array>();
  private seed = 100;
  readonly counts = { backups: 0, failed: 0, collected: 0 };

  private constructor(
    private readonly store: MemoryStore,
    private readonly repository: Repository,
    readonly master: Uint8Array<ArrayBuffer> | undefined,
    private disk: Uint8Array<ArrayBuffer>,
  ) {}

  static async start(sectors: number, isEncrypted: boolean): Promise<History> {
    const store = new MemoryStore();
    const master = isEncrypted ? new Rng(7).bytes(32) : undefined;
    const repository = await makeIn(store, { master });
    const history = new History(store, repository, master, new Uint8Array(sectors * SECTOR_SIZE));
    const { snapshot } = await backUpBytes(history.repository, history.disk);
    history.expected.set(snapshot.id, history.disk);
    return history;
  }

  async take(step: Step): Promise<void> {
    if (step.type === "forget") await this.forget(step.which);
    else if (step.type === "collect") await this.collect();
    else await this.backUp(step);
    await this.check();
  }

  private async backUp(
    { type, change, failsAt }: Step & { type: "full" | "changed" | "delta" },
  ): Promise<void> {
    const link = linkOf(change, { capacitySectors: this.disk.length / SECTOR_SIZE, seed: this.seed++ });
    const after = overlay(this.disk, link);
    const delta = await openDelta(link, change.format);
    const failing = new FailingStore(this.store, { at: failsAt, how: "from-there-on" });
    this.counts.backups++;
    try {
      const repository = await openRepository(failing, this);
      const plan = (parent: Snapshot | undefined) =>
        this.plan(type, { parent, after, link, delta, repository });
      const { snapshot } = await backUpBytes(repository, after, { plan });
      this.expected.set(snapshot.id, after);
      this.disk = after;
    } catch (error) {
      if ((error as RegrainError).code !== "STORE_FAILED") throw error;
      this.counts.failed++;
      await this.adopt(after);
    }
  }

  /** A backup that failed after its manifest has made a snapshot all the same. */
  private async adopt(after: Uint8Array<ArrayBuffer>): Promise<void> {
    for (const { id } of await this.repository.listSnapshots()) {
      if (this.expected.has(id)) continue;
      this.expected.set(id, after);
      this.disk = after;
    }
  }

  private async plan(
    type: "full" | "changed" | "delta",
    known: {
      parent: Snapshot | undefined;
      after: Uint8Array;
      link: LinkSpec;
      delta: Awaited<ReturnType<typeof openDelta>>;
      repository: Repository;
    },
  ): Promise<BackupPlan> {
    const { parent, after, link, delta, repository } = known;
    const origin = { source: memorySource("disk", after), chunkBytes: CHUNK_BYTES, cid: undefined };
    // Deltas need a snapshot; there may be none any more.
    if (type === "delta" && parent !== undefined && this.isLatest(parent)) {
      return await planDelta(delta, parent, { repository, name: "vm/disk", onNotice: () => {} });
    }
    if (type === "full" || parent === undefined || !this.isLatest(parent)) return planFull(origin);
    const grainBytes = GRAIN_SECTORS * SECTOR_SIZE;
    const list = link.grains.map(({ index }) => ({
      start: index * grainBytes,
      length: Math.min(grainBytes, after.length - index * grainBytes),
    }));
    return planChanged(origin, parent, { list, sizeBytes: undefined });
  }

  /** Changes are against the disk as it was last backed up, which a removed snapshot may have been. */
  private isLatest({ id }: Snapshot): boolean {
    return this.expected.get(id) === this.disk;
  }

  private async forget(which: number): Promise<void> {
    const names = await this.repository.listSnapshots();
    const name = names[which % Math.max(1, names.length)];
    if (name === undefined) return;
    this.expected.delete(name.id);
    await this.store.remove([name.key]);
  }

  private async collect(): Promise<void> {
    const { removedObjects, waitedFor } = await collectGarbage(await openRepository(this.store, this), {
      waitMs: 0,
      leaseMs: 0,
      onNotice: () => {},
    });
    assert.deepEqual(waitedFor, []);
    this.counts.collected += removedObjects;
  }

  private async check(): Promise<void> {
    const names = await this.repository.listSnapshots();
    assert.deepEqual(names.map(({ id }) => id), [...this.expected.keys()].sort());
    for (const name of names) {
      const bytes = await bytesOf(this.repository, (await this.repository.readSnapshot(name))!);
      assert.ok(sameBytes(bytes, this.expected.get(name.id)!), `snapshot ${name.id} is not what it was`);
    }
  }
}

Deno.test("after any history of backups, failures and collections every snapshot reads as it was", async () => {
  const total = { backups: 0, failed: 0, collected: 0 };
  await checkAsync(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 * CHUNK_BYTES / SECTOR_SIZE }),
      fc.boolean(),
      fc.array(step, { minLength: 2, maxLength: 10 }),
      async (sectors, isEncrypted, steps) => {
        const history = await History.start(sectors, isEncrypted);
        for (const step of steps) await history.take(step);
        for (const name of ["backups", "failed", "collected"] as const) total[name] += history.counts[name];
      },
    ),
    { runs: RUNS },
  );
  console.log(`${RUNS} histories: ${JSON.stringify(total)}`);
  assert.ok(total.failed > 5 && total.collected > 5);
});
