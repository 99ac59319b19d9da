/**
 * Looking whether what snapshots need is there, and is what was stored.
 *
 * Pages of maps are always read. Of chunks `quick` compares the listing with what the pages say; `sample` reads a slice
 * of them, the next one each time; `deep` reads every one; `restore` also puts each disk together and compares the sum
 * of it all. A chunk is read once, however many snapshots need it. What looks bad is read twice more before it is
 * judged; what is bad then is marked, so that the next backup stores it anew. A marked chunk is always read again.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import {
  type ChunkEntry,
  contentKey,
  contentStem,
  ENTRY_BYTES,
  type MapPage,
  PAGE_ENTRIES,
  type Snapshot,
  toHex,
} from "../../../core-as/host/repo/mod.ts";
import { assembleDisk } from "./assemble.ts";
import { ChunkJudge, type Verdict } from "./chunk_judge.ts";
import { listContent } from "../content_list.ts";
import type { IdTable } from "../id_table.ts";
import { TaskGroup } from "../../lanes/in_flight.ts";
import { markDamaged, markOf } from "../signs/intents.ts";
import type { Lanes } from "../lanes.ts";
import { readMarks, removeMark } from "../signs/marks.ts";
import {
  chunksOf,
  distinctPages,
  findHits,
  isDamage,
  type Place,
  placeOfPage,
  plainBytesOf,
  type RawChunk,
  type SharedPage,
} from "../places.ts";
import type { Repository } from "../repository.ts";
import { isInSlice, type Slice, type VerifyMode } from "./verify_notes.ts";

/** Objects on their way at once. */
const GETS_AT_ONCE = 16;
/** In the table of chunks: looked at, nothing more to do. */
const SETTLED = 0xffff_ffff;

export interface VerifyProgress {
  readonly phase: "pages" | "chunks" | "disks";
  /** Bytes of disks: what the pages that were read stand for, the chunks that were read, what was put together. */
  readonly doneBytes: number;
  readonly fetchedBytes: number;
}

/** Something that was found. */
export type Finding =
  | {
    readonly kind: "page" | "chunk" | "disk";
    /** What the content is called; of a disk, its snapshot. */
    readonly stem: string;
    readonly reason: string;
    readonly places: readonly Place[];
  }
  | { readonly kind: "healed" | "fine-again" | "transient"; readonly stem: string; readonly reason: string };

export interface VerifyOptions {
  readonly mode: VerifyMode;
  /** Which part of the chunks a sample reads. */
  readonly slice?: Slice | undefined;
  readonly lanes: Lanes;
  onProgress?(progress: VerifyProgress): void;
  onNotice(sentence: string): void;
}

export interface VerifyResult {
  readonly findings: readonly Finding[];
  /** Different pages, and different chunks that the snapshots need. */
  readonly pages: number;
  readonly chunks: number;
  /** Chunks that were read, and bytes of their objects. */
  readonly readChunks: number;
  readonly fetchedBytes: number;
  /** Ids of the snapshots that cannot be restored whole. */
  readonly hitSnapshots: readonly string[];
}

/** Findings that are damage, each with what it hits. */
export function damageOf(
  { findings }: Pick<VerifyResult, "findings">,
): (Finding & { readonly places: readonly Place[] })[] {
  return findings.filter((finding) => "places" in finding);
}

/** A bound: what snapshots share is read once, and how much that is is known in the end. */
export function bytesToVerify(
  mode: VerifyMode,
  of: { snapshots: readonly Snapshot[]; slice: Slice | undefined },
): number {
  const sum = (bytes: (snapshot: Snapshot) => number) =>
    of.snapshots.reduce((total, snapshot) => total + bytes(snapshot), 0);
  const sizes = sum(({ sizeBytes }) => sizeBytes);
  const data = sum(({ stats, chunkBytes }) => stats.chunks * chunkBytes);
  if (mode === "quick") return sizes;
  if (mode === "sample") return Math.ceil(data / (of.slice?.count ?? 1));
  return mode === "deep" ? data : data + sizes;
}

