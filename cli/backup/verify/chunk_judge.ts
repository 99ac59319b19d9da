/** Reads one chunk, or one page, as often as it takes to know whether it is good. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { contentKey, type ContentName, type StoredContent } from "../../../core-as/host/repo/mod.ts";
import type { Lanes } from "../lanes.ts";
import { isDamage } from "../places.ts";
import type { Repository } from "../repository.ts";

/** One bad read may be the fault of the memory or the wire on this side. */
const READS = 3;

export type Verdict =
  | { readonly state: "good" }
  /** Bad at first, good when it was read again. */
  | { readonly state: "transient"; readonly reason: string }
  /** Bad or gone, but the same content is there under another generation. */
  | {
    readonly state: "healed";
    readonly reason: string;
    /** The generation that is good, and the key of the one that is not. */
    readonly by: number;
    readonly key: string;
    readonly isGone: boolean;
  }
  | { readonly state: "bad"; readonly reason: string };

export class ChunkJudge {
  fetchedBytes = 0;

  constructor(private readonly repository: Repository, private readonly lanes: Lanes) {}

  /** @throws {RegrainError} `STORE_FAILED`, `STORE_DENIED`: then nothing is known of the content. */
  async judge(name: ContentName, plainBytes: number): Promise<Verdict> {
    const { generation } = name;
    const first = await this.failure(name, plainBytes);
    if (first === undefined) return { state: "good" };
    for (let read = 1; read < READS; read++) {
      if (await this.failure(name, plainBytes) === undefined) return { state: "transient", reason: first };
    }
    const generations = await this.repository.generationsOf(name);
    for (const other of generations) {
      if (other.generation === generation) continue;
      if (await this.failure(other, plainBytes) !== undefined) continue;
      const isGone = !generations.some((each) => each.generation === generation);
      const key = contentKey(name, this.repository.suffix);
      return { state: "healed", reason: first, by: other.generation, key, isGone };
    }
    return { state: "bad", reason: first };
  }

  /** What is wrong with exactly this object; `undefined` when nothing is. */
  private async failure(name: ContentName, plainBytes: number): Promise<string | undefined> {
    try {
      const { key, path, bytes } = await this.fetchExactly(name, plainBytes);
      this.fetchedBytes += bytes.length;
      await this.lanes.unseal(bytes, { key, path, id: name.id, plainBytes });
      return undefined;
    } catch (error) {
      if (isDamage(error)) return error.reason;
      throw error;
    }
  }

  private async fetchExactly(name: ContentName, plainBytes: number): Promise<StoredContent> {
    const stored = await this.repository.fetch(name, plainBytes);
    if (stored.name.generation === name.generation) return stored;
    throw new RegrainError("CHUNK_MISSING", "is not in the repository", { path: stored.path });
  }
}
