/**
 * The second copies of what opens a repository: `copies/repo.json` and `copies/keys/<slot>.json`. Older versions
 * neither read nor remove them; their `repo check` calls the names stray.
 */
import type { RegrainError } from "../../core-as/host/errors.ts";
import { DESCRIPTION_KEY, descriptionBytes, type ObjectStore } from "../../core-as/host/repo/mod.ts";
import type { RepositoryDescription } from "../../core-as/host/repo/mod.ts";

const COPIES = "copies/";

/** Where the second copy of an object lies. */
export function copyKey(key: string): string {
  return COPIES + key;
}

export function slotKey(id: string): string {
  return `keys/${id}.json`;
}

/** The id of the slot that a key names, or its copy does. */
export function slotIdIn(key: string): string | undefined {
  return /^(?:copies\/)?keys\/([A-Za-z0-9_-]+)\.json$/.exec(key)?.[1];
}

export function isSecondCopy(key: string): boolean {
  return key === copyKey(DESCRIPTION_KEY) || key.startsWith(COPIES) && slotIdIn(key) !== undefined;
}

/** Copies the description; where there is a copy already, it is replaced. */
export async function putDescriptionCopy(
  store: ObjectStore,
  description: RepositoryDescription,
): Promise<void> {
  await store.put(copyKey(DESCRIPTION_KEY), descriptionBytes(description));
}

/**
 * Removes slots. The copies go first: were the power lost between the two, a copy that stands alone would give a
 * removed passphrase back; a slot without a copy is only not removed yet.
 */
export async function removeSlotsAndCopies(store: ObjectStore, ids: readonly string[]): Promise<void> {
  await store.remove(ids.map((id) => copyKey(slotKey(id))));
  await store.remove(ids.map(slotKey));
}

/** Ids of the slots that have a copy, whether they stand or not. */
export async function copiedSlots(store: ObjectStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key } of store.list(copyKey("keys/"))) {
    const id = slotIdIn(key);
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

/** An error about what cannot be read, naming the way back. */
export function pointToRepair(error: RegrainError): RegrainError {
  return error.hint === undefined
    ? error.withHint("regrain repo repair puts back from its second copy what was damaged or lost")
    : error;
}
