/**
 * Making a snapshot. Any number of hosts may do so at once, and collect garbage beside it; see `intents.ts`.
 *
 * The order is what makes it safe: intent, forbidden names, parent, content, manifest, and only when the intent
 * stood all the time, success. Each step is one the model of the protocol has; none may be moved.
 */
import { Buffer } from "node:buffer";
import { RegrainError } from "../../../core-as/host/errors.ts";
import { plural } from "../../../core-as/host/units.ts";
import {
  chunkCount,
  type DamagedStretch,
  type MapPage,
  MAX_DISK_BYTES,
  PAGE_ENTRIES,
  serializeSnapshot,
  type Snapshot,
  snapshotKey,
} from "../../../core-as/host/repo/mod.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import { isCut, listContent } from "../content_list.ts";
import { ContentWriter } from "./content_writer.ts";
import type { IdTable } from "../id_table.ts";
import { Gate } from "../../lanes/gate.ts";
import { BufferPool, TaskGroup } from "../../lanes/in_flight.ts";
import { inheritedDamage, mergeDamaged, requireFew } from "./damaged_source.ts";
import { type ForbiddenNames, Intent, readForbidden } from "../signs/intents.ts";
import { unhealedMarks } from "../signs/marks.ts";
import type { Lanes } from "../lanes.ts";
import { MapBuilder } from "./map_builder.ts";
import { chunksOf, isDamage } from "../places.ts";
import type { BackupPlan } from "./plan.ts";
import type { Repository } from "../repository.ts";
import { retainContent, retainUntil } from "./retain.ts";
import { latestSnapshot } from "../snapshots/snapshots.ts";
import { CLOCK_TOLERANCE_MS, spanWords } from "../snapshots/times.ts";

/** A backup that was taken for dead starts again; one that is so every time gives up. */
const MAX_ATTEMPTS = 5;
/** Objects on their way to the store at once: a folder is quick, a distant store answers late. */
const PUTS_AT_ONCE = 16;
/** From this share of a disk on it is cheaper to list every chunk of the store than to ask for them one by one. */
const LISTING_SHARE = 1 / 64;

export interface BackupProgress {
  /** Bytes of the disk that are settled, of those that are looked at; how many these are, a stream does not tell. */
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
  readonly readBytes: number;
  readonly storedBytes: number;
}

export interface BackupRequest {
  /** `VM/DISK`. */
  readonly name: string;
  readonly tags: readonly string[];
  /** The VM whose disks are made in this run. */
  readonly vm?: string | undefined;
  readonly lanes: Lanes;
  /**
   * Says what will be read, given the snapshot before; called again when a backup must start again.
   *
   * @param own Ids of this backup, one for each time that it began.
   */
  plan(parent: Snapshot | undefined, own: ReadonlySet<string>): Promise<BackupPlan>;
  /** What the platform calls this moment of the disk, as a list of changes will name it. */
  readonly changeId?: string | undefined;
  /** Looks for chunks of the parent that are not in the store, and stores them anew. */
  readonly heal?: boolean;
  /** Set when this is a copy: it has the time of the original, and among the snapshots the place its clock says. */
  readonly copyOf?: Pick<Snapshot, "created"> | undefined;
  /** For so long, at least, the store is to let nobody remove what the snapshot needs. */
  readonly retainMs?: number | undefined;
  onProgress?(progress: BackupProgress): void;
  /**
   * Says what the content that was read is at best; what it throws is why it is no snapshot.
   */
  beforeCommit?(): Snapshot["consistency"];
  /** What the source could not give, and zeros stand for, when all is read; of a copy all that its original lacks. */
  damaged?(): Snapshot["damaged"];
  /** Told of everything that was not as it should be, one sentence each. */
  onNotice(sentence: string): void;
}

export interface BackupResult {
  readonly snapshot: Snapshot;
  /** How often the backup was taken for dead, and started again. */
  readonly restarts: number;
}

/** What is carried over when a stream, which cannot be read again, must start again. */
interface Carried {
  readonly plan: BackupPlan;
  readonly map: MapBuilder;
  readonly readBytes: number;
}

