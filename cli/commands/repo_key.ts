/** `regrain repo key`: which passphrases open an encrypted repository. */
import { RegrainError } from "../../core-as/host/mod.ts";
import {
  checkWords,
  DESCRIPTION_KEY,
  MAX_DESCRIPTION_BYTES,
  parseDescription,
  type RepositoryDescription,
} from "../../core-as/host/repo/mod.ts";
import { addSlot, listSlots, removeSlot } from "../backup/keyring.ts";
import { type CommonFlags, Console, layoutTable } from "../ui/mod.ts";
import { newPassphraseOf, openRepository, openStoreOf, type RepoFlags, THE_WORLD } from "./repo_session.ts";

export interface KeyAddFlags extends CommonFlags, RepoFlags {
  readonly newPassphraseFile?: string | undefined;
  readonly label?: string | undefined;
}

const MAX_LABEL_CHARACTERS = 100;

/** Adds a passphrase; the ones before still open the repository. */
export async function runKeyAdd(flags: KeyAddFlags): Promise<number> {
  const console = new Console(flags);
  const label = flags.label ?? THE_WORLD.host;
  checkWords(label, "--label");
  if (label.length > MAX_LABEL_CHARACTERS) {
    throw new RegrainError("USAGE", `a label has ${MAX_LABEL_CHARACTERS} characters at most`);
  }
  const repository = await openRepository(flags);
  try {
    refusePlain(repository.description, repository.store.label);
    const slot = await addSlot(repository.store, repository.laneSetup.master!, {
      passphrase: newPassphraseOf(flags),
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
      "who has read the repository's key by it before still knows it; repo copy makes one with a new key",
    );
    return 0;
  } finally {
    repository.close();
    console.flush();
  }
}

/** Needs no passphrase: labels and dates are no secret. */
export async function runKeyList(flags: CommonFlags & RepoFlags): Promise<number> {
  const console = new Console(flags);
  const store = await openStoreOf(flags);
  try {
    const bytes = await store.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
    if (bytes === undefined) {
      throw new RegrainError("REPO_MISSING", "there is no repository here: repo.json is not there", {
        path: store.label,
        hint: "regrain repo init makes one",
      });
    }
    refusePlain(parseDescription(bytes, `${store.label}/${DESCRIPTION_KEY}`), store.label);
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

function refusePlain({ encryption }: RepositoryDescription, path: string): void {
  if (encryption !== "none") return;
  throw new RegrainError("USAGE", "the repository is not encrypted, and has no keys", {
    path,
    hint:
      "regrain repo init --encrypt makes one that is, and regrain repo copy --to copies snapshots into it",
  });
}
