/**
 * An S3 bucket as an object store.
 *
 * What a server answers is believed only as far as it can be checked: a body counts when it has the length that its
 * head names, an absent object when the bucket is known to be there, a page of a listing when it says where the next
 * one begins. Every request is tried again while that may help, and each new attempt is reported.
 */
import type { PutObjectCommandInput } from "@aws-sdk/client-s3";
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { ObjectInfo, ObjectStore, PutOptions, PutOutcome } from "../../../core-as/host/repo/objects.ts";
import { toHex } from "../../../core-as/host/repo/names.ts";
import { checkKey, keyRule } from "../keys.ts";
import { DEFAULT_RETRY, persist, type Retry, type RetryPolicy } from "../retry.ts";
import { type Body, readBody } from "./body.ts";
import { connect, type Connected, MAX_CONNECTIONS, presetContentHash, type S3Location } from "./client.ts";
import { endpointOf, endpointPathHint } from "./endpoint.ts";
import {
  codeOf,
  type Failure,
  isAbsence,
  isConditionUnmet,
  isDenial,
  isUnable,
  isUnreachable,
  isWordless,
  judge,
} from "./failure.ts";
import type { Asking } from "./request.ts";
import { S3Features } from "./features.ts";
import { watched } from "./patience.ts";
import { removeKeys } from "./remove.ts";
import { extendKeys } from "./retention.ts";
import { Gate } from "../../lanes/gate.ts";

export type { Retry } from "../retry.ts";

export interface S3Options extends S3Location {
  /**
   * How objects with a date are locked: `compliance` lets nobody remove them before, `governance` those who hold
   * `s3:BypassGovernanceRetention`. The first is the default: a lock that an administrator's stolen key opens is
   * none.
   */
  readonly lockMode?: "compliance" | "governance" | undefined;
  /** Reads what another program put there, under keys of its own making. */
  readonly foreignKeys?: boolean | undefined;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
  /** Called when the store is closed: nothing is asked of it any more. */
  readonly onClose?: (() => void) | undefined;
  /** For tests: pauses and patience. */
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** A connection on which nothing has moved for this long is given up, in milliseconds. */
  readonly idleMs?: number | undefined;
}

const DEFAULT_IDLE_MS = 60_000;
/** An upload gets this much more time per byte: 16 KiB/s, as slow as a line shared by all requests may be. */
const UPLOAD_MS_PER_BYTE = 1000 / (16 * 1024);
/** S3's limit for one object is 5 TiB, and others have more. */
const MAX_OBJECT_BYTES = 2 ** 50;
const PAGE_KEYS = 1000;
/** A hundred million objects: more than 100 TiB in the smallest chunks. A listing beyond has no end. */
const MAX_PAGES = 100_000;
/** Pages in a row without an object of ours: a bucket that is shared has other keys below other prefixes. */
const MAX_EMPTY_PAGES = 1000;
/** A server that cannot go on with a listing says so by errors that look as if they would pass. */
const PROBE_MS = 5_000;

interface Paging {
  readonly pageKeys: number;
  readonly forMs?: number;
}

/** Opens a bucket. Nothing is asked of the server yet. */
export async function openS3Store(options: S3Options): Promise<S3Store> {
  return new S3Store(await connect(options), options);
}

interface Upload {
  readonly input: Omit<PutObjectCommandInput, "Body"> & { Body: Uint8Array };
  /** SHA-256 of the body. */
  readonly hex: string;
}

export class S3Store implements ObjectStore {
  readonly label: string;
  /** What the bucket does beyond keeping objects. */
  readonly features: S3Features;
  private readonly root: string;
  private readonly isKey: (text: string) => boolean;
  private readonly gate = new Gate(MAX_CONNECTIONS);
  private readonly policy: RetryPolicy;
  private readonly idleMs: number;
  private conditional = true;
  private batches = true;
  private bucketSeen = false;
  /** Whether the store answered, and was not waited for in vain since. */
  private wasReached = false;

