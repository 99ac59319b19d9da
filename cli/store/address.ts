/** Which store an address on the command line means. */
import type { ObjectStore } from "../../core-as/host/repo/objects.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { FolderStore } from "./folder/store.ts";
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

/** Names of buckets as S3 takes them, and Ceph: long ones, with capitals and underscores, and a tenant before. */
const BUCKET = /^(?:[A-Za-z0-9_]+:)?[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9_]$/;

/**
 * Reads an address: `s3://bucket/prefix`, or the path of a folder. What has a colon before its first slash is no path:
 * so other tools write their remote repositories, and a folder of that name would be a backup on this very disk.
 *
 * @throws {RegrainError} `USAGE`, with what to write instead.
 */
export function parseAddress(address: string): StoreAddress {
  const [, scheme, rest] = /^([^/\\]{2,}?):(.*)$/s.exec(address) ?? [];
  if (scheme === undefined) return { kind: "folder", path: address };
  const [, bucket = "", prefix = ""] = /^\/\/([^/]*)(?:\/(.*))?$/s.exec(rest!) ?? [];
  if (scheme === "s3" && BUCKET.test(bucket)) {
    return { kind: "s3", bucket, prefix: prefix.replace(/\/+$/, "") };
  }
  throw new RegrainError("USAGE", `${address} is no address of a repository`, { hint: meantBy(address) });
}

/** What to write for an address that another tool takes. */
function meantBy(address: string): string {
  const [, server, bucket, prefix] = /^s3:(https?:\/\/[^/]+)\/([^/]+)(?:\/(.*))?$/i.exec(address) ?? [];
  const below = (text: string | undefined) => text === undefined || text === "" ? "" : `/${text}`;
  if (server !== undefined) return `--repo s3://${bucket}${below(prefix)} --endpoint ${server}`;
  const [, name, rest] = /^s3:\/*([^/]+)(?:\/(.*))?$/i.exec(address) ?? [];
  if (name !== undefined && BUCKET.test(name) && !address.startsWith("s3://")) {
    return `--repo s3://${name}${below(rest)}`;
  }
  const [, path] = /^file:\/\/(\/.*)$/i.exec(address) ?? [];
  if (path !== undefined) return `--repo ${path}`;
  return "a folder, or s3://bucket/prefix; a folder with a colon in its name begins with ./ or /";
}

/** Opens the store of an address; the S3 client is loaded only for a bucket. */
export async function openStore(
  address: string,
  flags: StoreFlags,
  { foreignKeys = false, warn }: StoreUse = {},
): Promise<ObjectStore> {
  const parsed = parseAddress(address);
  if (parsed.kind === "folder") return new FolderStore(parsed.path, { foreignKeys });
  const { openS3Store } = await import("./s3/store.ts");
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
