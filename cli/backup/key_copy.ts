/** What opens a repository, `repo.json` and the key slots, kept in a second place, and put back. */
import { RegrainError } from "../../core-as/host/mod.ts";
import {
  DESCRIPTION_KEY,
  Fields,
  MAX_DESCRIPTION_BYTES,
  type ObjectStore,
  parseDescription,
  type RepositoryDescription,
} from "../../core-as/host/repo/mod.ts";
import type { KeySlot } from "./keyring.ts";
import { readDescription, type World } from "./repository.ts";
import { copyKey } from "./second_copies.ts";
import {
  addSlotFor,
  requireOwnKey,
  UNWRAPPED_VERSION,
  type UnwrappedKey,
  unwrappedKeyIn,
} from "./unwrapped_key.ts";

export const MAX_KEY_COPY_BYTES = 16 * 1024 * 1024;
const SLOT = /^keys\/[A-Za-z0-9_-]+\.json$/;

/** A copy that was made. */
export interface MadeCopy {
  readonly repository: string;
  /** 0 of a repository that is not encrypted. */
  readonly slots: number;
  readonly text: string;
}

/**
 * Copies `repo.json` and every key slot, as they are. The slots are wrapped: without a passphrase the copy opens
 * nothing.
 *
 * @throws {RegrainError} `REPO_KEY` where an encrypted repository has no slot.
 */
export async function copyKeys(store: ObjectStore): Promise<MadeCopy> {
  const objects: Record<string, string> = {};
  const description = await store.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
  const { id, encryption } = readDescription(store, description);
  objects[DESCRIPTION_KEY] = textOf(description!);
  for await (const { key } of store.list("keys/")) {
    const slot = SLOT.test(key) ? await store.get(key, MAX_DESCRIPTION_BYTES) : undefined;
    if (slot !== undefined) objects[key] = textOf(slot);
  }
  const slots = Object.keys(objects).length - 1;
  if (encryption !== "none" && slots === 0) {
    throw new RegrainError("REPO_KEY", "there is no key slot that a copy could be made of", {
      path: `${store.label}/keys/`,
      hint: "regrain repo repair puts lost key slots back from their copies",
    });
  }
  const document = { format: "regrain-keys", version: 1, repository: id, objects };
  return { repository: id, slots, text: `${JSON.stringify(document, null, 2)}\n` };
}

/** What a file of an export holds. */
export interface KeyCopy {
  readonly kept: RepositoryDescription;
  readonly objects: ReadonlyMap<string, string>;
  readonly unwrapped: UnwrappedKey | undefined;
}

/** @param path Where the bytes come from, for messages. */
export function parseKeyCopy(bytes: Uint8Array, path: string): KeyCopy {
  const fields = Fields.parse(bytes, { path, code: "REPO_UNSUPPORTED" });
  fields.text("format", /^regrain-keys$/);
  const version = fields.count("version", { least: 1, most: UNWRAPPED_VERSION });
  const unwrapped = version === UNWRAPPED_VERSION ? unwrappedKeyIn(fields) : undefined;
  const texts = fields.object("objects");
  const text = texts.text(DESCRIPTION_KEY);
  const kept = parseDescription(new TextEncoder().encode(text), path);
  const objects = new Map([[DESCRIPTION_KEY, text]]);
  for (const key of texts.names()) if (SLOT.test(key)) objects.set(key, texts.text(key));
  return { kept, objects, unwrapped };
}

/** What was put back. */
export interface PutBack {
  /** Keys of objects. */
  readonly put: readonly string[];
  /** The one that an unwrapped key got. */
  readonly slot: KeySlot | undefined;
  /** Something here told what the description was. */
  readonly isKnown: boolean;
}

/**
 * Puts back what is gone. Slots are put back only where there is none: an old copy must not give a passphrase back
 * that was removed since. An unwrapped key gets a slot with a new passphrase, whatever slots there are.
 *
 * @param how.slot The new slot of an unwrapped key.
 * @throws {RegrainError} `REPO_MIXED`, `REPO_UNSUPPORTED`, `REPO_MISSING`.
 */
export async function putBackKeys(
  store: ObjectStore,
  { kept, objects, unwrapped }: KeyCopy,
  how: { file: string; slot: { passphrase: string; label: string } | undefined; world: World },
): Promise<PutBack> {
  const { file, world } = how;
  const there = await store.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
  const known = await knownDescription(store, there);
  if (unwrapped !== undefined) await requireOwnKey(unwrapped, { file, kept, known });
  else if (known !== undefined) requireSameState({ file, kept, known });
  if (known === undefined) await requireContent(store);
  const hasSlots = await holdsSlots(store);
  const put: string[] = [];
  for (const [key, text] of objects) {
    if (key === DESCRIPTION_KEY ? there !== undefined : hasSlots) continue;
    await store.put(key, new TextEncoder().encode(text));
    put.push(key);
  }
  const slot = unwrapped && how.slot &&
    await addSlotFor(store, unwrapped, { ...how.slot, repository: kept.id }, world);
  return { put, slot, isKnown: known !== undefined };
}

/** What is here of the repository's description: itself, or its second copy. */
async function knownDescription(
  store: ObjectStore,
  there: Uint8Array | undefined,
): Promise<RepositoryDescription | undefined> {
  if (there !== undefined) return parseDescription(there, `${store.label}/${DESCRIPTION_KEY}`);
  const key = copyKey(DESCRIPTION_KEY);
  const copy = await store.get(key, MAX_DESCRIPTION_BYTES);
  return copy && parseDescription(copy, `${store.label}/${key}`);
}

/** A slot from before a rotation opens nothing of what was stored since, and new data would be under the old key. */
function requireSameState(
  { file, kept, known }: { file: string; kept: RepositoryDescription; known: RepositoryDescription },
): void {
  if (known.id !== kept.id) {
    throw new RegrainError("REPO_MIXED", `holds the keys of repository ${kept.id}, and this is ${known.id}`, {
      path: file,
      hint: "regrain repo key export of this one; or another --repo",
    });
  }
  if (known.mac === kept.mac) return;
  throw new RegrainError(
    "REPO_MIXED",
    "was written before or after the keys of this repository were changed",
    {
      path: file,
      hint:
        "a file of regrain repo key export made since; or regrain repo repair, from the second copies here",
    },
  );
}

/** A mistyped name would be made into a new repository that holds nothing. */
async function requireContent(store: ObjectStore): Promise<void> {
  for (const prefix of ["snaps/", "maps/", "chunks/"]) {
    for await (const _ of store.list(prefix)) return;
  }
  throw new RegrainError(
    "REPO_MISSING",
    "there is nothing of a repository here that keys could be put back to",
    {
      path: store.label,
      hint: "check --repo",
    },
  );
}

async function holdsSlots(store: ObjectStore): Promise<boolean> {
  for await (const { key } of store.list("keys/")) if (SLOT.test(key)) return true;
  return false;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
