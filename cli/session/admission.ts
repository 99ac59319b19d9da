/**
 * Opening a repository without believing the store that it is the right one: whether it is encrypted is judged by
 * what the user gives, by what this host remembers, and by what is in the store beside `repo.json`.
 */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { ObjectStore, RepositoryDescription } from "../../core-as/host/repo/mod.ts";
import {
  isSameKnown,
  type KnownFile,
  knownFile,
  type KnownRepository,
  recallRepository,
  rememberAfresh,
  rememberRepository,
} from "../backup/known_repositories.ts";
import { Repository, type World } from "../backup/repository.ts";
import type { Console } from "../ui/mod.ts";
import { attachMemory } from "./newest_seen.ts";
import type { StoreFlags } from "../store/flags.ts";
import { findStore } from "../store/registry.ts";

/** How hints name the flags of one of the two repositories of a command. */
export interface AdmissionWords {
  readonly unencrypted: string;
  readonly replaced: string;
}

export const FIRST_WORDS: AdmissionWords = { unencrypted: "--unencrypted", replaced: "--replaced" };
export const OTHER_WORDS: AdmissionWords = { unencrypted: "--to-unencrypted", replaced: "--to-replaced" };

export interface AdmissionRequest {
  readonly console: Console;
  readonly world: World;
  /** How the store is reached. */
  readonly storeFlags: StoreFlags;
  readonly unencrypted: boolean;
  readonly replaced: boolean;
  /** Whether there is a reason to expect encryption: a passphrase, or that what is copied was encrypted. */
  readonly passphrase: "given" | "of the other" | "absent";
  readonly passphraseOf: () => string;
  readonly words: AdmissionWords;
}

/** Objects of a kind that are looked at: what an encrypted repository stores is all encrypted. */
const PEEKED = 20;

/**
 * Opens a repository that is what the user means by it; closes the store when it is not.
 *
 * @throws {RegrainError} `REPO_UNENCRYPTED`, `REPO_REPLACED`, `REPO_KEY` and what opening throws.
 */