/**
 * Makes a snapshot of a source.
 *
 * @throws {RegrainError} what the source or the store throws; nothing is visible then, and the next run uses what was
 * stored already.
 */
export async function backUp(repository: Repository, request: BackupRequest): Promise<BackupResult> {
  const source = await repository.sourceKey(request.name);
  const superseded: string[] = [];
  const own = new Set<string>();
  let carried: Carried | undefined;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const intent = await Intent.open(repository, {
      id: await nextId(repository, { source, ...request }),
      source,
      name: request.name,
    });
    own.add(intent.id);
    const work = new Attempt(repository, request, { source, intent, own });
    const made = await runUnlessLost(work, { intent, carried, request });
    if (made !== undefined && await intent.stands()) {
      await intent.done(work.retainUntilMs);
      if (request.copyOf === undefined) tellClock(intent, request);
      await removeSuperseded(repository, superseded, request);
      return { snapshot: made.snapshot, restarts: attempt };
    }
    superseded.push(work.key);
    carried = made === undefined || made.plan.rereadable ? undefined : made;
    request.onNotice(
      work.hasLostParent
        ? "the snapshot that this backup was built on is gone, and it starts again"
        : "this backup was taken for dead by a collection, and starts again",
    );
  }
  throw new RegrainError("STORE_FAILED", `was taken for dead ${MAX_ATTEMPTS} times by collections`, {
    path: repository.store.label,
    hint: "look at the clock of the store, and at who runs regrain gc",
  });
}

/** Says when this machine and the store do not agree on the time: the snapshot carries that of this machine. */
function tellClock({ aheadMs = 0 }: Intent, request: BackupRequest): void {
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return;
  request.onNotice(
    `the clock of this machine is ${spanWords(aheadMs)} ${
      aheadMs > 0 ? "ahead of" : "behind"
    } the store's: ` +
      "the snapshot has the time of this machine; set the clock",
  );
}

/** The id of the next snapshot of a source: after all there are, whatever the clocks said when these were made. */
async function nextId(
  repository: Repository,
  { source, copyOf }: { source: string; copyOf?: BackupRequest["copyOf"] },
): Promise<string> {
  if (copyOf !== undefined) return repository.newId();
  return repository.newId((await repository.listSnapshots(source)).at(-1)?.id);
}

/**
 * What was collected under a backup that was taken for dead is missing to it; that is a reason to start again only. So
 * it is where the parent was made by one that was taken for dead, which removed that snapshot when it noticed.
 */
async function runUnlessLost(
  work: Attempt,
  { intent, carried, request }: { intent: Intent; carried: Carried | undefined; request: BackupRequest },
): Promise<Carried & { snapshot: Snapshot } | undefined> {
  try {
    return await work.run(carried);
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    if (isRefusal(error) && !work.isPlanned) {
      await withdraw(intent, request);
      throw error;
    }
    const isLost = !error.code.startsWith("STORE_") && work.isRereadable;
    if (isLost && !await intent.stands()) return undefined;
    await giveUp(intent, request);
    if (isLost && await work.losesParent()) return undefined;
    throw error;
  }
}

/** Exit statuses of what is not done because it looks wrong: the command line, the base, the key. */
const REFUSALS: readonly number[] = [2, 5, 12];

/** True where nothing failed: whoever called still has the list or the delta, and can be expected to mend the call. */
function isRefusal({ code, exit }: RegrainError): boolean {
  return REFUSALS.includes(exit) || code === "SNAPSHOT_MISSING";
}

/**
 * Takes the signs of a backup away that was refused before it read or stored anything: as a run that failed it would
 * make the next list doubtful. Without the right to remove them it counts as one.
 */
async function withdraw(intent: Intent, request: BackupRequest): Promise<void> {
  try {
    await intent.withdraw();
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    await giveUp(intent, request);
  }
}

/** Says that nobody need wait for this backup. A store that fails may not take even that; then its lease runs out. */
async function giveUp(intent: Intent, request: BackupRequest): Promise<void> {
  try {
    await intent.fail();
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    request.onNotice(
      `regrain gc waits a day for this backup, which could not say that it failed: ${error.message}`,
    );
  }
}

