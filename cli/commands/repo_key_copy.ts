/** `regrain repo key export` and `import`: what opens a repository, kept in a second place, and put back. */
import { plural, RegrainError } from "../../core-as/host/mod.ts";
import { copyKeys, MAX_KEY_COPY_BYTES, parseKeyCopy, putBackKeys } from "../backup/key_copy.ts";
import { requireKeys } from "../backup/keyring.ts";
import { unwrappedBytes } from "../backup/unwrapped_key.ts";
import { PRIVATE_MODE, writeNewFile } from "../io/mod.ts";
import { PIPE } from "../places/pipe.ts";
import { readGivenFile } from "../session/given_file.ts";
import { type KeySlotFlags, labelOf } from "../session/key_flags.ts";
import { onRepository } from "../session/on_repository.ts";
import {
  newPassphraseOf,
  openStoreOf,
  type RepoFlags,
  repositoryAddress,
  THE_WORLD,
} from "../session/open_repository.ts";
import { type CommonFlags, Console, writeToStdout } from "../ui/mod.ts";

export interface KeyExportFlags extends CommonFlags, RepoFlags {
  /** The key itself, not the slots. */
  readonly unwrapped?: boolean | undefined;
}

/** Writes a copy to a new file of mode 0600, or to standard output for a printer. */
export async function runKeyExport(file: string, flags: KeyExportFlags): Promise<number> {
  if (flags.unwrapped) return await exportUnwrapped(file, flags);
  const isPipe = file === PIPE;
  if (isPipe && flags.json) {
    throw new RegrainError("USAGE", "standard output takes the export, and --json has no place there", {
      hint: "without --json; or a file",
    });
  }
  const console = new Console(flags);
  const store = await openStoreOf(flags);
  try {
    const { repository, slots, text } = await copyKeys(store);
    const what = slots === 0
      ? `repo.json of repository ${repository}, which is not encrypted`
      : `repo.json and ${
        plural(slots, "key slot")
      } of repository ${repository}; a passphrase is needed as well`;
    if (isPipe) {
      writeToStdout(text);
      console.tell(what);
    } else {
      writeNewFile(file, new TextEncoder().encode(text), PRIVATE_MODE);
      console.result({ type: "summary", repository, file, slots }, `${file}: ${what}`);
    }
    return 0;
  } finally {
    store.close();
    console.flush();
  }
}

/** Writes the key itself. */
async function exportUnwrapped(file: string, flags: CommonFlags & RepoFlags): Promise<number> {
  if (file === PIPE) {
    throw new RegrainError("USAGE", "an unwrapped key goes to a new file only, not to standard output", {
      hint:
        "regrain repo key export --unwrapped FILE; without --unwrapped, - takes the slots, which a passphrase " +
        "protects",
    });
  }
  return await onRepository(flags, async ({ repository, console }) => {
    const { description, store, keyCount: keys } = repository;
    requireKeys(description, store.label);
    writeNewFile(file, await unwrappedBytes(repository), PRIVATE_MODE);
    console.result(
      { type: "summary", repository: description.id, file, keys },
      `${file}: the ${plural(keys, "key")} of repository ${description.id}, unwrapped`,
    );
    console.warn(
      `${file}: whoever reads this file can read every backup of the repository without a passphrase, also after all ` +
        "passphrases were changed: keep it off this machine, and away from the repository; regrain repo key rotate " +
        "gives new data a key that is not in it",
    );
    return 0;
  });
}

/** Puts back what is gone. */
export async function runKeyImport(file: string, flags: KeySlotFlags): Promise<number> {
  repositoryAddress(flags);
  const console = new Console(flags);
  const label = labelOf(flags);
  const bytes = readGivenFile(file, { mostBytes: MAX_KEY_COPY_BYTES, what: "a copy of keys" });
  const copy = parseKeyCopy(bytes, file);
  if (copy.unwrapped === undefined) refuseSlotFlags(file, flags);
  const store = await openStoreOf(flags);
  try {
    const slotOf = copy.unwrapped && { passphrase: newPassphraseOf(flags), label };
    const { put, slot, isKnown } = await putBackKeys(store, copy, { file, slot: slotOf, world: THE_WORLD });
    const lines = put.length > 0
      ? [`put back: ${put.join(", ")}`]
      : slot === undefined
      ? ["nothing is gone: repo.json and key slots are there"]
      : [];
    if (slot !== undefined) {
      lines.push(`key slot ${slot.id} (${slot.label}) opens the repository by the new passphrase`);
    }
    console.result({ type: "summary", repository: copy.kept.id, put, slot: slot ?? null }, ...lines);
    if (!isKnown && put.length > 0) {
      console.warn(
        "nothing here tells whether the keys were rotated since the file was written: if its passphrase opens no " +
          "newer backups, import a newer file",
      );
    }
    return 0;
  } finally {
    store.close();
    console.flush();
  }
}

/** Wrapped slots have their passphrases. */
function refuseSlotFlags(file: string, { newPassphraseFile, label }: KeySlotFlags): void {
  const flag = newPassphraseFile !== undefined
    ? "--new-passphrase-file"
    : label === undefined
    ? undefined
    : "--label";
  if (flag === undefined) return;
  throw new RegrainError(
    "USAGE",
    `${flag} is for an unwrapped key, and the file holds slots, which have theirs`,
    {
      path: file,
      hint: `without ${flag}`,
    },
  );
}
