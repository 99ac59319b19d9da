/** What must hold in every state: snapshots that somebody relies on are whole, to the last byte. */
import {
  contentKey,
  entriesOfPage,
  MapPage,
  parseSnapshot,
  type Snapshot,
  unseal,
} from "../../core-as/host/repo/mod.ts";
import { nativeCodec } from "../../cli/backup/codec.ts";
import type { MemoryStore } from "../helpers/memory_store.ts";
import { CHUNK_BYTES, idOfLetter } from "./scenario.ts";
import type { Outcome } from "./steps.ts";

const numbers = new WeakMap<Uint8Array, number>();
const numbered: Uint8Array<ArrayBuffer>[] = [];

/** The objects of a store in memory, each with a number that no other one ever gets. */
export function objectsIn(store: MemoryStore): Objects {
  return {
    numberOf: (key) => {
      const bytes = store.objects.get(key)?.bytes;
      if (bytes === undefined) return undefined;
      if (!numbers.has(bytes)) numbers.set(bytes, numbered.push(bytes) - 1);
      return numbers.get(bytes);
    },
    bytesOf: (number) => numbered[number]!,
  };
}

/** A state of a store; the number of an object tells its bytes. */
export interface Objects {
  numberOf(key: string): number | undefined;
  bytesOf(number: number): Uint8Array<ArrayBuffer>;
}

const means = { codec: nativeCodec(), keys: undefined };

export class Invariants {
  private readonly manifests = new Map<number, Promise<Snapshot>>();
  private readonly pages = new Map<string, Promise<MapPage | undefined>>();
  private readonly chunks = new Map<string, Promise<boolean>>();

  /** @param oldKey The manifest that was there at the beginning: whole as long as it stands. */
  constructor(private readonly oldKey: string) {}

  /** What is wrong, if anything is; that nobody failed is for others to say. */
  async judge(objects: Objects, outcomes: readonly (Outcome | undefined)[]): Promise<string | undefined> {
    for (const outcome of outcomes) {
      if (outcome?.kind !== "backed up") continue;
      const problem = await this.problemOf(objects, outcome.key);
      if (problem !== undefined) return `success was reported, and ${problem}`;
    }
    if (objects.numberOf(this.oldKey) === undefined) return undefined;
    const problem = await this.problemOf(objects, this.oldKey);
    return problem && `the old snapshot is damaged: ${problem}`;
  }

  /** What a snapshot lacks; names must be exactly those it says, though a reader would look for other generations. */
  async problemOf(objects: Objects, key: string): Promise<string | undefined> {
    const number = objects.numberOf(key);
    if (number === undefined) return `${key} is gone`;
    const snapshot = await remember(
      this.manifests,
      number,
      () => parseSnapshot(objects.bytesOf(number), key),
    );
    const letters = snapshot.tags[0]!;
    for (const [index, reference] of snapshot.pages.entries()) {
      const plain = letters.slice(index * 1024, (index + 1) * 1024);
      if (reference === null) {
        if (/[^.]/.test(plain)) return `page ${index} of ${key} is zeros`;
        continue;
      }
      const pageKey = contentKey({ kind: "maps", ...reference }, "zst");
      const page = await this.page(objects, {
        key: pageKey,
        id: reference.id,
        entries: entriesOfPage(snapshot, index),
      });
      if (page === undefined) return `${pageKey} is missing or damaged`;
      const problem = await this.problemOfPage(objects, page, plain);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  private async problemOfPage(objects: Objects, page: MapPage, letters: string): Promise<string | undefined> {
    for (let i = 0; i < page.entries; i++) {
      const entry = page.get(i);
      const due = letters[i] === "." ? undefined : idOfLetter(letters[i]!);
      if (entry?.id !== due) return `chunk ${i} is not ${letters[i]}`;
      if (entry === undefined) continue;
      const key = contentKey({ kind: "chunks", ...entry }, "zst");
      if (!await this.holds(objects, { key, id: entry.id })) {
        return `${letters[i]} (${key}) is missing or damaged`;
      }
    }
    return undefined;
  }

  private page(
    objects: Objects,
    of: { key: string; id: string; entries: number },
  ): Promise<MapPage | undefined> {
    const number = objects.numberOf(of.key);
    if (number === undefined) return Promise.resolve(undefined);
    return remember(this.pages, `${of.key} ${number}`, async () => {
      const due = { key: of.key, path: of.key, id: of.id, plainBytes: of.entries * 40 };
      return MapPage.parse(await unseal(objects.bytesOf(number), due, means), {
        path: of.key,
        entries: of.entries,
      });
    });
  }

  private holds(objects: Objects, of: { key: string; id: string }): Promise<boolean> {
    const number = objects.numberOf(of.key);
    if (number === undefined) return Promise.resolve(false);
    return remember(this.chunks, `${of.key} ${number}`, async () => {
      const due = { ...of, path: of.key, plainBytes: CHUNK_BYTES };
      return (await unseal(objects.bytesOf(number), due, means)).length === CHUNK_BYTES;
    });
  }
}

function remember<K, V>(known: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  let value = known.get(key);
  if (value === undefined) known.set(key, value = make());
  return value;
}
