/** A delta over the snapshot before: the new snapshot, of which only the delta and the chunks it touches are read. */
import {
  Batch,
  type Disk,
  formatCid,
  judgeChain,
  type Link,
  quoteWord,
  refusalOf,
  RegrainError,
  type Run,
  SECTOR_SIZE,
} from "../../../core-as/host/mod.ts";
import {
  chunkCount,
  type ChunkEntry,
  type MapPage,
  PAGE_ENTRIES,
  type Snapshot,
} from "../../../core-as/host/repo/mod.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import type { Lanes } from "../lanes.ts";
import type { Lineage } from "./lineage.ts";
import { cidText } from "./origins.ts";
import type { BackupPlan } from "./plan.ts";
import type { Repository } from "../repository.ts";

/**
 * Lays a delta over the snapshot before: the new snapshot. Of the repository only chunks are read that the delta covers
 * in part.
 *
 * @param links The delta's links, newest first, none of them a base.
 * @throws {RegrainError} `SNAPSHOT_MISSING`, `SIZE_MISMATCH`, `WRONG_BASE`: there is no source to read instead.
 */
export async function planDelta(
  delta: { disk: Disk; links: readonly Link[]; force: boolean },
  parent: Snapshot | undefined,
  means: {
    repository: Repository;
    name: string;
    lanes?: Lanes;
    /** Absent where the snapshot is one that the user names. */
    lineage?: Lineage | undefined;
    onNotice: (sentence: string) => void;
  },
): Promise<BackupPlan> {
  const { disk } = delta;
  if (parent === undefined) {
    throw new RegrainError(
      "SNAPSHOT_MISSING",
      `there is no snapshot of ${means.name} to lay the delta over`,
      {
        path: disk.path,
        hint: "back up the base first: regrain backup BASE --repo R --name VM/DISK",
      },
    );
  }
  requireOneChain(delta.links, delta.force, means.onNotice);
  checkLineage(delta, parent, means);
  if (parent.sizeBytes !== disk.sizeBytes) {
    throw new RegrainError(
      "SIZE_MISMATCH",
      `the delta is of a disk of ${disk.sizeBytes} bytes, snapshot ${parent.id} of one of ${parent.sizeBytes}`,
      { path: disk.path },
    );
  }
  const { chunkBytes } = parent;
  const touched = new ChunkSet(chunkCount(parent));
  for await (const { list } of disk.walk()) {
    for (let i = 0; i < list.count; i++) {
      if (disk.kindOf(list.place(i)) === "hole") continue;
      touched.addBytes(
        { start: list.start(i) * SECTOR_SIZE, length: list.length(i) * SECTOR_SIZE },
        chunkBytes,
      );
    }
  }
  const overlay = new DeltaReader({ disk, parent, touched, ...means });
  return {
    sizeBytes: disk.sizeBytes,
    method: "delta",
    reason: undefined,
    cid: cidText(delta.links[0]!),
    touched,
    rereadable: true,
    read: (chunk, plain) => overlay.read(chunk, plain),
  };
}

function checkLineage(
  { disk, links, force }: { disk: Disk; links: readonly Link[]; force: boolean },
  parent: Snapshot,
  { name, lineage, onNotice }: {
    name: string;
    lineage?: Lineage | undefined;
    onNotice: (sentence: string) => void;
  },
): void {
  const parentCid = links.at(-1)!.identity?.parent.cid;
  const due = parentCid === undefined ? undefined : formatCid(parentCid);
  checkNewest({ disk, links, force }, { parent, due, name, lineage, onNotice });
  if (lineage?.isTold && (due === undefined || parent.cid === undefined)) return;
  if (due === undefined || parent.cid === undefined) {
    const who = due === undefined ? "the delta names no parent" : `snapshot ${parent.id} has no CID`;
    onNotice(`whether the delta belongs on snapshot ${parent.id} is taken on trust: ${who}`);
    return;
  }
  if (due === parent.cid) return;
  if (cidText(links[0]!) === parent.cid) {
    // As when a backup was killed after its manifest and before it could tell: what is there already changes nothing.
    onNotice(`snapshot ${parent.id} has ${disk.path} already; it is laid over once more`);
    return;
  }
  const message = `was made against CID ${due}, and snapshot ${parent.id} has CID ${parent.cid}`;
  if (!force) {
    throw new RegrainError("WRONG_BASE", message, {
      path: disk.path,
      hint: "back up the deltas in the order they were made; --force lays it over all the same",
    });
  }
  onNotice(`${disk.path} ${message}; it is laid over all the same`);
}

/**
 * Refuses a delta where the snapshot is not the very newest, or may not be what the delta was made against. After a run
 * that failed a delta with a CID of its own tells by that what it was made against.
 */
