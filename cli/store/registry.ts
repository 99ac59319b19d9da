/**
 * Which store an address on the command line means: the registry of all kinds.
 *
 * What has a colon before its first slash is no path: so other tools write their remote repositories, and a folder of
 * that name would be a backup on this very disk. A further kind is a folder beside `s3/` and a line here.
 */
import type { ObjectStore } from "../../core-as/host/repo/objects.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { datastorePath, isBelowHome, schemeOf } from "../../core-as/host/place_name.ts";
import { STORE_FLAGS, type StoreFlags } from "./flags.ts";
import { FOLDER } from "./folder/kind.ts";
import type { NamedStore, StoreKind, StoreUse } from "./kind.ts";
import { type AddressWords, FIRST_STORE, refusedAddress } from "./refusal.ts";
import { parseBucket, S3 } from "./s3/kind.ts";

const KINDS: readonly StoreKind[] = [FOLDER, S3];

/** How the address of a repository is written, of every kind: `a folder, or s3://bucket/prefix`. */
export const STORE_FORMS = KINDS.map(({ form }) => form).join(", or ");

/** A store together with its kind. */
export interface FoundStore extends NamedStore {
  readonly kind: StoreKind;
  /** As it was typed. */
  readonly address: string;
}

/**
 * Finds the store that an address names.
 *
 * @param words How the command line is typed that names it, for what is written instead.
 * @throws {RegrainError} `USAGE` for an address of no kind that there is, with what to write instead.
 */
export function findStore(address: string, words: AddressWords = FIRST_STORE): FoundStore {
  const scheme = schemeOf(address, { drives: Deno.build.os === "windows" })?.scheme;
  const kind = datastorePath(address) === undefined && !isBelowHome(address) && !address.startsWith(":")
    ? KINDS.find((each) => each.scheme === scheme)
    : undefined;
  const named = kind?.find(address);
  if (kind === undefined || named === undefined) throw refusedAddress(address, words, STORE_FORMS);
  return { ...named, kind, address };
}

/** Opens a store; flags of other kinds are refused. */
export async function openStore(
  address: string,
  flags: StoreFlags,
  use: StoreUse = {},
  words: AddressWords = FIRST_STORE,
): Promise<ObjectStore> {
  const found = findStore(address, words);
  requireOwnFlags([found], flags, words);
  return await found.open(flags, use);
}

/** The flags that are about a store, without those of other kinds. */
export function flagsFor({ kind }: FoundStore, flags: StoreFlags): StoreFlags {
  return Object.fromEntries(kind.flags.map(({ key }) => [key, flags[key]]));
}

/**
 * Refuses a flag that is about none of the stores of a command: with `--endpoint` a bucket is meant, and `bucket/vms`
 * alone would be made a folder here.
 *
 * @throws {RegrainError} `USAGE`.
 */
export function requireOwnFlags(
  stores: readonly FoundStore[],
  flags: StoreFlags,
  words: AddressWords = FIRST_STORE,
): void {
  const own = new Set(stores.flatMap(({ kind }) => kind.flags.map(({ key }) => key)));
  const foreign = STORE_FLAGS.find(({ key }) => flags[key] !== undefined && !own.has(key));
  if (foreign === undefined) return;
  const { address, kind } = stores[0]!;
  const flag = words.flag(foreign.flag);
  const whose = KINDS.find((each) => each.flags.some(({ key }) => key === foreign.key))!;
  // A whole path is no bucket without its scheme.
  const bucket = address.startsWith("/") ? undefined : parseBucket(`s3://${address}`);
  const meant = bucket === undefined
    ? whose.form
    : `s3://${bucket.bucket}/${bucket.prefix}`.replace(/\/$/, "");
  throw new RegrainError("USAGE", `${flag} is about ${whose.form}, and ${address} is ${kind.form}`, {
    hint: `${words.address(meant)} for the bucket; or leave ${flag} out for the folder`,
  });
}
