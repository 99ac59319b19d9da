/** A snapshot that is open as a disk: its one file, what of it is damaged, and how it compares with another one. */
import {
  type Context,
  type Core,
  RegrainError,
  type Run,
  SECTOR_SIZE,
  type Source,
} from "../../../core-as/host/mod.ts";
import { inflatePortable, inflateRawPortable } from "../../../core-as/host/inflate.ts";
import {
  type ChunkEntry,
  contentStem,
  diffSnapshots,
  pageCount,
  type Snapshot,
  SnapshotSource,
} from "../../../core-as/host/repo/mod.ts";
import type { Answers, Checked, Difference, FindingFact } from "../../shared/protocol.ts";
import type { SectorRange } from "../disk/geometry.ts";
import type { OpenFiles } from "../sources/given.ts";
import type { OpenRepository } from "./repository.ts";

/** Runs of a difference that are told. */
const MAX_TOLD_RUNS = 500;
const NOTICE_MS = 100;
/** Findings that are told; all are counted. */
const MAX_FINDINGS = 1000;

export class SnapshotDisk implements OpenFiles {
  readonly names: readonly string[];
  readonly remarks: readonly string[] = [];
  /** Damaged chunks by their index, with what is wrong. */
  private readonly damage = new Map<number, string>();
  private readonly source: SnapshotSource;
  /** Where it differs from what it is compared with; sorted, in bytes. Everything, until that is known. */
  private changed: readonly Run[];
  private against: string | undefined;

  /** @param onDamage Told of each damaged chunk, once. */
  constructor(
    private readonly repository: OpenRepository,
    readonly snapshot: Snapshot,
    private readonly onDamage: (range: SectorRange) => void,
  ) {
    this.source = new SnapshotSource(
      repository.reader,
      snapshot,
      (chunk, error) => this.note(chunk, error.message),
    );
    this.names = [this.source.path];
    this.changed = [{ start: 0, length: snapshot.sizeBytes, kind: "data" }];
  }

  /** The disk itself; all that read it share the chunks that are unpacked. */
  open(path: string): Source {
    if (path === this.source.path) return this.source;
    throw new RegrainError("NOT_FOUND", "is no part of the snapshot", { path });
  }

  exists(): boolean {
    return false;
  }

  realPath(path: string): string {
    return path;
  }

  list(): undefined {
    return undefined;
  }

  context(core: Core): Context {
    return {
      core,
      files: this,
      names: { search: [], allowOutside: false },
      inflate: inflatePortable,
      unpackers: { inflateRaw: inflateRawPortable },
      ignoreJournal: false,
      format: undefined,
      warn: () => undefined,
    };
  }

  /** Finds where the chunks stand that a verification has marked; maps are read only where there are marks. */
  async placeMarks(): Promise<void> {
    const { reader, marked } = this.repository;
    if (marked.size === 0) return;
    for await (const { page, firstChunk } of reader.pages(this.snapshot)) {
      for (let i = 0; i < page.entries; i++) {
        const entry = page.get(i);
        if (entry === undefined || !marked.has(contentStem(entry))) continue;
        if (await this.isHealed(entry)) continue;
        this.note(firstChunk + i, "a verification found the chunk damaged");
      }
    }
  }

  findings(): Answers["findings"] {
    const all = [...this.damage].sort(([a], [b]) => a - b);
    const findings = all.slice(0, MAX_FINDINGS).map(([chunk, message]): FindingFact => ({
      severity: "damage",
      kind: "chunk",
      file: this.source.path,
      offsetBytes: chunk * this.snapshot.chunkBytes,
      message,
    }));
    return { findings, counts: { damage: all.length, doubt: 0, note: 0 } };
  }

  /** Compares with another snapshot, and keeps what differs; only pages of the maps that differ are read. */
  async compareWith(against: string | undefined): Promise<Difference> {
    const { snapshot } = this;
    const older = against === undefined ? undefined : this.repository.snapshot(against);
    const changed: Run[] = older === undefined
      ? [{ start: 0, length: snapshot.sizeBytes, kind: "data" }]
      : await this.changedSince(older);
    this.changed = changed;
    this.against = against;
    const bytesOf = (kind: Run["kind"]) =>
      changed.reduce((sum, run) => sum + (run.kind === kind ? run.length : 0), 0);
    return {
      against,
      dataBytes: older ? bytesOf("data") : 0,
      zeroBytes: bytesOf("zero"),
      runCount: older ? changed.length : 0,
      runs: (older ? changed : []).slice(0, MAX_TOLD_RUNS).map(({ start, length, kind }) => ({
        startBytes: start,
        lengthBytes: length,
        kind: kind === "zero" ? "zero" : "data",
      })),
      pagesRead: older ? differingPages(older, snapshot) : 0,
      pages: pageCount(snapshot),
    };
  }

