/** Which store an address on the command line means. */
import type { ObjectStore } from "../../core-as/host/repo/objects.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { FolderStore } from "./folder.ts";
import { RetryTeller } from "./retry_teller.ts";

/** What may be said of a store beside its address. */
export interface StoreFlags {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  /** Whether the bucket stands in the path; `undefined`: wherever an endpoint is given. */
  readonly pathStyle?: boolean | undefined;
  /** A PEM file of the authorities to trust. */
  readonly caFile?: string | undefined;
}

/** What a store is opened for. */
export interface StoreUse {
  /** Another program filled it, and it is only read. */
  readonly foreignKeys?: boolean;
  /** Told of requests that had to be made again. */
  readonly warn?: (line: string) => void;
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

/** Opens the store of an address; the S3 client is loaded only for a bucket. */
export async function openStore(
  address: string,
  flags: StoreFlags,
  { foreignKeys = false, warn }: StoreUse = {},
): Promise<ObjectStore> {
  const parsed = parseAddress(address);
  if (parsed.kind === "folder") return new FolderStore(parsed.path, { foreignKeys });
  const { openS3Store } = await import("./s3.ts");
  const { endpoint, region, profile, pathStyle, caFile } = flags;
  const options = { ...parsed, endpoint, region, profile, pathStyle, caFile, foreignKeys };
  if (warn === undefined) return await openS3Store(options);
  const teller = new RetryTeller(warn);
  return await openS3Store({
    ...options,
    onRetry: (retry) => teller.tell(retry),
    onClose: () => teller.sumUp(),
  });
}