/** A manifest of a lost attempt may refer to what was removed; without the right to remove it, it stays doubtful. */
async function removeSuperseded(
  repository: Repository,
  keys: readonly string[],
  request: BackupRequest,
): Promise<void> {
  if (keys.length === 0) return;
  try {
    await repository.store.remove(keys);
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    request.onNotice(`a manifest of an attempt that was lost could not be removed: ${error.message}`);
  }
}

/** Chunks to look at, ascending, and how many they are, where that is known. */
interface Todo {
  readonly chunks: Iterable<number> | AsyncIterable<number>;
  readonly count: number | undefined;
}

async function* untilEnd(plan: BackupPlan): AsyncGenerator<number> {
  for (let chunk = 0; await plan.atEnd?.() === false; chunk++) yield chunk;
}

/** One attempt: from the intent to the manifest. */
class Attempt {
  private doneBytes = 0;
  private readBytes = 0;
  private totalBytes: number | undefined;
  /** True when a snapshot that this was built on was removed meanwhile. */
  hasLostParent = false;
  private parentKey: string | undefined;
  /** True once it is decided what is read: from here on something may be stored. */
  isPlanned = false;
  /** False once a stream has begun to be read. */
  isRereadable = true;
  /** Until when the store is to let nobody remove what this makes. */
  readonly retainUntilMs: number | undefined;
  private readonly startedMs: number;
  private readonly chunkBytes: number;
  private readonly zeros: Uint8Array;

  constructor(
    private readonly repository: Repository,
    private readonly request: BackupRequest,
    private readonly of: { source: string; intent: Intent; own: ReadonlySet<string> },
  ) {
    this.startedMs = repository.world.nowMs();
    this.retainUntilMs = retainUntil(this.startedMs, request.retainMs);
    this.chunkBytes = repository.description.chunkBytes;
    this.zeros = new Uint8Array(this.chunkBytes);
  }

  /** Of the manifest. */
  get key(): string {
    return snapshotKey(this.of.source, this.of.intent.id, this.repository.suffix);
  }

  async run(carried: Carried | undefined): Promise<Carried & { snapshot: Snapshot }> {
    const { repository } = this;
    const forbidden = await readForbidden(repository, {
      storeNowMs: () => this.of.intent.putByStoreMs(),
      onNotice: this.request.onNotice,
    });
    const unhealed = forbidden.damaged === 0 ? 0 : (await unhealedMarks(repository)).size;
    if (unhealed > 0) {
      this.request.onNotice(
        `found damaged before: ${plural(unhealed, "chunk")}, stored anew where the disk has them still`,
      );
    }
    const parent = carried === undefined ? await this.readable(await this.parent(), forbidden) : undefined;
    this.parentKey = parent && snapshotKey(this.of.source, parent.id, repository.suffix);
    const plan = carried?.plan ?? await this.request.plan(parent, this.of.own);
    this.isPlanned = true;
    this.isRereadable = plan.rereadable;
    if (carried === undefined && plan.touched !== "all" && parent === undefined) {
      throw new Error("a plan relies on a parent, and there is none");
    }
    const base = plan.touched === "all" ? undefined : parent;
    const map = carried?.map ?? new MapBuilder(repository, this.chunkBytes, { parent: base, ...plan });
    const known = await this.listIfWorthwhile(plan, carried);
    const { retainUntilMs: untilMs } = this;
    const writer = new ContentWriter(repository, forbidden, known, untilMs);
    if (parent !== undefined && plan.touched === "all") await this.distrustCut(parent, { writer, known });
    const todo = carried === undefined
      ? await this.chunksToRead(plan, { map, forbidden, known, writer })
      : await this.chunksToStoreAgain(map, { writer, known });
    await this.storeChunks(todo, { plan, map, writer, again: carried !== undefined });
    const { pages, root } = await map.finish(writer);
    this.tellReplaced(writer);
    if (untilMs !== undefined) {
      await retainContent({ repository, pages, map, writer, untilMs, parent, intent: this.of.intent });
    }
    const consistency = this.request.beforeCommit?.();
    const damaged = this.damaged(parent, plan);
    const snapshot: Snapshot = {
      format: "regrain-snapshot",
      version: 1,
      features: [],
      repository: repository.description.id,
      id: this.of.intent.id,
      source: { name: this.request.name, key: this.of.source },
      created: this.request.copyOf?.created ?? new Date(repository.world.nowMs()).toISOString(),
      tool: repository.world.tool,
      host: repository.world.host,
      parent: parent?.id,
      ...map.disk,
      pages,
      root,
      change: { method: plan.method, reason: plan.reason },
      cid: plan.cid,
      ...this.request.changeId === undefined ? {} : { changeId: this.request.changeId },
      ...consistency === undefined ? {} : { consistency },
      ...damaged.length === 0 ? {} : { damaged },
      ...this.request.vm === undefined ? {} : { vm: this.request.vm },
      tags: this.request.tags,
      ...untilMs === undefined ? {} : { retainUntil: new Date(untilMs).toISOString() },
      stats: {
        chunks: map.countChunks(),
        newChunks: writer.newChunks,
        readBytes: this.readBytes + (carried?.readBytes ?? 0),
        storedBytes: writer.storedBytes,
        elapsedMs: Math.round(repository.world.nowMs() - this.startedMs),
      },
    };
    await this.commit(snapshot);
    return { plan, map, readBytes: this.readBytes, snapshot };
  }

