/** What is lost or damaged of `repo.json` and the key slots, and what their second copies can give back. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import {
  DESCRIPTION_KEY,
  MAX_DESCRIPTION_BYTES,
  type ObjectStore,
  parseDescription,
  type RepositoryDescription,
} from "../../../core-as/host/repo/mod.ts";
import { isSlot, MAX_SLOT_BYTES, MAX_SLOTS } from "../keyring.ts";
import { copyKey, slotIdIn, slotKey } from "../second_copies.ts";

/** One of the two that there should be of an object. */
export interface Part {
  /** `undefined` where there is none, or it is far too large. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  /** `damaged`: it is there, and is not what it should be. */
  readonly state: "missing" | "damaged" | "sound";
}

export interface Pair {
  readonly original: Part;
  readonly copy: Part;
}

export interface Parts {
  readonly description: Pair;
  readonly slots: ReadonlyMap<string, Pair>;
}

/** Reads both of each. */
export async function readParts(store: ObjectStore): Promise<Parts> {
  const ids = new Set<string>();
  for (const prefix of ["keys/", copyKey("keys/")]) {
    for await (const { key } of store.list(prefix)) {
      const id = slotIdIn(key);
      if (id !== undefined) ids.add(id);
      if (ids.size > MAX_SLOTS) {
        throw new RegrainError("LIMIT_EXCEEDED", `there are more than ${MAX_SLOTS} key slots`, {
          path: store.label,
        });
      }
    }
  }
  const slots = new Map<string, Pair>();
  for (const id of [...ids].sort()) {
    slots.set(id, await readPair(store, slotKey(id), MAX_SLOT_BYTES, (bytes) => isSlot(bytes)));
  }
  const isDescription = (bytes: Uint8Array, path: string) => descriptionOf(bytes, path) !== undefined;
  return { description: await readPair(store, DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES, isDescription), slots };
}

async function readPair(
  store: ObjectStore,
  key: string,
  maxBytes: number,
  isSound: (bytes: Uint8Array, path: string) => boolean,
): Promise<Pair> {
  const read = async (key: string): Promise<Part> => {
    try {
      const bytes = await store.get(key, maxBytes);
      if (bytes === undefined) return { bytes, state: "missing" };
      return { bytes, state: isSound(bytes, `${store.label}/${key}`) ? "sound" : "damaged" };
    } catch (error) {
      if (!(error instanceof RegrainError) || error.code !== "LIMIT_EXCEEDED") throw error;
      return { bytes: undefined, state: "damaged" };
    }
  };
  return { original: await read(key), copy: await read(copyKey(key)) };
}

/**
 * The description, or `undefined` where it is damaged.
 *
 * @throws {RegrainError} `REPO_UNSUPPORTED` for one of a newer version: that is no damage, and nothing to overwrite.
 */
function descriptionOf(bytes: Uint8Array, path: string): RepositoryDescription | undefined {
  try {
    return parseDescription(bytes, path);
  } catch (error) {
    if (!(error instanceof RegrainError) || error.hint !== undefined) throw error;
    return undefined;
  }
}

/** Slots whose original is gone or damaged and whose copy is to be tried; the others keep what they have. */
export function slotsToPutBack(slots: Parts["slots"], named: readonly string[]): Set<string> {
  const stands = [...slots.values()].some(({ original }) => original.state === "sound");
  const ids = new Set<string>();
  for (const [id, { original, copy }] of slots) {
    if (copy.state !== "sound" || original.state === "sound") continue;
    // Where another slot stands, this one may have been removed by a version that knows no copies.
    if (original.state === "damaged" || !stands || named.includes(id)) ids.add(id);
  }
  return ids;
}

export function isSame(one: Part, other: Part): boolean {
  if (one.bytes?.length !== other.bytes?.length) return false;
  return one.bytes === undefined || one.bytes.every((byte, i) => byte === other.bytes![i]);
}

/** The name under which the view offers the copy of a slot whose original can be read, and says something else. */
function twinKey(id: string): string {
  return slotKey(`${id}_copy`);
}

/** The store as it would be with one of the descriptions and the slots that are to be tried; it is not written. */
export function repairedView(
  store: ObjectStore,
  description: Uint8Array<ArrayBuffer>,
  slots: Parts["slots"],
  back: ReadonlySet<string>,
): ObjectStore {
  const laid = new Map([[DESCRIPTION_KEY, description]]);
  for (const [id, { original, copy }] of slots) {
    if (original.state === "sound") laid.set(slotKey(id), original.bytes!);
    if (back.has(id)) laid.set(slotKey(id), copy.bytes!);
    if (original.state === "sound" && copy.state === "sound" && !isSame(original, copy)) {
      laid.set(twinKey(id), copy.bytes!);
    }
  }
  const isLaid = (key: string) => key === DESCRIPTION_KEY || key.startsWith("keys/");
  return {
    label: store.label,
    get: (key, maxBytes) => isLaid(key) ? Promise.resolve(laid.get(key)) : store.get(key, maxBytes),
    head: (key) => store.head(key),
    async *list(prefix) {
      if (prefix !== "keys/") yield* store.list(prefix);
      else {
        for (const [key, bytes] of laid) {
          if (key.startsWith(prefix)) yield { key, sizeBytes: bytes.length, modifiedMs: 0 };
        }
      }
    },
    put: () => Promise.reject(new Error("a view is not written")),
    remove: () => Promise.reject(new Error("a view is not written")),
    close() {},
  };
}