/** Verifies snapshots of a repository. */
export async function verify(
  repository: Repository,
  snapshots: readonly Snapshot[],
  options: VerifyOptions,
): Promise<VerifyResult> {
  return await new Verification(repository, snapshots, options).run();
}

class Verification {
  private findings: Finding[] = [];
  private readonly judge: ChunkJudge;
  private marks: ReadonlyMap<string, string> = new Map();
  private readonly bad = new Map<string, string>();
  private chunks = 0;
  private readChunks = 0;
  private doneBytes = 0;

  constructor(
    private readonly repository: Repository,
    private readonly snapshots: readonly Snapshot[],
    private readonly options: VerifyOptions,
  ) {
    this.judge = new ChunkJudge(repository, options.lanes);
  }

  async run(): Promise<VerifyResult> {
    const { repository } = this;
    this.marks = await readMarks(repository);
    const present = await listContent(repository, "chunks");
    const pages = distinctPages(this.snapshots);
    await this.checkPages([...pages.values()], present);
    await this.reportBad();
    if (this.options.mode === "restore") await this.assembleDisks();
    return {
      findings: this.findings,
      pages: pages.size,
      chunks: this.chunks,
      readChunks: this.readChunks,
      fetchedBytes: this.judge.fetchedBytes,
      hitSnapshots: this.hitSnapshots(),
    };
  }

  private hitSnapshots(): string[] {
    const ids = this.findings.flatMap((finding) =>
      "places" in finding ? finding.places.map(({ snapshot }) => snapshot.id) : []
    );
    return [...new Set(ids)].sort();
  }

  private async checkPages(pages: readonly SharedPage[][], present: IdTable): Promise<void> {
    const tasks = new TaskGroup(GETS_AT_ONCE);
    try {
      for (const users of pages) {
        const page = await this.readPage(users);
        if (page === undefined) continue;
        const { snapshot, index } = users[0]!;
        for (const chunk of chunksOf(page)) {
          if (!this.mustRead(chunk, present)) continue;
          const entry = page.get(chunk.at)!;
          const plainBytes = plainBytesOf(snapshot, index * PAGE_ENTRIES + chunk.at);
          await tasks.start(() => this.readChunk(entry, plainBytes));
        }
        if (this.options.mode === "quick") this.step("pages", placeOfPage(users[0]!).lengthBytes);
      }
    } finally {
      await tasks.settle();
    }
    tasks.check();
  }

  /** A page. Of a bad one, which is a finding, nothing can be said of the chunks it lists. */
  private async readPage(users: readonly SharedPage[]): Promise<MapPage | undefined> {
    const { reference: { id, generation }, entries } = users[0]!;
    const name = { kind: "maps", id, generation } as const;
    const mark = markOf(name);
    const page = await this.tryPage(users[0]!);
    if (page !== undefined && !this.marks.has(mark)) return page;
    const verdict = await this.judge.judge(name, entries * ENTRY_BYTES);
    if (verdict.state !== "bad") {
      await this.take(verdict, mark);
      const healed = await this.tryPage(users[0]!);
      if (healed !== undefined) return healed;
    }
    const what = verdict.state === "bad"
      ? verdict.reason
      : "the page does not list what the manifest says it lists";
    const reason = `${this.repository.pathOf(contentKey(name, this.repository.suffix))}: ${what}`;
    this.findings.push({ kind: "page", stem: contentStem(name), reason, places: users.map(placeOfPage) });
    await this.tryTo("mark a page", () => markDamaged(this.repository, { mark, reason }));
    return undefined;
  }

