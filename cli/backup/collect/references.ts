/** What the snapshots of a repository refer to. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import {
  type ContentKind,
  entriesOfPage,
  MAX_GENERATION,
  type PageReference,
  type Snapshot,
  snapshotKey,
  type SnapshotName,
} from "../../../core-as/host/repo/mod.ts";
import { IdTable } from "../id_table.ts";
import { isDoubtful, listActive, readDamaged } from "../signs/intents.ts";
import type { Repository } from "../repository.ts";
import { SHORT_LISTING, unlistedOf } from "../snapshots/unlisted.ts";

/**
 * What is known of a page of a map. One that is named, but was not there, belongs to a dead backup; it must be read
 * when a later snapshot names it too, since by then it may have been stored anew.
 */
const PAGE_NAMED = 0;
const PAGE_READ = 1;

/** What is told while manifests and pages are read. */
export interface MarkOptions {
  onMark?(progress: { done: number; total: number }): void;
  onNotice(sentence: string): void;
}

/**
 * What some snapshots refer to is not known, and so not what nobody refers to.
 *
 * It is the error of the first of them; `ids` names them all.
 */
export class UnreadableSnapshots extends RegrainError {
  constructor(readonly ids: readonly string[], first: RegrainError) {
    const { path, offsetBytes } = first;
    super(first.code, first.reason, {
      cause: first,
      ...path === undefined ? {} : { path },
      ...offsetBytes === undefined ? {} : { offsetBytes },
      hint: "nothing is removed while nobody knows what it needs: " +
        `regrain forget ${ids.join(" ")} removes what cannot be read`,
    });
  }
}

/** What the snapshots refer to. Manifests and pages never change, so each is read once. */
export class References {
  readonly chunks = new IdTable();
  readonly maps = new IdTable();
  snapshots = 0;
  private readonly read = new Set<string>();
  /** Keys of the manifests that others name as the one before them. */
  private readonly parents = new Set<string>();
  private damaged: ReadonlySet<string> | undefined;

  constructor(private readonly repository: Repository, private readonly options: MarkOptions) {}

  /**
   * Reads every manifest that is there and was not read yet.
   *
   * @throws {UnreadableSnapshots} when that fails for some; the others are read. `STORE_UNSUITABLE` when a listing
   * leaves out what is there.
   */
  async mark(): Promise<void> {
    this.damaged ??= await readDamaged(this.repository);
    if (await this.markListed() === undefined) return;
    // What came to be while it was listed may be missing in a listing that is right.
    const missing = await this.markListed();
    if (missing === undefined) return;
    throw new RegrainError("STORE_UNSUITABLE", "a listing of the store leaves out a snapshot that is there", {
      path: this.repository.pathOf(missing),
      hint: SHORT_LISTING,
    });
  }

  /**
   * A listing that ends early, as those of some stores do without a word, would make garbage of all that follows. Of a
   * snapshot that another one was built on, and that is not listed, the store is asked by its name.
   *
   * @returns the key of one that is there.
   */
  private async markListed(): Promise<string | undefined> {
    const names = await this.repository.listSnapshots();
    await this.markAll(names);
    return await unlistedOf(this.repository, this.parents, names);
  }

  private async markAll(names: readonly SnapshotName[]): Promise<void> {
    const active = await listActive(this.repository);
    const unreadable: { id: string; error: RegrainError }[] = [];
    for (const [i, name] of names.entries()) {
      this.options.onMark?.({ done: i, total: names.length });
      if (this.read.has(name.key)) continue;
      try {
        await this.markSnapshot(name, isDoubtful(active.get(name.id)));
        this.read.add(name.key);
      } catch (error) {
        if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
        unreadable.push({ id: name.id, error });
      }
    }
    this.snapshots = names.length;
    if (unreadable.length > 0) {
      throw new UnreadableSnapshots(unreadable.map(({ id }) => id), unreadable[0]!.error);
    }
  }

  /** True when a snapshot needs it. Of damaged content any generation may be what a reader falls back to. */
  needs({ kind, id, generation }: { kind: ContentKind; id: string; generation: number }): boolean {
    if (this[kind].hasNamed({ id, generation })) return true;
    return this.damaged!.has(id) && this.hasAnyGeneration(kind, id);
  }

  private hasAnyGeneration(kind: ContentKind, id: string): boolean {
    for (let generation = 0; generation <= MAX_GENERATION; generation++) {
      if (this[kind].hasNamed({ id, generation })) return true;
    }
    return false;
  }

  private async markSnapshot(name: SnapshotName, doubtful: boolean): Promise<void> {
    const snapshot = await this.repository.readSnapshot(name);
    if (snapshot === undefined) return;
    if (snapshot.parent !== undefined) {
      this.parents.add(snapshotKey(name.source, snapshot.parent, this.repository.suffix));
    }
    for (const [i, reference] of snapshot.pages.entries()) {
      if (reference === null || this.maps.getNamed(reference) === PAGE_READ) continue;
      this.maps.setNamed(reference, PAGE_NAMED);
      await this.markPage(snapshot, { reference, index: i, doubtful, name });
    }
  }

  private async markPage(
    snapshot: Snapshot,
    at: { reference: PageReference; index: number; doubtful: boolean; name: SnapshotName },
  ): Promise<void> {
    const { reference, index, doubtful, name } = at;
    try {
      const page = await this.repository.readPageOf(reference, entriesOfPage(snapshot, index));
      this.chunks.setPage(page, 0);
      this.maps.setNamed(reference, PAGE_READ);
    } catch (error) {
      if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
      // Pruned since it was listed, and collected by another: nobody needs it any more.
      if (await this.repository.store.head(name.key) === undefined) return;
      // What a dead backup left may be incomplete; that is no reason never to collect again.
      if (!doubtful) throw error;
      this.options.onNotice(
        `snapshot ${snapshot.id}, whose backup was taken for dead, is incomplete: ${error.message}`,
      );
    }
  }
}
