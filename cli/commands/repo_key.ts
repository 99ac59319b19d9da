/** `regrain repo key`: which passphrases open an encrypted repository. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES } from "../../core-as/host/repo/mod.ts";
import { addSlot, listSlots, removeSlot, requireKeys, slotsOpenedBy } from "../backup/keyring.ts";
import { readDescription } from "../backup/repository.ts";
import { type RotatedKey, rotateKey } from "../backup/rotate_key.ts";
import { slotsReport } from "../report/key_slots.ts";
import { rememberMade } from "../session/admission.ts";
import { type KeySlotFlags, labelOf } from "../session/key_flags.ts";
import { onRepository } from "../session/on_repository.ts";
import {
  newPassphraseOf,
  openStoreOf,
  passphraseOf,
  type RepoFlags,
  THE_WORLD,
} from "../session/open_repository.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";

/** Adds a passphrase; the ones before still open the repository. */
export async function runKeyAdd(flags: KeySlotFlags): Promise<number> {
  const label = labelOf(flags);
  return await onRepository(flags, async ({ repository, console }) => {
    requireKeys(repository.description, repository.store.label);
    const passphrase = newPassphraseOf(flags);
    const about = { passphrase, repository: repository.description.id };
    for (const id of await slotsOpenedBy(repository.store, about)) {
      console.warn(
        `key slot ${id} has the same passphrase: who knows it loses nothing when one of the two is removed`,
      );
    }
    const slot = await addSlot(repository.store, repository.laneSetup.master!, {
      passphrase,
      repository: repository.description.id,
      id: repository.newId(),
      label,
      nowMs: THE_WORLD.nowMs(),
    });
    console.result(
      { type: "summary", ...slot },
      `key slot ${slot.id} (${slot.label}) opens the repository too`,
    );
    return 0;
  });
}

/** Removes a slot. Its passphrase, and whoever knows the repository's key by it, are not made to forget. */
export async function runKeyRemove(id: string, flags: CommonFlags & RepoFlags): Promise<number> {
  // Opened with a passphrase, so that nobody removes the slots of a repository that he cannot read.
  return await onRepository(flags, async ({ repository, console }) => {
    requireKeys(repository.description, repository.store.label);
    await removeSlot(repository.store, id);
    console.result({ type: "summary", id, removed: true }, `key slot ${id} is removed`);
    console.tell(
      "who kept the slot, or read the repository's key by it, can still read what is stored, now and " +
        "from now on; regrain repo key rotate gives new data a new key",
    );
    return 0;
  });
}

export interface KeyRotateFlags extends KeySlotFlags {
  readonly keepPassphrase?: boolean | undefined;
}

/** Gives new data a new key. */
export async function runKeyRotate(flags: KeyRotateFlags): Promise<number> {
  if (flags.keepPassphrase && flags.newPassphraseFile !== undefined) {
    throw new RegrainError(
      "USAGE",
      "--keep-passphrase keeps the passphrase, and a new one is given as well",
      {
        hint: "leave out one of the two",
      },
    );
  }
  return await onRepository(flags, async ({ repository, console }) => {
    requireKeys(repository.description, repository.store.label);
    const passphrase = flags.keepPassphrase ? passphraseOf(flags) : newPassphraseOf(flags);
    const label = flags.label ?? THE_WORLD.host;
    const rotated = await rotateKey(repository, { passphrase, label, nowMs: THE_WORLD.nowMs() });
    const keys = repository.keyCount + 1;
    await rememberMade(repository.store, rotated.description, { console, storeFlags: flags, keys });
    tellRotated(rotated, console);
    return 0;
  });
}

function tellRotated({ slot, old }: RotatedKey, console: Console): void {
  console.result(
    { type: "summary", ...slot, removed: old.map(({ id }) => id) },
    `new data gets a new key; key slot ${slot.id} (${slot.label}) is the only one that opens it`,
  );
  for (const { id, label } of old) {
    console.tell(
      `key slot ${id} (${label}) is removed; regrain repo key add gives its passphrase back, if it should be`,
    );
  }
  console.tell(
    "what was stored before stays readable to whoever kept an old slot and its passphrase; a backup that runs now " +
      "ends under the old key",
  );
}

/** Needs no passphrase: labels and dates are no secret. */
export async function runKeyList(flags: CommonFlags & RepoFlags): Promise<number> {
  const console = new Console(flags);
  const store = await openStoreOf(flags);
  try {
    const bytes = await store.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
    requireKeys(readDescription(store, bytes), store.label);
    const slots = await listSlots(store);
    slots.sort((a, b) => a.created < b.created ? -1 : 1);
    slotsReport(console).list(slots);
    return 0;
  } finally {
    store.close();
    console.flush();
  }
}