export async function openAdmitted(store: ObjectStore, request: AdmissionRequest): Promise<Repository> {
  try {
    const memory = await recall(store, request);
    const repository = await Repository.open(store, {
      world: request.world,
      admit: async (description) => {
        refuseReplaced(description, { store, memory, request });
        if (description.encryption === "none") await refusePlain(store, request);
      },
      unlock: async (description) => {
        const { unlockRepository } = await import("../backup/keyring.ts");
        return await unlockRepository(store, description, request.passphraseOf());
      },
    });
    await refuseForged(repository, { memory, request });
    const now = {
      ...knownOf(memory.address, repository.description, repository.keyCount),
      newest: newestBefore(memory, { id: repository.description.id, request }),
    };
    await remember(memory, now, request);
    attachMemory(repository, { file: memory.file, known: now, replaced: request.words.replaced });
    return repository;
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Remembers a repository that was made, or given a new key, right now. */
export async function rememberMade(
  store: ObjectStore,
  description: RepositoryDescription,
  { console, storeFlags, keys = description.encryption === "none" ? 0 : 1 }: {
    console: Console;
    storeFlags: StoreFlags;
    keys?: number;
  },
): Promise<void> {
  const address = await findStore(store.label).identity(storeFlags);
  const memory = { address, file: await knownFile(address), known: undefined };
  await remember(memory, knownOf(address, description, keys), { console, replaced: false });
}

/** What is taken with `--replaced` may have older snapshots than what was there. */
function newestBefore(
  { known }: Memory,
  { id, request }: { id: string; request: AdmissionRequest },
): ReadonlyMap<string, string> {
  return known === undefined || known.id !== id || request.replaced ? new Map() : known.newest;
}

interface Memory {
  readonly address: string;
  readonly file: KnownFile;
  readonly known: KnownRepository | undefined;
}

async function recall(store: ObjectStore, { console, storeFlags }: AdmissionRequest): Promise<Memory> {
  const address = await findStore(store.label).identity(storeFlags);
  const file = await knownFile(address);
  if (file.path === undefined) {
    console.detail(`this host remembers no repositories: ${file.why}`);
    return { address, file, known: undefined };
  }
  try {
    return { address, file, known: await recallRepository(file.path) };
  } catch (error) {
    console.warn(
      `${file.path}: cannot be read, so it is unknown whether this is the repository of before: ${
        wordsOf(error)
      }`,
    );
    return { address, file, known: undefined };
  }
}

async function remember(
  { file, known }: Memory,
  now: KnownRepository,
  { console, replaced }: Pick<AdmissionRequest, "console" | "replaced">,
): Promise<void> {
  const isSame = isSameKnown(known, now) && (!replaced || known?.newest.size === 0);
  if (file.path === undefined || isSame) return;
  try {
    await (replaced ? rememberAfresh : rememberRepository)(file, now);
  } catch (error) {
    console.warn(
      `${file.path}: cannot be written, so this host will not notice another repository here: ${
        wordsOf(error)
      }`,
    );
  }
}

function knownOf(address: string, description: RepositoryDescription, keys: number): KnownRepository {
  const { id, encryption, mac } = description;
  return { address, id, encryption, authenticated: mac !== undefined, keys, newest: new Map() };
}

/** @throws {RegrainError} `REPO_REPLACED` when this host remembers another repository at the address. */
function refuseReplaced(
  { id, encryption, mac }: RepositoryDescription,
  { store, memory: { known }, request }: { store: ObjectStore; memory: Memory; request: AdmissionRequest },
): void {
  if (known === undefined || request.replaced) return;
  const isPlain = encryption === "none";
  const what = known.id !== id
    ? `is repository ${id}, and this host remembers ${known.id} here`
    : known.encryption !== encryption
    ? `is ${isPlain ? "not encrypted" : "encrypted"}, and this host remembers that it was${
      isPlain ? "" : " not"
    }`
    : known.authenticated && mac === undefined
    ? "has no MAC in repo.json, and this host remembers that it had one"
    : undefined;
  if (what === undefined) return;
  throw new RegrainError("REPO_REPLACED", what, { path: store.label, hint: replacedHint(request) });
}

function replacedHint({ words }: AdmissionRequest): string {
  return `if it was replaced on purpose, ${words.replaced} takes it and remembers it; if not, somebody else may have ` +
    "made it, reads what is stored in it, and chooses what is restored";
}

/**
 * Nothing that is meant to be secret goes into a repository that anybody can read.
 *
 * @throws {RegrainError} `REPO_UNENCRYPTED`.
 */
async function refusePlain(store: ObjectStore, request: AdmissionRequest): Promise<void> {
  if (request.unencrypted) return;
  const path = store.label;
  const hint =
    `${request.words.unencrypted}, and then anybody who reads the store reads the disks, and who writes ` +
    "it chooses what is restored";
  if (request.passphrase === "given") {
    throw new RegrainError("REPO_UNENCRYPTED", "is not encrypted, and a passphrase is given", { path, hint });
  }
  if (request.passphrase === "of the other") {
    const what = "is not encrypted, and the repository that is copied is";
    throw new RegrainError("REPO_UNENCRYPTED", what, { path, hint });
  }
  for (const prefix of ["keys/", "copies/keys/", "snaps/", "maps/"]) {
    const key = await findSealed(store, prefix);
    if (key === undefined) continue;
    const what = `says that it is not encrypted, and ${key} is of an encrypted repository`;
    throw new RegrainError("REPO_UNENCRYPTED", what, { path: `${path}/repo.json`, hint });
  }
}

async function findSealed(store: ObjectStore, prefix: string): Promise<string | undefined> {
  let left = PEEKED;
  for await (const { key } of store.list(prefix)) {
    if (prefix.endsWith("keys/") ? key.endsWith(".json") : key.endsWith(".enc")) return key;
    if (--left === 0) return undefined;
  }
  return undefined;
}

/** @throws {RegrainError} `REPO_REPLACED` for a description that the repository's key does not confirm. */
async function refuseForged(
  repository: Repository,
  { memory: { known }, request }: { memory: Memory; request: AdmissionRequest },
): Promise<void> {
  if (repository.description.encryption === "none") return;
  const { console, replaced } = request;
  const path = repository.pathOf("repo.json");
  const trust = await repository.descriptionTrust();
  if (trust === "wrong" && !replaced) {
    const what = "was changed by somebody who does not have the repository's key";
    throw new RegrainError("REPO_REPLACED", what, { path, hint: replacedHint(request) });
  }
  if (trust === "wrong") {
    console.warn(`${path}: the repository's key does not confirm it; --replaced takes it`);
  }
  if (trust === "absent") {
    console.detail(`${path}: an older version made it, without a MAC under the repository's key`);
  }
  if (
    known !== undefined && known.id === repository.description.id && repository.keyCount < known.keys &&
    !replaced
  ) {
    const what = `is opened by a key slot from before the key was rotated: it has ${repository.keyCount} ` +
      `keys, and this host remembers ${known.keys}`;
    throw new RegrainError("REPO_REPLACED", what, {
      path: repository.store.label,
      hint: replacedHint(request),
    });
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