  /** Looks whether the parent is there still. */
  async losesParent(): Promise<boolean> {
    const { parentKey, repository: { store } } = this;
    this.hasLostParent = parentKey !== undefined && await store.head(parentKey) === undefined;
    return this.hasLostParent;
  }

  private damaged(parent: Snapshot | undefined, plan: BackupPlan): DamagedStretch[] {
    const own = this.request.damaged?.() ?? [];
    const inherited = this.request.copyOf === undefined ? inheritedDamage(parent, plan) : [];
    const damaged = mergeDamaged([...own, ...inherited]);
    requireFew(damaged, this.request.name);
    return damaged;
  }

  /** Step 3. It must come after the forbidden names are read: what the parent refers to may be condemned by then. */
  private parent(): Promise<Snapshot | undefined> {
    return latestSnapshot(this.repository, this.of.source, this.request.onNotice);
  }

  /** The parent, unless a page of its map is damaged: then what is unchanged cannot be taken from it. */
  private async readable(
    parent: Snapshot | undefined,
    forbidden: ForbiddenNames,
  ): Promise<Snapshot | undefined> {
    if (parent === undefined || forbidden.maps.size === 0) return parent;
    for (const [i, reference] of parent.pages.entries()) {
      if (reference === null || !forbidden.maps.hasNamed(reference)) continue;
      try {
        await this.repository.readPage(parent, i);
      } catch (error) {
        if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
        this.request.onNotice(`snapshot ${parent.id} is not built on: ${error.message}`);
        return undefined;
      }
    }
    return parent;
  }

  private async listIfWorthwhile(
    plan: BackupPlan,
    carried: Carried | undefined,
  ): Promise<IdTable | undefined> {
    const many = plan.touched === "all" ||
      plan.touched.size > Math.max(64, plan.touched.count * LISTING_SHARE);
    return many || carried !== undefined || this.request.heal
      ? await listContent(this.repository, "chunks", { holds: (sizeBytes) => !isCut(sizeBytes) })
      : undefined;
  }

  /**
   * What the parent refers to and is listed in another size was cut, by a failing disk or in a copy of the repository.
   * A new snapshot that took it for what it was would take down its wrong size as well, and look whole.
   */
  private async distrustCut(
    parent: Snapshot,
    { writer, known }: { writer: ContentWriter; known: IdTable | undefined },
  ): Promise<void> {
    const tasks = new TaskGroup(PUTS_AT_ONCE);
    try {
      for (const [i, reference] of parent.pages.entries()) {
        if (reference === null) continue;
        await tasks.start(async () => {
          const page = await this.pageIfSound(parent, i);
          if (page === undefined) return;
          for (const { id, generation, storedBytes, at } of chunksOf(page)) {
            const listed = known?.get(id, generation);
            if (listed !== undefined && listed !== storedBytes) writer.distrust("chunks", page.get(at)!);
          }
        });
      }
    } finally {
      await tasks.settle();
    }
    tasks.check();
  }

