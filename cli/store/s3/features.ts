/** What a bucket tells of itself beside its objects: for the probe. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { ObjectInfo, StoreFeatures } from "../../../core-as/host/repo/objects.ts";
import type { Ask } from "./request.ts";
import type { Connected } from "./client.ts";
import { isDenial } from "./failure.ts";

/** What the features need of the store whose they are. */
export interface Featured {
  readonly connected: Connected;
  readonly bucket: string;
  readonly ask: Ask;
  readonly refusesConditions: () => boolean;
  readonly listBy: (prefix: string, pageKeys: number) => AsyncIterable<ObjectInfo>;
}

/** Questions that a server may not understand: asked again for no longer than this. */
const QUESTION_MS = 5_000;

export class S3Features implements StoreFeatures {
  constructor(private readonly store: Featured) {}

  refusesConditions(): boolean {
    return this.store.refusesConditions();
  }

  listBy(prefix: string, pageKeys: number): AsyncIterable<ObjectInfo> {
    return this.store.listBy(prefix, pageKeys);
  }

  /** Whether what is replaced or removed is kept as an older version; `undefined` when the server does not say. */
  versioned(): Promise<boolean | undefined> {
    const { bucket, connected: { sdk, client } } = this.store;
    return this.unlessRefused(async (signal) => {
      const command = new sdk.GetBucketVersioningCommand({ Bucket: bucket });
      return (await client.send(command, { abortSignal: signal })).Status === "Enabled";
    });
  }

  /** Whether objects can be locked until a date; `undefined` when the server does not say. */
  objectLock(): Promise<boolean | undefined> {
    const { bucket, connected: { sdk, client } } = this.store;
    return this.unlessRefused(async (signal) => {
      const command = new sdk.GetObjectLockConfigurationCommand({ Bucket: bucket });
      try {
        const { ObjectLockConfiguration } = await client.send(command, { abortSignal: signal });
        return ObjectLockConfiguration?.ObjectLockEnabled === "Enabled";
      } catch (error) {
        if (error instanceof Error && error.name === "ObjectLockConfigurationNotFoundError") return false;
        throw error;
      }
    });
  }

  /** Asks for a listing with the right name and a wrong secret. AWS's own servers are not asked: they look. */
  async takesAnySecret(): Promise<boolean | undefined> {
    const { bucket, connected } = this.store;
    const { sdk } = connected;
    const forger = await connected.forge?.();
    if (forger === undefined) return undefined;
    try {
      return await this.unlessRefused(async (signal) => {
        try {
          await forger.send(new sdk.ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }), {
            abortSignal: signal,
          });
          return true;
        } catch (error) {
          if (isDenial(error)) return false;
          throw error;
        }
      });
    } finally {
      forger.destroy();
    }
  }

  /** Credentials for objects alone may not ask this, and small servers do not know it: neither is an error. */
  private async unlessRefused<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.store.ask({ key: "", operation: "ask", forMs: QUESTION_MS }, attempt);
    } catch (error) {
      if (!(error instanceof RegrainError)) throw error;
      const { $metadata } = (error.cause ?? {}) as { $metadata?: { httpStatusCode?: number } };
      if ($metadata?.httpStatusCode !== undefined) return undefined;
      throw error;
    }
  }
}
