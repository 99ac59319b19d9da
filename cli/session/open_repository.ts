/** What every command on a repository starts with: the store, the passphrase, the open repository. */
import { quoteWord, RegrainError } from "../../core-as/host/mod.ts";
import type { ObjectStore } from "../../core-as/host/repo/mod.ts";
import { type Lanes, openLanes } from "../backup/lanes.ts";
import type { Repository, World } from "../backup/repository.ts";
import { STORE_FLAGS, type StoreFlags } from "../store/flags.ts";
import { findStore, openStore, STORE_FORMS } from "../store/registry.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";
import { VERSION } from "../version.ts";
import { guardWire } from "./wire.ts";
import { variable } from "../environment.ts";
import { passphraseByCommand } from "./passphrase_command.ts";
import { passphraseText } from "./passphrase_text.ts";
import { secretVariable, takeSecrets } from "./secrets.ts";
import { type AdmissionRequest, FIRST_WORDS, openAdmitted } from "./admission.ts";
import { readGivenFile } from "./given_file.ts";
import { isForbidden } from "../deno_errors.ts";

/** Flags of a command on a repository. */
export interface RepoFlags extends CommonFlags, StoreFlags {
  readonly repo?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly passphraseCommand?: string | undefined;
  /** A passphrase does not say that the repository must be encrypted. */
  readonly unencrypted?: boolean | undefined;
  /** Another repository than this host remembers is fine. */
  readonly replaced?: boolean | undefined;
}

/** Variables that say what a flag would, and what no flag may say. */
const REPOSITORY_VARIABLE = "REGRAIN_REPO";
const PASSPHRASE_VARIABLE = "REGRAIN_PASSPHRASE";
/** Bits of a mode by which the group or all others may read. */
const OTHERS_READ = 0o044;
const TO_PASSPHRASE_VARIABLE = "REGRAIN_TO_PASSPHRASE";
const MAX_PASSPHRASE_BYTES = 4096;

export const THE_WORLD: World = {
  nowMs: () => Date.now(),
  random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  tool: `regrain ${VERSION}`,
  get host() {
    return hostName();
  },
};

/** The name of this machine is a convenience; where it may not be asked, manifests do without. */
function hostName(): string {
  try {
    return Deno.hostname();
  } catch (error) {
    if (isForbidden(error)) return "unnamed";
    throw error;
  }
}

/** @throws {RegrainError} `USAGE` when nothing names a repository, or what names one is no address of any. */
export function repositoryAddress(flags: RepoFlags): string {
  const address = flags.repo ?? variable(REPOSITORY_VARIABLE);
  if (address !== undefined && address !== "") return findStore(address).address;
  throw new RegrainError("USAGE", "no repository is named", {
    hint: `--repo with ${STORE_FORMS}, or the variable ${REPOSITORY_VARIABLE}`,
  });
}

/** The flags that name the repository, as they are typed: for a command that is printed. */
export function repositoryWords(flags: RepoFlags): string[] {
  const { repo, passphraseFile, passphraseCommand, unencrypted } = flags;
  const named: [string, string | boolean | undefined][] = [
    ["--repo", repo],
    ["--passphrase-file", passphraseFile],
    ["--passphrase-command", passphraseCommand],
    ["--unencrypted", unencrypted],
    ...STORE_FLAGS.map(({ key, flag }): [string, string | boolean | undefined] => [flag, flags[key]]),
  ];
  return named.flatMap(([flag, value]) =>
    typeof value === "string" ? [flag, value] : value === true ? [flag] : []
  );
}

/** The flags with others about the store. */
export function withStoreFlags<Flags extends StoreFlags>(flags: Flags, storeFlags: StoreFlags): Flags {
  const none = Object.fromEntries(STORE_FLAGS.map(({ key }) => [key, undefined]));
  return { ...flags, ...none, ...storeFlags };
}

export async function openStoreOf(flags: RepoFlags): Promise<ObjectStore> {
  takeSecrets();
  const console = new Console(flags);
  return await openStore(repositoryAddress(flags), flags, { warn: (line) => console.warn(line) });
}

/** What the flags say of the repository that is to be opened. */
export function admissionOf(flags: RepoFlags, console: Console): AdmissionRequest {
  return {
    console,
    world: THE_WORLD,
    storeFlags: flags,
    unencrypted: flags.unencrypted === true,
    replaced: flags.replaced === true,
    passphrase: hasPassphrase(flags) ? "given" : "absent",
    passphraseOf: () => passphraseOf(flags),
    words: FIRST_WORDS,
  };
}

