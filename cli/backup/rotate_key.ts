/** Giving a repository a new key for what is stored from now on. */
import {
  DESCRIPTION_KEY,
  descriptionBytes,
  type RepositoryDescription,
  ROTATED,
} from "../../core-as/host/repo/mod.ts";
import { addSlot, type KeySlot, listSlots, withNewKey } from "./keyring.ts";
import { authenticated, type Repository } from "./repository.ts";
import { copiedSlots, putDescriptionCopy, removeSlotsAndCopies } from "./second_copies.ts";

export interface RotatedKey {
  /** The only slot that there is now. */
  readonly slot: KeySlot;
  /** Those that are gone. */
  readonly old: readonly KeySlot[];
  /** What the new key confirms. */
  readonly description: RepositoryDescription;
}

/**
 * Gives new data a new key. What is stored stays under the old one, and whoever knows that reads it still; so the
 * order is: first the feature, so that older versions stay away; then a slot with all keys; then the old slots go.
 */
export async function rotateKey(
  repository: Repository,
  { passphrase, label, nowMs }: { passphrase: string; label: string; nowMs: number },
): Promise<RotatedKey> {
  const { store, description } = repository;
  const old = await listSlots(store);
  const before = repository.laneSetup.master!;
  const master = withNewKey(before);
  const features = [...new Set([...description.features, ROTATED])];
  await store.put(
    DESCRIPTION_KEY,
    descriptionBytes(await authenticated({ ...description, features }, before)),
  );
  const made = { passphrase, repository: description.id, id: repository.newId(), label, nowMs };
  const slot = await addSlot(store, master, made);
  const confirmed = await authenticated({ ...description, features }, master);
  // Confirmed by the new key before the old slots go: a run that dies after them is repaired by this copy.
  await putDescriptionCopy(store, confirmed);
  const copied = (await copiedSlots(store)).filter((id) => id !== slot.id);
  await removeSlotsAndCopies(store, [...new Set([...old.map(({ id }) => id), ...copied])]);
  await store.put(DESCRIPTION_KEY, descriptionBytes(confirmed));
  return { slot, old, description: confirmed };
}