  /** A page of which nothing is known tells nothing: verify finds it. */
  private async pageIfSound(parent: Snapshot, index: number): Promise<MapPage | undefined> {
    try {
      return await this.repository.readPage(parent, index);
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  private tellReplaced({ replaced }: ContentWriter): void {
    if (replaced === 0) return;
    this.request.onNotice(
      `${plural(replaced, "object")} of the repository had lost what was stored, by the size, and ` +
        `${
          replaced === 1 ? "is" : "are"
        } stored anew, for older snapshots too: run regrain verify --deep, and look ` +
        "what the store lies on",
    );
  }

  /** What the plan touches, and what the parent has under names that may not be used, or that are gone. */
  private async chunksToRead(
    plan: BackupPlan,
    means: {
      map: MapBuilder;
      forbidden: ForbiddenNames;
      known: IdTable | undefined;
      writer: ContentWriter;
    },
  ): Promise<Todo> {
    if (plan.sizeBytes === undefined) return { chunks: untilEnd(plan), count: undefined };
    const count = chunkCount({ sizeBytes: plan.sizeBytes, chunkBytes: this.chunkBytes });
    if (plan.touched === "all") return { chunks: ChunkSet.full(count), count };
    const { map, forbidden, known, writer } = means;
    const todo = plan.touched;
    if (forbidden.chunks.size === 0 && !this.request.heal) return { chunks: todo, count: todo.size };
    for (let chunk = 0; chunk < count; chunk++) {
      if (chunk % PAGE_ENTRIES === 0) await map.load(chunk / PAGE_ENTRIES);
      const entry = map.get(chunk);
      if (entry === undefined) continue;
      const gone = this.request.heal && known?.getNamed(entry) !== entry.storedBytes;
      if (gone) writer.distrust("chunks", entry);
      if (gone || forbidden.chunks.hasNamed(entry)) todo.add(chunk);
    }
    return { chunks: todo, count: todo.size };
  }

  /** Of a stream that must start again: what is not in the store, or may not stay where it is. */
  private async chunksToStoreAgain(
    map: MapBuilder,
    means: { writer: ContentWriter; known: IdTable | undefined },
  ): Promise<Todo> {
    const count = chunkCount(map.disk);
    const todo = new ChunkSet(count);
    for (let chunk = 0; chunk < count; chunk++) {
      if (chunk % PAGE_ENTRIES === 0) await map.load(chunk / PAGE_ENTRIES);
      const entry = map.get(chunk);
      if (entry === undefined) continue;
      if (!means.writer.mayUse("chunks", entry) || means.known?.hasNamed(entry) !== true) todo.add(chunk);
    }
    return { chunks: todo, count: todo.size };
  }

  private async storeChunks(
    todo: Todo,
    work: { plan: BackupPlan; map: MapBuilder; writer: ContentWriter; again: boolean },
  ): Promise<void> {
    const { lanes } = this.request;
    // What must be stored again comes from the repository, one chunk after the other.
    const inFlight = work.again ? 1 : work.plan.inFlight ?? 1;
    const reads = inFlight > 1 ? new Gate(inFlight) : undefined;
    const buffers = lanes.count * 2 + 2 + (reads === undefined ? 0 : inFlight);
    const pool = new BufferPool(this.chunkBytes, buffers);
    const tasks = new TaskGroup(buffers + PUTS_AT_ONCE);
    const puts = new Gate(PUTS_AT_ONCE);
    this.totalBytes = todo.count === undefined ? undefined : todo.count * this.chunkBytes;
    try {
      for await (const chunk of todo.chunks) {
        await work.map.load(Math.floor(chunk / PAGE_ENTRIES));
        await this.of.intent.beat();
        const buffer = await pool.take();
        const read = () => this.readChunk(chunk, { buffer, work });
        const readOrGiveBack = async () => {
          try {
            return await read();
          } catch (error) {
            pool.give(buffer);
            throw error;
          }
        };
        const store = async (plain: Uint8Array<ArrayBuffer> | undefined) => {
          const entry = plain && await this.storeChunk(plain, { writer: work.writer, pool, puts });
          if (plain === undefined) pool.give(buffer);
          work.map.set(chunk, entry);
          this.step(work.writer);
        };
        if (reads !== undefined) {
          await tasks.start(async () => await store(await reads.run(readOrGiveBack)));
          continue;
        }
        const plain = await read();
        if (plain === undefined) await store(plain);
        else await tasks.start(() => store(plain));
      }
    } finally {
      await tasks.settle();
    }
    tasks.check();
  }

  /** @returns the chunk at the beginning of the buffer; `undefined` for zeros. */
  private async readChunk(
    chunk: number,
    from: { buffer: Uint8Array<ArrayBuffer>; work: { plan: BackupPlan; map: MapBuilder; again: boolean } },
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { buffer, work: { plan, map, again } } = from;
    const sizeBytes = again ? map.disk.sizeBytes : plan.sizeBytes ?? Infinity;
    const plain = buffer.subarray(0, Math.min(this.chunkBytes, sizeBytes - chunk * this.chunkBytes));
    if (again) {
      plain.set(await this.repository.readChunk(map.get(chunk)!, plain.length));
      return plain;
    }
    const count = await plan.read(chunk, plain);
    this.readBytes += count;
    if (plan.sizeBytes === undefined) map.end(chunk * this.chunkBytes + count);
    const isZero = count === 0 ||
      Buffer.compare(plain.subarray(0, count), this.zeros.subarray(0, count)) === 0;
    return isZero ? undefined : plain.subarray(0, count);
  }

  private async storeChunk(
    plain: Uint8Array<ArrayBuffer>,
    means: { writer: ContentWriter; pool: BufferPool; puts: Gate },
  ) {
    let back: Uint8Array<ArrayBuffer> | undefined;
    try {
      const chunk = await this.request.lanes.identify(plain);
      const entry = await means.writer.ensure("chunks", chunk.id, async (key) => {
        const { sealed, buffer } = await chunk.seal(key);
        means.pool.give(back = buffer);
        return sealed;
      }, means.puts);
      if (back === undefined) means.pool.give(back = await chunk.release());
      return entry;
    } finally {
      // A buffer that was lost to an error must not be waited for.
      if (back === undefined) means.pool.give(new Uint8Array(this.chunkBytes));
    }
  }

  private step(writer: ContentWriter): void {
    this.doneBytes += this.chunkBytes;
    const { doneBytes, totalBytes, readBytes } = this;
    this.request.onProgress?.({ doneBytes, totalBytes, readBytes, storedBytes: writer.storedBytes });
  }

  /** Step 5: from here on the snapshot is seen. A manifest that is there already is our own, from a lost reply. */
  private async commit(snapshot: Snapshot): Promise<void> {
    const { store, means } = this.repository;
    const { key } = this;
    if (snapshot.sizeBytes > MAX_DISK_BYTES) {
      throw new RegrainError(
        "LIMIT_EXCEEDED",
        `a disk of ${snapshot.sizeBytes} bytes is larger than any reader takes`,
      );
    }
    const plain = await serializeSnapshot(snapshot);
    const bytes = means.keys === undefined ? plain : await means.keys.encrypt(key, plain);
    const options = { ifAbsent: true, retainUntilMs: this.retainUntilMs };
    if (await store.put(key, bytes, options) === "exists") {
      const there = await store.get(key, bytes.length);
      if (there === undefined || Buffer.compare(there, bytes) !== 0) {
        throw new RegrainError("STORE_FAILED", "another manifest stands under the name of this one", {
          path: this.repository.pathOf(key),
        });
      }
    }
  }
}