/** Opens the repository that the flags name. */
export async function openRepository(flags: RepoFlags): Promise<Repository> {
  const console = new Console(flags);
  const repository = await openAdmitted(await openStoreOf(flags), admissionOf(flags, console));
  try {
    const isEncrypted = repository.description.encryption !== "none";
    guardWire(repositoryAddress(flags), flags, { isEncrypted, console });
    return repository;
  } catch (error) {
    repository.close();
    throw error;
  }
}

/** True where a flag or the environment gives a passphrase, whatever is in the file. */
export function hasPassphrase(flags: Pick<RepoFlags, "passphraseFile" | "passphraseCommand">): boolean {
  const { passphraseFile, passphraseCommand } = flags;
  return passphraseFile !== undefined || passphraseCommand !== undefined ||
    (secretVariable(PASSPHRASE_VARIABLE) ?? "") !== "";
}

/** The same of the repository that `repo copy` writes. */
export function hasToPassphrase({ toPassphraseFile }: { toPassphraseFile?: string | undefined }): boolean {
  return toPassphraseFile !== undefined || (secretVariable(TO_PASSPHRASE_VARIABLE) ?? "") !== "";
}

/**
 * The passphrase: from the file that is named, or from the command, else from the environment; never from a flag.
 *
 * @param what What is told where there is none.
 * @throws {RegrainError} `REPO_KEY` when there is none, or the command failed; `USAGE` where two flags say it.
 */
export function passphraseOf(
  flags: CommonFlags & Pick<RepoFlags, "passphraseFile" | "passphraseCommand">,
  what?: string,
): string {
  const { passphraseFile: file, passphraseCommand: command } = flags;
  if (command !== undefined) {
    if (file === undefined) return passphraseByCommand(command, MAX_PASSPHRASE_BYTES);
    throw new RegrainError("USAGE", "--passphrase-file and --passphrase-command exclude each other");
  }
  return secretOf({
    flags,
    file,
    flag: "--passphrase-file",
    variable: PASSPHRASE_VARIABLE,
    ...what === undefined ? {} : { what },
  });
}

/** The passphrase that `repo key add` is about. */
export function newPassphraseOf(flags: CommonFlags & { newPassphraseFile?: string | undefined }): string {
  return secretOf({
    flags,
    file: flags.newPassphraseFile,
    flag: "--new-passphrase-file",
    variable: "REGRAIN_NEW_PASSPHRASE",
    what: "there is no new passphrase",
  });
}

/** The passphrase of the repository that `repo copy` writes. */
export function toPassphraseOf(flags: CommonFlags & { toPassphraseFile?: string | undefined }): string {
  return secretOf({
    flags,
    file: flags.toPassphraseFile,
    flag: "--to-passphrase-file",
    variable: TO_PASSPHRASE_VARIABLE,
    what: "the repository that is copied to is encrypted, and there is no passphrase",
  });
}

function secretOf(
  from: { flags: CommonFlags; file: string | undefined; flag: string; variable: string; what?: string },
): string {
  const text = from.file === undefined
    ? secretVariable(from.variable)
    : readPassphraseFile(from.file, from.flags);
  if (text !== undefined && text !== "") return text;
  if (from.file !== undefined) {
    throw new RegrainError("REPO_KEY", "is empty, and holds no passphrase", {
      path: from.file,
      hint: "write the passphrase into it, or name another file",
    });
  }
  const { flag, what = "the repository is encrypted, and there is no passphrase" } = from;
  const orCommand = flag === "--passphrase-file" ? ", --passphrase-command CMD" : "";
  throw new RegrainError("REPO_KEY", what, {
    hint: `${flag} FILE${orCommand}, or the variable ${from.variable}`,
  });
}

function readPassphraseFile(path: string, flags: CommonFlags): string {
  const bytes = readGivenFile(path, { mostBytes: MAX_PASSPHRASE_BYTES, what: "a passphrase" });
  warnOfReaders(path, flags);
  return passphraseText(bytes, { path, bytesOf: `cat ${quoteWord(path)}` });
}

const warnedOf = new Set<string>();

/** A passphrase that others can read is theirs as well; some set the mode on purpose, for a group. */
function warnOfReaders(path: string, flags: CommonFlags): void {
  const { mode, isFile } = Deno.statSync(path);
  if (!isFile || mode === null || (mode & OTHERS_READ) === 0 || warnedOf.has(path)) return;
  warnedOf.add(path);
  const rights = (mode & 0o777).toString(8).padStart(4, "0");
  new Console(flags).warn(
    `${path}: has mode ${rights}, and other users can read the passphrase: chmod 600 it`,
  );
}

/**
 * Lanes for as long as they are used.
 *
 * @param workBytes How much there may be to do, where it is known.
 */
export function lanesOf(repository: Repository, workBytes?: number): Lanes & Disposable {
  const lanes = openLanes(repository.laneSetup, workBytes);
  return Object.assign(lanes, { [Symbol.dispose]: () => lanes.close() });
}