  /** Runs that differ and touch a stretch of the disk. */
  changedIn({ from, to }: SectorRange): readonly Run[] {
    const [fromBytes, toBytes] = [from * SECTOR_SIZE, to * SECTOR_SIZE];
    let [low, high] = [0, this.changed.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { start, length } = this.changed[middle]!;
      if (start + length <= fromBytes) low = middle + 1;
      else high = middle;
    }
    let end = low;
    while (end < this.changed.length && this.changed[end]!.start < toBytes) end++;
    return this.changed.slice(low, end);
  }

  /** Start of the next stretch that differs, or of the one before. */
  nextChanged(sector: number, backwards: boolean): number | undefined {
    const at = sector * SECTOR_SIZE;
    const found = backwards
      ? this.changed.findLast(({ start }) => start < at)
      : this.changed.find(({ start }) => start > at);
    return found && found.start / SECTOR_SIZE;
  }

  /** True while it is compared with another snapshot. */
  get isCompared(): boolean {
    return this.against !== undefined;
  }

  /** Reads every chunk once, however often it stands on the disk. */
  async check(goOn: () => boolean, tell: (checked: Checked) => void): Promise<Checked> {
    const { reader } = this.repository;
    const { sizeBytes, chunkBytes, stats } = this.snapshot;
    /** Of each chunk by its name what is wrong, if anything is. */
    const judged = new Map<string, string | undefined>();
    let [done, toldMs] = [0, 0];
    const state = (finished: boolean): Checked => ({
      doneChunks: done,
      totalChunks: stats.chunks,
      damagedChunks: this.damage.size,
      finished,
    });
    for await (const { page, firstChunk } of reader.pages(this.snapshot)) {
      for (let i = 0; i < page.entries; i++) {
        const entry = page.get(i);
        if (entry === undefined) continue;
        if (!goOn()) return state(false);
        const index = firstChunk + i;
        const name = contentStem(entry);
        const plainBytes = Math.min(chunkBytes, sizeBytes - index * chunkBytes);
        if (!judged.has(name)) judged.set(name, await this.judge(entry, plainBytes));
        const wrong = judged.get(name);
        if (wrong !== undefined) this.note(index, wrong);
        done++;
        if (performance.now() - toldMs < NOTICE_MS) continue;
        toldMs = performance.now();
        tell(state(false));
      }
    }
    return state(true);
  }

  private async judge(entry: ChunkEntry, plainBytes: number): Promise<string | undefined> {
    try {
      await this.repository.reader.readChunk(entry, plainBytes);
      return undefined;
    } catch (error) {
      if (error instanceof RegrainError && error.code.startsWith("CHUNK_")) return error.message;
      throw error;
    }
  }

  private async changedSince(older: Snapshot): Promise<Run[]> {
    const changed: Run[] = [];
    for await (const run of diffSnapshots(this.repository.reader, older, this.snapshot)) {
      if (run.kind !== "hole") changed.push(run);
    }
    return changed;
  }

  /** Where the damaged object is gone, readers take another one of the same content. */
  private async isHealed(entry: ChunkEntry): Promise<boolean> {
    const generations = await this.repository.reader.generationsOf({ kind: "chunks", ...entry });
    return generations.length > 0 && generations.every(({ generation }) => generation !== entry.generation);
  }

  private note(chunk: number, message: string): void {
    if (this.damage.has(chunk)) return;
    this.damage.set(chunk, message);
    this.onDamage(this.rangeOf(chunk));
  }

  private rangeOf(chunk: number): SectorRange {
    const { chunkBytes, sizeBytes } = this.snapshot;
    const end = Math.min((chunk + 1) * chunkBytes, sizeBytes);
    return { from: chunk * chunkBytes / SECTOR_SIZE, to: Math.ceil(end / SECTOR_SIZE) };
  }

  /** Where damage is known. */
  get damagedRanges(): SectorRange[] {
    return [...this.damage.keys()].map((chunk) => this.rangeOf(chunk));
  }
}

/** Pages of two maps that are not the same, as far as the newer one reaches. */
function differingPages(older: Snapshot, newer: Snapshot): number {
  return newer.pages.filter((page, i) => {
    const before = older.pages[i];
    return before === undefined || before?.content !== page?.content;
  }).length;
}
