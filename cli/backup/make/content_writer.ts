/** Puts content into a repository once: chunks and pages, each under a name that nobody is going to remove. */
import { type ContentKind, MAX_GENERATION } from "../../../core-as/host/repo/mod.ts";
import { RegrainError } from "../../../core-as/host/errors.ts";
import { isCut } from "../content_list.ts";
import { IdTable } from "../id_table.ts";
import { Gate } from "../../lanes/gate.ts";
import type { ForbiddenNames } from "../signs/intents.ts";
import type { Repository } from "../repository.ts";

/** Content as it stands in the store. */
export interface Stored {
  readonly id: string;
  readonly generation: number;
  readonly storedBytes: number;
}

const DISTRUSTED = 0;
const REPLACED = 1;

export class ContentWriter {
  /** Objects made, and their bytes. */
  newChunks = 0;
  storedBytes = 0;
  /** Objects that were there and could not be what they are called, and were replaced. */
  replaced = 0;
  private readonly underWay = new Map<string, Promise<Stored>>();
  /** What stands in the store, and not in the size in which it was stored; and what was replaced since. */
  private readonly distrusted = { chunks: new IdTable(), maps: new IdTable() };
  /** What this backup made, and thereby locked; kept only where it locks. */
  private readonly made = { chunks: new IdTable(), maps: new IdTable() };

  /**
   * @param known Every chunk of the store with its size, listed after the forbidden names were read; without it the
   * store is asked chunk by chunk.
   * @param retainUntilMs Until when the store is to let nobody remove what is made.
   */
  constructor(
    private readonly repository: Repository,
    private readonly forbidden: ForbiddenNames,
    private readonly known: IdTable | undefined,
    private readonly retainUntilMs?: number,
  ) {}

  /** True for what this backup made, where it locks what it makes. */
  hasLocked(kind: ContentKind, name: { id: string; generation: number }): boolean {
    return this.made[kind].hasNamed(name);
  }

  /** False for a name that a collection may remove, or that was found damaged. */
  mayUse(kind: ContentKind, name: { id: string; generation: number }): boolean {
    return !this.forbidden[kind].hasNamed(name);
  }

  /** What stands under this name is not what was stored: it is stored again, in its place. */
  distrust(kind: ContentKind, name: { id: string; generation: number }): void {
    this.distrusted[kind].setNamed(name, DISTRUSTED);
  }

  private isDistrusted(kind: ContentKind, name: { id: string; generation: number }): boolean {
    return this.distrusted[kind].getNamed(name) === DISTRUSTED;
  }

  /**
   * Makes sure that content is in the store.
   *
   * @param seal Makes the object, when it must be stored.
   * @param puts Bounds what is on its way to the store.
   */
  async ensure(
    kind: ContentKind,
    id: string,
    seal: (key: string) => Promise<Uint8Array<ArrayBuffer>>,
    puts = new Gate(1),
  ): Promise<Stored> {
    const generation = this.generationFor(kind, id);
    const present = this.presentBytes(kind, { id, generation });
    if (present !== undefined) return { id, generation, storedBytes: present };
    const key = this.repository.keyOf(kind, { id, generation });
    // The same content twice in one backup, both under way: the second waits for the first.
    const before = this.underWay.get(key);
    if (before !== undefined) return await before;
    const storing = this.store({ kind, id, generation, key }, seal, puts);
    this.underWay.set(key, storing);
    try {
      const stored = await storing;
      if (kind === "chunks") this.known?.setNamed(stored, stored.storedBytes);
      return stored;
    } finally {
      this.underWay.delete(key);
    }
  }

  /** True when {@link ensure} would not store anything, as far as is known without asking the store. */
  isKnown(id: string): boolean {
    return this.presentBytes("chunks", { id, generation: this.generationFor("chunks", id) }) !== undefined;
  }

  /** The size of what is in the store and can be used; `undefined` when that is not known. */
  private presentBytes(kind: ContentKind, name: { id: string; generation: number }): number | undefined {
    if (kind !== "chunks" || this.isDistrusted(kind, name)) return undefined;
    return this.known?.getNamed(name);
  }

  /** The lowest generation that no collection has condemned. */
  private generationFor(kind: ContentKind, id: string): number {
    let generation = 0;
    while (this.forbidden[kind].hasNamed({ id, generation })) generation++;
    if (generation <= MAX_GENERATION) return generation;
    throw new RegrainError(
      "LIMIT_EXCEEDED",
      `every one of the ${MAX_GENERATION + 1} names of some content is condemned`,
      {
        path: this.repository.pathOf(this.repository.keyOf(kind, { id, generation: 0 })),
        hint: "run regrain gc",
      },
    );
  }

  private async store(
    what: { kind: ContentKind; id: string; generation: number; key: string },
    seal: (key: string) => Promise<Uint8Array<ArrayBuffer>>,
    puts: Gate,
  ): Promise<Stored> {
    const { kind, id, generation, key } = what;
    const sealed = await seal(key);
    const { length } = sealed;
    const { retainUntilMs } = this;
    const put = (ifAbsent: boolean) =>
      puts.run(() => this.repository.store.put(key, sealed, { ifAbsent, retainUntilMs }));
    const made = (): Stored => {
      if (retainUntilMs !== undefined) this.made[kind].setNamed({ id, generation }, 0);
      if (kind === "chunks") this.newChunks++;
      this.storedBytes += length;
      return { id, generation, storedBytes: length };
    };
    if (!this.isDistrusted(kind, { id, generation })) {
      if (await put(true) === "created") return made();
      const info = await this.repository.store.head(key);
      if (info === undefined) {
        throw new RegrainError("CHUNK_MISSING", "is said to be there, and is not", {
          path: this.repository.pathOf(key),
        });
      }
      if (!isCut(info.sizeBytes)) return { id, generation, storedBytes: info.sizeBytes };
    }
    // The same content under the same name: whoever refers to it finds it whole again, and nobody loses anything.
    await put(false);
    this.distrusted[kind].setNamed({ id, generation }, REPLACED);
    this.replaced++;
    return made();
  }
}