function checkNewest(
  { disk, links, force }: { disk: Disk; links: readonly Link[]; force: boolean },
  about: {
    parent: Snapshot;
    due: string | undefined;
    name: string;
    lineage?: Lineage | undefined;
    onNotice: (sentence: string) => void;
  },
): void {
  const { parent, due, name, lineage, onNotice } = about;
  if (lineage?.doubt === undefined) return;
  const { kind, reason } = lineage.doubt;
  const own = cidText(links[0]!);
  const tellsItself = own !== due && (due === parent.cid || own === parent.cid) && parent.cid !== undefined;
  if (kind === "run-between" && tellsItself) return;
  const message = `what it changes may not be what changed since snapshot ${parent.id}: ${reason}`;
  if (force) return onNotice(`taken by --force: ${disk.path}: ${message}`);
  const otherwise = kind === "run-between"
    ? `--since ${parent.id} says that it was made against that snapshot`
    : `back up the whole disk, and deltas go on from there: regrain backup DISK --name ${quoteWord(name)}`;
  throw new RegrainError("WRONG_BASE", message, {
    path: disk.path,
    hint: `${otherwise}; --force lays it over all the same, and what came between is missing then`,
  });
}

function requireOneChain(links: readonly Link[], force: boolean, onNotice: (sentence: string) => void): void {
  for (const verdict of judgeChain(links)) {
    const refusal = refusalOf(verdict);
    if (refusal && !force) throw refusal;
    if (verdict.state === "match") continue;
    const taken = verdict.refused ? "taken by --force: " : "";
    onNotice(`${taken}${verdict.child} on ${verdict.parent}: ${verdict.reasons.join("; ")}`);
  }
}

/** A chunk that is going to be read: what the delta has of it, and what lies below, on its way. */
interface Part {
  readonly runs: readonly Run[];
  /** `undefined` where nothing of it shows, or zeros do. */
  readonly below: Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** Chunks of a snapshot with a delta over them. What lies below is fetched and unpacked ahead, in the lanes. */
class DeltaReader {
  private page: { index: number; page: MapPage } | undefined;
  private readonly parts = new Map<number, Part>();
  /** The first chunk that was not looked at ahead. */
  private next = 0;

  constructor(
    private readonly of: {
      readonly disk: Disk;
      readonly parent: Snapshot;
      readonly repository: Repository;
      /** Without them the chunks below are unpacked in this thread. */
      readonly lanes?: Lanes;
      readonly touched: ChunkSet;
    },
  ) {}

  async read(chunk: number, plain: Uint8Array<ArrayBuffer>): Promise<number> {
    const part = this.parts.get(chunk) ?? await this.prepare(chunk);
    await this.prepareAfter(chunk);
    if (part.runs.every(({ kind }) => kind === "zero")) return 0;
    const below = await part.below;
    if (below === undefined) plain.fill(0);
    else plain.set(below);
    await this.layOver(plain, { start: chunk * this.of.parent.chunkBytes, runs: part.runs });
    return plain.length;
  }

  private async layOver(
    plain: Uint8Array<ArrayBuffer>,
    { start, runs }: { start: number; runs: readonly Run[] },
  ): Promise<void> {
    const batch = new Batch();
    for (const run of runs) {
      const at = run.start - start;
      if (run.kind === "zero") plain.fill(0, at, at + run.length);
      else if (run.kind === "data") batch.add({ offsetBytes: run.start, lengthBytes: run.length, at });
    }
    await this.of.disk.read(batch, plain);
  }

  /** Looks ahead: one chunk a lane, and one to lay the delta over. */
  private async prepareAfter(chunk: number): Promise<void> {
    const { touched, lanes } = this.of;
    for (const earlier of this.parts.keys()) if (earlier <= chunk) this.parts.delete(earlier);
    this.next = Math.max(this.next, chunk + 1);
    for (; this.parts.size <= (lanes?.count ?? 0) && this.next < touched.count; this.next++) {
      if (touched.has(this.next)) this.parts.set(this.next, await this.prepare(this.next));
    }
  }

  private async prepare(chunk: number): Promise<Part> {
    const { disk, parent } = this.of;
    const start = chunk * parent.chunkBytes;
    const plainBytes = Math.min(parent.chunkBytes, parent.sizeBytes - start);
    const runs = await disk.runs(start, start + plainBytes);
    const shows = runs.some(({ kind }) => kind === "hole");
    const entry = shows ? await this.entryOf(chunk) : undefined;
    const below = entry === undefined ? Promise.resolve(undefined) : this.fetch(entry, plainBytes);
    // Whoever reads the chunk hears of a failure; until then it is not an unhandled one.
    below.catch(() => undefined);
    return { runs, below };
  }

  private async fetch(entry: ChunkEntry, plainBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const { repository, lanes } = this.of;
    if (lanes === undefined) return await repository.readChunk(entry, plainBytes);
    const { bytes, key, path, name } = await repository.fetch({ kind: "chunks", ...entry }, plainBytes);
    return await lanes.unseal(bytes, { key, path, id: name.id, plainBytes });
  }

  private async entryOf(chunk: number): Promise<ChunkEntry | undefined> {
    const { repository, parent } = this.of;
    const index = Math.floor(chunk / PAGE_ENTRIES);
    if (this.page?.index !== index) this.page = { index, page: await repository.readPage(parent, index) };
    return this.page.page.get(chunk % PAGE_ENTRIES);
  }
}
