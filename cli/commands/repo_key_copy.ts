/** `regrain repo key export` and `import`: what opens a repository, kept in a second place, and put back. */
import { escapeUnprintable, plural, RegrainError } from "../../core-as/host/mod.ts";
import {
  DESCRIPTION_KEY,
  Fields,
  MAX_DESCRIPTION_BYTES,
  type ObjectStore,
  parseDescription,
  type RepositoryDescription,
} from "../../core-as/host/repo/mod.ts";
import { readDescription } from "../backup/repository.ts";
import { copyKey } from "../backup/second_copies.ts";
import { type CommonFlags, Console, noSpaceOnStdout } from "../ui/mod.ts";
import { PIPE } from "../places/pipe.ts";
import { readGivenFile } from "../session/given_file.ts";
import {
  newPassphraseOf,
  openStoreOf,
  type RepoFlags,
  repositoryAddress,
} from "../session/open_repository.ts";
import { type KeyAddFlags, labelOf } from "./repo_key.ts";
import {
  addSlotFor,
  requireOwnKey,
  runUnwrappedExport,
  UNWRAPPED_VERSION,
  type UnwrappedKey,
  unwrappedKeyIn,
} from "./repo_key_unwrapped.ts";
import { PRIVATE_MODE, writeNewFile } from "../io/mod.ts";

const MAX_COPY_BYTES = 16 * 1024 * 1024;
const SLOT = /^keys\/[A-Za-z0-9_-]+\.json$/;

export interface KeyExportFlags extends CommonFlags, RepoFlags {
  /** The key itself, not the slots. */
  readonly unwrapped?: boolean | undefined;
}

/**
 * Writes `repo.json` and every key slot, as they are, to a new file of mode 0600, or to standard output for a printer.
 * The slots are wrapped: without a passphrase the file opens nothing.
 */
export async function runKeyExport(file: string, flags: KeyExportFlags): Promise<number> {
  if (flags.unwrapped) return await runUnwrappedExport(file, flags);
  const console = new Console(flags);
  const isPipe = file === PIPE;
  if (isPipe && flags.json) {
    throw new RegrainError("USAGE", "standard output takes the export, and --json has no place there", {
      hint: "without --json; or a file",
    });
  }
  const store = await openStoreOf(flags);
  try {
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
    const text = `${JSON.stringify(document, null, 2)}\n`;
    const what = slots === 0
      ? `repo.json of repository ${id}, which is not encrypted`
      : `repo.json and ${plural(slots, "key slot")} of repository ${id}; a passphrase is needed as well`;
    if (isPipe) {
      writeOut(escapeUnprintable(text));
      console.tell(what);
      return 0;
    }
    writeNewFile(file, new TextEncoder().encode(text), PRIVATE_MODE);
    console.result({ type: "summary", repository: id, file, slots }, `${file}: ${what}`);
    return 0;
  } finally {
    store.close();
    console.flush();
  }
}

/**
 * Puts back what is gone. Slots are put back only where there is none: an old copy must not give a passphrase back
 * that was removed since. An unwrapped key gets a slot with a new passphrase, whatever slots there are.
 */
export async function runKeyImport(file: string, flags: KeyAddFlags): Promise<number> {
  repositoryAddress(flags);
  const console = new Console(flags);
  const label = labelOf(flags);
  const { kept, objects, unwrapped } = readCopy(file);
  if (unwrapped === undefined) refuseSlotFlags(file, flags);
  const { id } = kept;
  const store = await openStoreOf(flags);
  try {
    const passphrase = unwrapped && newPassphraseOf(flags);
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
    const slot = unwrapped && await addSlotFor(store, unwrapped, {
      repository: id,
      passphrase: passphrase!,
      label,
    });
    const isWhole = put.length === 0 && slot === undefined;
    console.result(
      { type: "summary", repository: id, put, slot: slot ?? null },
      ...isWhole ? ["nothing is gone: repo.json and key slots are there"] : [],
      ...put.length > 0 ? [`put back: ${put.join(", ")}`] : [],
      ...slot ? [`key slot ${slot.id} (${slot.label}) opens the repository by the new passphrase`] : [],
    );
    if (known === undefined && put.length > 0) {
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
function refuseSlotFlags(file: string, { newPassphraseFile, label }: KeyAddFlags): void {
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

/** What a file of an export holds. */
interface KeyCopy {
  readonly kept: RepositoryDescription;
  readonly objects: ReadonlyMap<string, string>;
  readonly unwrapped: UnwrappedKey | undefined;
}

function readCopy(path: string): KeyCopy {
  const bytes = readGivenFile(path, { mostBytes: MAX_COPY_BYTES, what: "a copy of keys" });
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

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

function writeOut(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    throw noSpaceOnStdout(error) ?? error;
  }
}