  private async tryPage({ reference, entries }: SharedPage): Promise<MapPage | undefined> {
    try {
      return await this.repository.readPageOf(reference, entries);
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  /** True when the listing does not tell; what it does not have may have been stored since, so the store is asked. */
  private mustRead({ id, generation, storedBytes }: RawChunk, present: IdTable): boolean {
    const listed = present.get(id, generation);
    if (listed === SETTLED) return false;
    present.set(id, generation, SETTLED);
    this.chunks++;
    const { mode, slice } = this.options;
    if (listed !== storedBytes || mode === "deep" || mode === "restore") return true;
    return mode === "sample" && slice !== undefined && isInSlice(id, slice) || this.isMarked(id, generation);
  }

  private isMarked(id: Uint8Array, generation: number): boolean {
    return this.marks.size > 0 && this.marks.has(contentStem({ id: toHex(id), generation }));
  }

  private async readChunk(entry: ChunkEntry, plainBytes: number): Promise<void> {
    const { id, generation } = entry;
    const verdict = await this.judge.judge({ kind: "chunks", id, generation }, plainBytes);
    this.readChunks++;
    await this.take(verdict, contentStem(entry));
    if (this.options.mode !== "quick") this.step("chunks", plainBytes);
  }

  private async take(verdict: Verdict, stem: string): Promise<void> {
    if (verdict.state === "bad") {
      this.bad.set(stem, verdict.reason);
      return;
    }
    if (verdict.state === "transient") {
      this.findings.push({ kind: "transient", stem, reason: verdict.reason });
    }
    if (verdict.state === "healed") {
      await this.giveWay(stem, verdict);
    } else if (this.marks.has(stem)) {
      await this.tryTo("take a mark away", () => removeMark(this.repository, stem));
      this.findings.push({ kind: "fine-again", stem, reason: `was marked: ${this.marks.get(stem)}` });
    }
  }

  /**
   * The content is there under another generation of its name. Readers take that one only where the object they ask for
   * is gone, so the damaged one is removed. The mark stays: by it collections leave the other generation alone.
   */
  private async giveWay(stem: string, verdict: Verdict & { state: "healed" }): Promise<void> {
    if (!this.marks.has(stem)) {
      await this.tryTo(
        "mark a chunk",
        () => markDamaged(this.repository, { mark: stem, reason: verdict.reason }),
      );
    }
    if (verdict.isGone) return;
    const { reason, by, key } = verdict;
    if (await this.tryTo("remove a damaged chunk", () => this.repository.store.remove([key]))) {
      const healed = `${reason}; generation ${by} of it is good, and is read instead from now on`;
      this.findings.push({ kind: "healed", stem, reason: healed });
    } else {this.bad.set(
        stem,
        `${reason}; generation ${by} of it is good, and is read when this one is removed`,
      );}
  }

  /** Places of what is bad, and the marks. What no snapshot needs any more was pruned in the meantime. */
  private async reportBad(): Promise<void> {
    if (this.bad.size === 0 && this.findings.length === 0) return;
    const left = new Set((await this.repository.listSnapshots()).map(({ id }) => id));
    const isLeft = ({ snapshot }: Place) => left.has(snapshot.id);
    this.findings = this.findings.filter((finding) => !("places" in finding) || finding.places.some(isLeft));
    const snapshots = this.snapshots.filter(({ id }) => left.has(id));
    const hits = await findHits(this.repository, snapshots, new Set(this.bad.keys()));
    for (const [stem, places] of hits) {
      const reason = this.bad.get(stem)!;
      this.findings.push({ kind: "chunk", stem, reason, places });
      await this.tryTo("mark a chunk", () => markDamaged(this.repository, { mark: stem, reason }));
    }
  }

  /** A verification that may not write is still one. @returns whether it could be done. */
  private async tryTo(what: string, action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof RegrainError)) throw error;
      this.options.onNotice(`could not ${what}: ${error.message}`);
      return false;
    }
  }

  private async assembleDisks(): Promise<void> {
    const hit = new Set(this.hitSnapshots());
    for (const snapshot of this.snapshots) {
      if (hit.has(snapshot.id)) continue;
      const reason = await assembleDisk(this.repository, snapshot, {
        lanes: this.options.lanes,
        onPiece: (bytes) => this.step("disks", bytes),
      });
      if (reason === undefined) continue;
      const place = { snapshot, offsetBytes: 0, lengthBytes: snapshot.sizeBytes };
      this.findings.push({ kind: "disk", stem: snapshot.id, reason, places: [place] });
    }
  }

  private step(phase: VerifyProgress["phase"], bytes: number): void {
    this.doneBytes += bytes;
    this.options.onProgress?.({ phase, doneBytes: this.doneBytes, fetchedBytes: this.judge.fetchedBytes });
  }
}
