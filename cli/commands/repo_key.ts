/** `regrain repo key`: which passphrases open an encrypted repository. */
import { RegrainError } from "../../core-as/host/mod.ts";
import {
  checkWords,
  DESCRIPTION_KEY,
  descriptionBytes,
  MAX_DESCRIPTION_BYTES,
  type RepositoryDescription,
  ROTATED,
} from "../../core-as/host/repo/mod.ts";
import {
  addSlot,
  type KeySlot,
  listSlots,
  removeSlot,
  slotsOpenedBy,
  withNewKey,
} from "../backup/keyring.ts";
import { authenticated, readDescription } from "../backup/repository.ts";
import { copiedSlots, putDescriptionCopy, removeSlotsAndCopies } from "../backup/second_copies.ts";
import { type CommonFlags, Console, layoutTable } from "../ui/mod.ts";
import { rememberMade } from "../session/admission.ts";
import {
  newPassphraseOf,
  openRepository,
  openStoreOf,
  passphraseOf,
  type RepoFlags,
  THE_WORLD,
} from "../session/open_repository.ts";

export interface KeyAddFlags extends CommonFlags, RepoFlags {
  readonly newPassphraseFile?: string | undefined;
  readonly label?: string | undefined;
}

const MAX_LABEL_CHARACTERS = 100;

/** Whose a new slot is; of this host by default. */
export function labelOf({ label = THE_WORLD.host }: { label?: string | undefined }): string {
  checkWords(label, "--label");
  if (label.length <= MAX_LABEL_CHARACTERS) return label;
  throw new RegrainError("USAGE", `a label has ${MAX_LABEL_CHARACTERS} characters at most`);
}

/** Adds a passphrase; the ones before still open the repository. */
export async function runKeyAdd(flags: KeyAddFlags): Promise<number> {
  const console = new Console(flags);
  const label = labelOf(flags);
  const repository = await openRepository(flags);
  try {
    refusePlain(repository.description, repository.store.label);
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
    if (console.json) console.outJson({ type: "summary", ...slot });
    else console.out(`key slot ${slot.id} (${slot.label}) opens the repository too`);
    return 0;
  } finally {
    repository.close();
    console.flush();
  }
}

/** Removes a slot. Its passphrase, and whoever knows the repository's key by it, are not made to forget. */
export async function runKeyRemove(id: string, flags: CommonFlags & RepoFlags): Promise<number> {
  const console = new Console(flags);
  // Opened with a passphrase, so that nobody removes the slots of a repository that he cannot read.
  const repository = await openRepository(flags);
  try {
    refusePlain(repository.description, repository.store.label);
    await removeSlot(repository.store, id);
    if (console.json) console.outJson({ type: "summary", id, removed: true });
    else console.out(`key slot ${id} is removed`);
    console.tell(
      "who kept the slot, or read the repository's key by it, can still read what is stored, now and " +
        "from now on; regrain repo key rotate gives new data a new key",
    );
    return 0;
  } finally {
    repository.close();
    console.flush();
  }
}

export interface KeyRotateFlags extends KeyAddFlags {
  readonly keepPassphrase?: boolean | undefined;
}

/**
 * Gives new data a new key. What is stored stays under the old one, and whoever knows that reads it still; so the
 * order is: first the feature, so that older versions stay away; then a slot with all keys; then the old slots go.
 */
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
  const console = new Console(flags);
  const repository = await openRepository(flags);
  const { store, description } = repository;
  try {
    refusePlain(description, store.label);
    const passphrase = flags.keepPassphrase ? passphraseOf(flags) : newPassphraseOf(flags);
    const old = await listSlots(store);
    const before = repository.laneSetup.master!;
    const master = withNewKey(before);
    const features = [...new Set([...description.features, ROTATED])];
    await store.put(
      DESCRIPTION_KEY,
      descriptionBytes(await authenticated({ ...description, features }, before)),
    );
    const slot = await addSlot(store, master, {
      passphrase,
      repository: description.id,
      id: repository.newId(),
      label: flags.label ?? THE_WORLD.host,
      nowMs: THE_WORLD.nowMs(),
    });
    const confirmed = await authenticated({ ...description, features }, master);
    // Confirmed by the new key before the old slots go: a run that dies after them is repaired by this copy.
    await putDescriptionCopy(store, confirmed);
    const copied = (await copiedSlots(store)).filter((id) => id !== slot.id);
    await removeSlotsAndCopies(store, [...new Set([...old.map(({ id }) => id), ...copied])]);
    await store.put(DESCRIPTION_KEY, descriptionBytes(confirmed));
    await rememberMade(store, confirmed, {
      console,
      storeFlags: flags,
      keys: repository.keyCount + 1,
    });
    tellRotated(slot, old, console);
    return 0;
  } finally {
    repository.close();
    console.flush();
  }
}

function tellRotated(slot: KeySlot, old: readonly KeySlot[], console: Console): void {
  if (console.json) console.outJson({ type: "summary", ...slot, removed: old.map(({ id }) => id) });
  else {console.out(
      `new data gets a new key; key slot ${slot.id} (${slot.label}) is the only one that opens it`,
    );}
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
    refusePlain(readDescription(store, bytes), store.label);
    const slots = await listSlots(store);
    slots.sort((a, b) => a.created < b.created ? -1 : 1);
    if (console.json) {
      for (const slot of slots) console.outJson({ type: "slot", ...slot });
      console.outJson({ type: "summary", slots: slots.length });
    } else {
      const rows = slots.map(({ id, label, created }) => [id, created.slice(0, 19).replace("T", " "), label]);
      for (
        const line of layoutTable([["slot", "created (UTC)", "label"], ...rows], ["left", "left", "left"])
      ) {
        console.out(line);
      }
    }
    return 0;
  } finally {
    store.close();
    console.flush();
  }
}

export function refusePlain({ encryption }: RepositoryDescription, path: string): void {
  if (encryption !== "none") return;
  throw new RegrainError("USAGE", "the repository is not encrypted, and has no keys", {
    path,
    hint:
      "regrain repo init --encrypt makes one that is, and regrain repo copy --to copies snapshots into it",
  });
}
