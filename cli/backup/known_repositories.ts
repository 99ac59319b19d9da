/**
 * What this host remembers of the repositories that it opened, as ssh remembers the keys of hosts: which repository
 * is at an address, whether it is encrypted, and the newest snapshot of each disk. A store cannot change what is
 * written here.
 *
 * One small file an address, so that any number of processes may write at once: the last one wins, whole. Of two that
 * write at the same moment one may lose a snapshot that the other saw; the next command that sees it remembers it.
 */
import { type ErrorCode, RegrainError } from "../../core-as/host/errors.ts";
import { Fields, isUlid, type RepositoryDescription, sha256Hex } from "../../core-as/host/repo/mod.ts";
import { variable } from "../environment.ts";
import { isAbsent } from "../deno_errors.ts";
import { PRIVATE_FOLDER_MODE, PRIVATE_MODE, replaceFile, translated, translating } from "../io/mod.ts";

const FOLDER = "regrain/repositories";
const MAX_BYTES = 4 * 1024 * 1024;
/** Disks whose newest snapshot is remembered; so many fit MAX_BYTES, however long their keys are. */
const MAX_DISKS = 20_000;
const SOURCE = /^[a-z0-9][a-z0-9-]{0,80}$/;

/** A repository as this host saw it last. */
export interface KnownRepository {
  readonly address: string;
  readonly id: string;
  readonly encryption: RepositoryDescription["encryption"];
  /** Whether `repo.json` had a MAC. */
  readonly authenticated: boolean;
  /** How many keys it had; rotating adds one. */
  readonly keys: number;
  /** Id of the newest snapshot of each disk that was seen, by the part of the keys that stands for the disk. */
  readonly newest: ReadonlyMap<string, string>;
}

/** Where it is remembered, or why it is not. */
export type KnownFile =
  | { readonly path: string; readonly folder: string }
  | { readonly path: undefined; readonly why: string };

/** The file of an address, where Deno may read and write it. */
export async function knownFile(address: string): Promise<KnownFile> {
  const root = stateFolder();
  if (root === undefined) {
    return { path: undefined, why: "neither XDG_STATE_HOME nor HOME names a folder that may be used" };
  }
  const folder = `${root}/${FOLDER}`;
  for (const name of ["read", "write"] as const) {
    if (Deno.permissions.querySync({ name, path: folder }).state !== "granted") {
      return { path: undefined, why: `Deno may not ${name} ${folder}` };
    }
  }
  const sum = await sha256Hex(new TextEncoder().encode(address));
  return { path: `${folder}/${sum.slice(0, 32)}.json`, folder };
}

/** A relative XDG_STATE_HOME counts as none, as its specification says. */
function stateFolder(): string | undefined {
  const state = variable("XDG_STATE_HOME");
  if (state?.startsWith("/")) return state.replace(/\/+$/, "");
  const home = variable("HOME");
  return home?.startsWith("/") ? `${home.replace(/\/+$/, "")}/.local/state` : undefined;
}

/**
 * What is remembered; `undefined` when the address was never opened.
 *
 * @throws {RegrainError} `NOT_A_DISK` for a file that cannot be understood, and what reading throws.
 */
export async function recallRepository(path: string): Promise<KnownRepository | undefined> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  if (bytes.length > MAX_BYTES) {
    throw new RegrainError("LIMIT_EXCEEDED", "is no note of a repository", { path });
  }
  const fields = Fields.parse(bytes, { path, code: "REPO_UNSUPPORTED" });
  fields.count("version", { least: 1, most: 1 });
  return {
    address: fields.text("address"),
    id: fields.text("id", /^[0-9A-HJKMNP-TV-Z]{26}$/),
    encryption: fields.text("encryption", /^(none|aes-256-gcm)$/) as KnownRepository["encryption"],
    authenticated: fields.text("authenticated", /^(yes|no)$/) === "yes",
    keys: fields.count("keys"),
    // Files of older versions have none.
    newest: new Map(fields.optional("newest", parseNewest)),
  };
}

async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw translated({ operation: "read file", path }, cause);
  }
}

function parseNewest(fields: Fields, name: string): [string, string][] {
  const newest = fields.object(name);
  return newest.names().map((source) => {
    const id = newest.text(source);
    return SOURCE.test(source) && isUlid(id) ? [source, id] : newest.fail(source, "the id of a snapshot");
  });
}

/** A file that is there for sure. */
type File = { readonly path: string; readonly folder: string };

/**
 * Remembers a repository. The newest snapshots of the same one that were remembered before stay, but for those that
 * are older.
 */
export async function rememberRepository(file: File, known: KnownRepository): Promise<void> {
  const before = await recallSound(file);
  const newest = new Map(before?.id === known.id ? before.newest : []);
  raiseNewest(newest, known.newest);
  write(file, { ...known, newest });
}

/** Remembers a repository in the place of all that was remembered before. */
export function rememberAfresh(file: File, known: KnownRepository): Promise<void> {
  return Promise.resolve(write(file, known));
}

/** Remembers snapshots no more that this host removed. */
export async function forgetNewest(file: File, ids: ReadonlySet<string>): Promise<void> {
  const known = await recallSound(file);
  if (known === undefined) return;
  const newest = new Map([...known.newest].filter(([, id]) => !ids.has(id)));
  if (newest.size < known.newest.size) write(file, { ...known, newest });
}

/**
 * Takes over what is newer; what is remembered only ever rises. Ids sort by the order in which snapshots were made.
 *
 * @returns whether there was something.
 */
export function raiseNewest(newest: Map<string, string>, seen: Iterable<readonly [string, string]>): boolean {
  let isRaised = false;
  for (const [source, id] of seen) {
    const before = newest.get(source);
    if (before === undefined ? newest.size >= MAX_DISKS : before >= id) continue;
    newest.set(source, id);
    isRaised = true;
  }
  return isRaised;
}

/** What a file that is sound may meet all the same: it stays as it is. */
const UNREAD: readonly ErrorCode[] = ["PERMISSION", "OPEN_FAILED"];

/** A file that cannot be understood is written anew; opening the repository told of it. */
async function recallSound({ path }: File): Promise<KnownRepository | undefined> {
  try {
    return await recallRepository(path);
  } catch (error) {
    if (error instanceof RegrainError && !UNREAD.includes(error.code)) return undefined;
    throw error;
  }
}

function write({ path, folder }: File, known: KnownRepository): void {
  const { newest, ...rest } = known;
  const document = {
    version: 1,
    ...rest,
    authenticated: known.authenticated ? "yes" : "no",
    ...newest.size === 0 ? {} : { newest: Object.fromEntries(newest) },
  };
  translating(
    { operation: "make", path: folder },
    () => Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER_MODE }),
  );
  replaceFile(path, new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`), PRIVATE_MODE);
}

/** True when nothing is to be written. */
export function isSameKnown(a: KnownRepository | undefined, b: KnownRepository): boolean {
  return a !== undefined && a.id === b.id && a.encryption === b.encryption && a.keys === b.keys &&
    a.authenticated === b.authenticated;
}
