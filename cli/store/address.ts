/** Which store an address on the command line means. */
import type { ObjectStore } from "../../core-as/host/repo/objects.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { FolderStore } from "./folder.ts";

/** What may be said of a store beside its address. */
export interface StoreFlags {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
}

/** A store, and whether anything was said about how to reach it. */
export type StoreAddress =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

/**
 * Reads an address: `s3://bucket/prefix`, or the path of a folder.
 *
 * @throws {RegrainError} `USAGE`.
 */
export function parseAddress(address: string): StoreAddress {
  const [, scheme, rest] = /^([a-z0-9]+):\/\/(.*)$/.exec(address) ?? [];
  if (scheme === undefined) return { kind: "folder", path: address };
  const [, bucket, prefix] = /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(rest!) ?? [];
  if (scheme === "s3" && bucket !== undefined) {
    return { kind: "s3", bucket, prefix: (prefix ?? "").replace(/\/+$/, "") };
  }
  throw new RegrainError("USAGE", `${address} is no address of a repository`, {
    hint: "a folder, or s3://bucket/prefix",
  });
}

/**
 * Opens the store of an address; the S3 client is loaded only for a bucket.
 *
 * @param flags `foreignKeys`: another program filled it, and it is only read.
 */
export async function openStore(
  address: string,
  flags: StoreFlags & { readonly foreignKeys?: boolean },
): Promise<ObjectStore> {
  const parsed = parseAddress(address);
  if (parsed.kind === "folder") return new FolderStore(parsed.path, flags);
  const { openS3Store } = await import("./s3.ts");
  return await openS3Store({ ...parsed, ...flags });
}