  constructor(private readonly connected: Connected, private readonly options: S3Options) {
    this.isKey = keyRule(options.foreignKeys);
    const prefix = options.prefix.replace(/^\/+|\/+$/g, "");
    this.root = prefix === "" ? "" : `${prefix}/`;
    this.label = `s3://${options.bucket}${prefix === "" ? "" : `/${prefix}`}`;
    this.policy = { ...DEFAULT_RETRY, ...options.retry, onRetry: options.onRetry };
    this.idleMs = options.idleMs ?? DEFAULT_IDLE_MS;
    this.features = new S3Features({
      connected,
      bucket: options.bucket,
      ask: (asking, attempt) => this.ask(asking, attempt),
      refusesConditions: () => !this.conditional,
      listBy: (prefix, pageKeys) => this.pages(prefix, { pageKeys, forMs: PROBE_MS }),
    });
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<PutOutcome> {
    checkKey(key);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
    const input = {
      ...this.addressOf(key),
      Body: bytes,
      ChecksumSHA256: hash.toBase64(),
      ...this.lockOf(options),
    };
    const hex = toHex(hash);
    if (!options.ifAbsent) return await this.putOnce(key, { input, hex });
    if (!this.conditional) return await this.putUnlessSeen(key, { input, hex });
    try {
      return await this.putOnce(key, { input: { ...input, IfNoneMatch: "*" }, hex });
    } catch (error) {
      const cause = error instanceof RegrainError ? error.cause : error;
      if (isConditionUnmet(cause)) return "exists";
      if (!isUnable(cause)) throw error;
      this.conditional = false;
      return await this.putUnlessSeen(key, { input, hex });
    }
  }

  async get(key: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    checkKey(key, this.isKey);
    return await this.askForObject({ key, operation: "get" }, async (signal, progress) => {
      const command = new this.connected.sdk.GetObjectCommand(this.addressOf(key));
      const { Body, ContentLength } = await this.connected.client.send(command, { abortSignal: signal });
      const path = this.pathOf(key);
      return await readBody(Body as Body | undefined, {
        sizeBytes: ContentLength,
        maxBytes,
        path,
        progress,
        signal,
        forMs: this.idleMs + (ContentLength ?? 0) * UPLOAD_MS_PER_BYTE,
      });
    });
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    checkKey(key, this.isKey);
    return await this.askForObject({ key, operation: "head" }, async (signal) => {
      try {
        return await this.headOnce(key, signal);
      } catch (error) {
        if (!isWordless(error)) throw error;
        await this.peek(key, signal);
        return await this.headOnce(key, signal);
      }
    });
  }

  list(prefix: string): AsyncGenerator<ObjectInfo> {
    return this.pages(prefix, { pageKeys: PAGE_KEYS });
  }

  private async *pages(prefix: string, paging: Paging): AsyncGenerator<ObjectInfo> {
    let empty = 0;
    for (let token: string | undefined, isLast = false, pages = 0; !isLast; pages++) {
      if (pages >= MAX_PAGES || empty >= MAX_EMPTY_PAGES) throw this.endless(prefix, pages);
      const page = await this.listPage(prefix, { token, ...paging });
      empty++;
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        const key = Key?.startsWith(this.root) ? Key.slice(this.root.length) : "";
        // Markers of folders, and what others put there, are no objects of ours.
        if (!this.isKey(key) || !key.startsWith(prefix)) continue;
        empty = 0;
        yield { key, ...this.believed(key, Size, LastModified) };
      }
      isLast = page.IsTruncated !== true;
      const next = page.NextContinuationToken;
      if (!isLast && (next === undefined || next === token)) {
        throw new RegrainError("STORE_FAILED", "a listing says that more follows, and not where", {
          path: this.pathOf(prefix),
        });
      }
      token = next;
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    keys.forEach((key) => checkKey(key));
    await removeKeys(keys, {
      connected: this.connected,
      bucket: this.options.bucket,
      root: this.root,
      pathOf: (key) => this.pathOf(key),
      ask: (asking, attempt) => this.ask(asking, attempt),
      batches: this.batches,
      onNoBatches: () => this.batches = false,
    });
  }

  async extendRetention(keys: readonly string[], untilMs: number): Promise<string[]> {
    keys.forEach((key) => checkKey(key));
    return await extendKeys(keys, {
      head: (key) => this.head(key),
      send: (key) =>
        this.ask({ key, operation: "lock" }, (signal) =>
          this.connected.client.send(
            new this.connected.sdk.PutObjectRetentionCommand({
              ...this.addressOf(key),
              Retention: { Mode: this.lockMode, RetainUntilDate: new Date(untilMs) },
            }),
            { abortSignal: signal },
          )),
      untilMs,
    });
  }

  close(): void {
    this.connected.client.destroy();
    this.options.onClose?.();
  }

  private async headOnce(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    const command = new this.connected.sdk.HeadObjectCommand(this.addressOf(key));
    const { ContentLength, LastModified, ObjectLockRetainUntilDate } = await this.connected.client.send(
      command,
      { abortSignal: signal },
    );
    const locked = ObjectLockRetainUntilDate === undefined
      ? {}
      : { retainUntilMs: ObjectLockRetainUntilDate.getTime() };
    return { key, ...this.believed(key, ContentLength, LastModified), ...locked };
  }

  /** @throws {RegrainError} `STORE_FAILED` for what no object has. */
  private believed(
    key: string,
    sizeBytes = 0,
    modified: Date | undefined,
  ): Pick<ObjectInfo, "sizeBytes" | "modifiedMs"> {
    const modifiedMs = modified?.getTime() ?? 0;
    if (Number.isSafeInteger(modifiedMs) && sizeBytes >= 0 && sizeBytes <= MAX_OBJECT_BYTES) {
      return { sizeBytes, modifiedMs };
    }
    throw new RegrainError("STORE_FAILED", "the store names a size or a time that no object has", {
      path: this.pathOf(key),
    });
  }

  private endless(prefix: string, pages: number): RegrainError {
    return new RegrainError("LIMIT_EXCEEDED", `a listing has no end, after ${pages} pages`, {
      path: this.pathOf(prefix),
      hint: "the store does not answer as S3 does: use another one",
    });
  }

  /** Asks so that a refusal comes with its reason: the answer to a HEAD has no room for one. */
  private async peek(key: string, signal: AbortSignal): Promise<void> {
    const command = new this.connected.sdk.GetObjectCommand({ ...this.addressOf(key), Range: "bytes=0-0" });
    const { Body } = await this.connected.client.send(command, { abortSignal: signal });
    (Body as Body | undefined)?.destroy?.();
  }

  private listPage(
    prefix: string,
    { token, pageKeys, forMs = this.policy.forMs }: Paging & { token: string | undefined },
  ) {
    return this.ask({ key: prefix, operation: "list", forMs }, (signal) =>
      this.connected.client.send(
        new this.connected.sdk.ListObjectsV2Command({
          Bucket: this.options.bucket,
          Prefix: this.root + prefix,
          MaxKeys: pageKeys,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
        { abortSignal: signal },
      ));
  }

  private async putOnce(
    key: string,
    { input, hex }: Upload,
  ): Promise<PutOutcome> {
    const patienceMs = this.idleMs + input.Body.length * UPLOAD_MS_PER_BYTE;
    await this.ask({ key, operation: "put", patienceMs }, (signal) => {
      const command = new this.connected.sdk.PutObjectCommand(input);
      presetContentHash(command, hex);
      return this.connected.client.send(command, { abortSignal: signal });
    });
    return "created";
  }

  /** For servers without conditional writes: what is there is left alone, but for a race. */
  private async putUnlessSeen(
    key: string,
    content: Upload,
  ): Promise<PutOutcome> {
    return await this.head(key) === undefined ? await this.putOnce(key, content) : "exists";
  }

  private lockOf(
    { retainUntilMs }: PutOptions,
  ): Pick<PutObjectCommandInput, "ObjectLockMode" | "ObjectLockRetainUntilDate"> {
    if (retainUntilMs === undefined) return {};
    return {
      ObjectLockMode: this.lockMode,
      ObjectLockRetainUntilDate: new Date(retainUntilMs),
    };
  }

  private get lockMode(): "GOVERNANCE" | "COMPLIANCE" {
    return this.options.lockMode === "governance" ? "GOVERNANCE" : "COMPLIANCE";
  }

  /** A request for one object; `undefined` when the store says, and can be believed, that there is none. */
  private async askForObject<T>(
    asking: Asking,
    attempt: (signal: AbortSignal, progress: () => void) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await this.ask(asking, attempt);
    } catch (error) {
      if (!(error instanceof RegrainError) || !isAbsence(error.cause)) throw error;
      await this.seeBucket();
      return undefined;
    }
  }

  /** There are servers that answer for objects of buckets that are not there. */
  private async seeBucket(): Promise<void> {
    if (this.bucketSeen) return;
    const { bucket } = this.options;
    await this.ask({ key: "", operation: "head" }, async (signal) => {
      try {
        await this.connected.client.send(new this.connected.sdk.HeadBucketCommand({ Bucket: bucket }), {
          abortSignal: signal,
        });
      } catch (error) {
        // Credentials for objects alone may not ask this.
        if (isDenial(error)) return;
        if (codeOf(error) !== "NotFound" && codeOf(error) !== "NoSuchBucket") throw error;
        throw Object.assign(new Error("no bucket"), { name: "NoSuchBucket" });
      }
    });
  }

  /** One request with a place among the others, watched for standing still, and tried again while that may help. */
  private async ask<T>(
    { key, operation, patienceMs = this.idleMs, forMs = Infinity }: Asking,
    attempt: (signal: AbortSignal, progress: () => void) => Promise<T>,
  ): Promise<T> {
    const { bucket } = this.options;
    try {
      return await persist(key, {
        policy: { ...this.policy, forMs: Math.min(forMs, this.policy.forMs) },
        judge: (thrown): Failure =>
          judge(thrown, {
            bucket,
            path: this.pathOf(key),
            operation,
            wasReached: this.wasReached,
            endpointHint: endpointPathHint(endpointOf(this.options), bucket),
          }),
        attempt: () =>
          this.gate.run(async () => {
            await this.connected.signIn();
            const made = await watched(patienceMs, attempt);
            this.bucketSeen = this.wasReached = true;
            return made;
          }),
      });
    } catch (error) {
      // Waited for once; what is asked after it, such as that the backup failed, need not wait as long again.
      if (error instanceof RegrainError && isUnreachable(error.cause)) this.wasReached = false;
      throw error;
    }
  }

  private addressOf(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.options.bucket, Key: this.root + key };
  }

  private pathOf(key: string): string {
    return key === "" ? this.label : `${this.label}/${key}`;
  }
}
