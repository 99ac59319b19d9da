/**
 * The key itself of a repository, kept in a file: `repo key export --unwrapped`, and what `repo key import` does with
 * it.
 *
 * Slots are wrapped by passphrases, so a copy of them helps against lost slots, and not against lost passphrases. This
 * one does. Whoever reads it needs nothing else, so it goes only to a new file that nobody else may read.
 */
import { RegrainError } from "../../core-as/host/mod.ts";
import {
  DESCRIPTION_KEY,
  descriptionBytes,
  type Fields,
  MASTER_KEY_BYTES,
  type ObjectStore,
  type RepositoryDescription,
  ulid,
} from "../../core-as/host/repo/mod.ts";
import { addSlot, type KeySlot, MAX_KEYS } from "./keyring.ts";
import { authenticated, type Repository, type World } from "./repository.ts";

/** Version 1 holds wrapped slots. A reader of that one alone must not take this file for one without any. */
export const UNWRAPPED_VERSION = 2;

/** What a file holds besides the description, where the key in it is unwrapped. */
export interface UnwrappedKey {
  readonly master: Uint8Array<ArrayBuffer>;
  /** MAC of the description in the file under the key: that the two belong together, and neither was damaged. */
  readonly proof: string;
}

/** What the file holds. */
export async function unwrappedBytes(
  { description, laneSetup }: Repository,
): Promise<Uint8Array<ArrayBuffer>> {
  const master = laneSetup.master!;
  const document = {
    format: "regrain-keys",
    version: UNWRAPPED_VERSION,
    repository: description.id,
    objects: { [DESCRIPTION_KEY]: new TextDecoder().decode(descriptionBytes(description)) },
    master: master.toBase64(),
    proof: (await authenticated(description, master)).mac,
  };
  return new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`);
}

/** The key in a file; whether it belongs to the description in it, {@link requireOwnKey} looks. */
export function unwrappedKeyIn(fields: Fields): UnwrappedKey {
  const text = fields.text("master", /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/);
  const master = Uint8Array.fromBase64(text);
  const keys = master.length / MASTER_KEY_BYTES;
  if (!Number.isInteger(keys) || keys < 1 || keys > MAX_KEYS) {
    fields.fail("master", "the keys of a repository");
  }
  return { master, proof: fields.text("proof", /^[0-9a-f]{64}$/) };
}

/**
 * Refuses a key that is not the one of this repository as it is now: of another one, damaged, or of before a rotation.
 * A slot of it would open the repository and read garbage, or new data would be under the old key.
 *
 * @param about.known What is here of the repository's description, if anything.
 * @throws {RegrainError} `REPO_MIXED`, `REPO_UNSUPPORTED`.
 */
export async function requireOwnKey(
  { master, proof }: UnwrappedKey,
  { file, kept, known }: {
    file: string;
    kept: RepositoryDescription;
    known: RepositoryDescription | undefined;
  },
): Promise<void> {
  if (known !== undefined && known.id !== kept.id) {
    throw new RegrainError("REPO_MIXED", `holds the key of repository ${kept.id}, and this is ${known.id}`, {
      path: file,
      hint: "the file that belongs to this one; or another --repo",
    });
  }
  if ((await authenticated(kept, master)).mac !== proof) {
    throw new RegrainError(
      "REPO_UNSUPPORTED",
      "was damaged: the key in it is not the one it was written with",
      {
        path: file,
        hint: "another copy of the file",
      },
    );
  }
  if (known === undefined) return;
  const isOwn = known.mac === undefined
    ? kept.mac === undefined && known.encryption === kept.encryption
    : (await authenticated(known, master)).mac === known.mac;
  if (isOwn) return;
  throw new RegrainError(
    "REPO_MIXED",
    "holds a key that does not confirm repo.json: the keys were changed since it was written, or somebody wrote to " +
      "repo.json",
    {
      path: file,
      hint:
        "a file that was written after the last regrain repo key rotate; or regrain repo repair, from the second " +
        "copy of repo.json",
    },
  );
}

/** Wraps the key by a passphrase, so that this one opens the repository from now on. */
export async function addSlotFor(
  store: ObjectStore,
  { master }: UnwrappedKey,
  slot: { repository: string; passphrase: string; label: string },
  world: Pick<World, "nowMs" | "random">,
): Promise<KeySlot> {
  const nowMs = world.nowMs();
  return await addSlot(store, master, { ...slot, id: ulid(nowMs, world.random(10)), nowMs });
}
