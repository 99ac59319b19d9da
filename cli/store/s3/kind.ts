/** Buckets, as the registry of stores has them. The client of S3 is loaded when one is opened. */
import { RetryTeller } from "../retry_teller.ts";
import type { NamedStore, StoreKind } from "../kind.ts";
import { endpointOf, exposedHost } from "./endpoint.ts";
import { S3_FLAGS } from "./flags.ts";

/** Names of buckets as S3 takes them, and Ceph: long ones, with capitals and underscores, and a tenant before. */
const BUCKET = /^(?:[A-Za-z0-9_]+:)?[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9_]$/;

/** True for what a bucket may be called. */
export function isBucketName(name: string): boolean {
  return BUCKET.test(name);
}

/** A bucket and the prefix in it. */
export interface BucketAddress {
  readonly bucket: string;
  readonly prefix: string;
}

/** Reads `s3://bucket/prefix`; `undefined` when it is not written so. */
export function parseBucket(address: string): BucketAddress | undefined {
  const [, bucket = "", prefix = ""] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(address) ?? [];
  return isBucketName(bucket) && !bucket.endsWith(".amazonaws.com")
    ? { bucket, prefix: prefix.replace(/\/+$/, "") }
    : undefined;
}

export const S3: StoreKind = {
  scheme: "s3",
  form: "s3://bucket/prefix",
  flags: S3_FLAGS,
  find(address) {
    const location = parseBucket(address);
    return location === undefined ? undefined : namedBucket(location);
  },
};

function namedBucket({ bucket, prefix }: BucketAddress): NamedStore {
  return {
    async open({ endpoint, region, profile, pathStyle, caFile }, { foreignKeys, warn }) {
      const { openS3Store } = await import("./store.ts");
      const options = { bucket, prefix, endpoint, region, profile, pathStyle, caFile, foreignKeys };
      if (warn === undefined) return await openS3Store(options);
      const teller = new RetryTeller(warn);
      return await openS3Store({
        ...options,
        onRetry: (retry) => teller.tell(retry),
        onClose: () => teller.sumUp(),
      });
    },
    identity(flags) {
      const path = prefix.replace(/^\/+/, "");
      const label = `s3://${bucket}${path === "" ? "" : `/${path}`}`;
      return Promise.resolve(`${endpointOf(flags) ?? ""} ${label}`);
    },
    exposedHost: (flags) => exposedHost(flags),
  };
}
