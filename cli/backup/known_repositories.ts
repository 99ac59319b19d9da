/**
 * What this host remembers of the repositories that it opened, as ssh remembers the keys of hosts: which repository
 * is at an address, and whether it is encrypted. A store cannot change what is written here.
 *
 * One small file an address, so that any number of processes may write at once: the last one wins, whole.
 */
import { RegrainError } from "../../core-as/host/errors.ts";
import { Fields, type RepositoryDescription, sha256Hex } from "../../core-as/host/repo/mod.ts";

const FOLDER = "regrain/repositories";
const MAX_BYTES = 64 * 1024;

/** A repository as this host saw it last. */
export interface KnownRepository {
  readonly address: string;
  readonly id: string;
  readonly encryption: RepositoryDescription["encryption"];
  /** Whether `repo.json` had a MAC. */
  readonly authenticated: boolean;
  /** How many keys it had; rotating adds one. */
  readonly keys: number;
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

function variable(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  return Deno.env.get(name);
}

/**
 * What is remembered; `undefined` when the address was never opened.
 *
 * @throws {RegrainError} `NOT_A_DISK` for a file that cannot be understood, and what reading throws.
 */
export async function recallRepository(path: string): Promise<KnownRepository | undefined> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
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
  };
}

/** Writes it beside the old one and renames: a killed process leaves the one or the other. */
export async function rememberRepository(
  { path, folder }: { path: string; folder: string },
  known: KnownRepository,
): Promise<void> {
  const document = { version: 1, ...known, authenticated: known.authenticated ? "yes" : "no" };
  const temporary = `${path}.${crypto.randomUUID()}`;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(temporary, `${JSON.stringify(document, null, 2)}\n`, {
    mode: 0o600,
    createNew: true,
  });
  await Deno.rename(temporary, path);
}

/** True when nothing is to be written. */
export function isSameKnown(a: KnownRepository | undefined, b: KnownRepository): boolean {
  return a !== undefined && a.id === b.id && a.encryption === b.encryption && a.keys === b.keys &&
    a.authenticated === b.authenticated;
}
