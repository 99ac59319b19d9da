/**
 * An object store: what a backup repository lies in. A folder, an S3 bucket, files dropped on a page.
 *
 * What the repository needs of it is little: a finished `put` or `remove` is seen by every later `get`, `head` and
 * `list`, and an object is there whole or not at all. No locks, no clocks, no conditional writes; where a store has
 * these, they only save work.
 *
 * This module is browser compatible.
 */

/** What a listing says of an object. */
export interface ObjectInfo {
  /** Name below the repository's root: parts of `[A-Za-z0-9._-]`, joined by `/`. */
  readonly key: string;
  readonly sizeBytes: number;
  /** When it was written, by the store's own clock, in milliseconds since 1970. */
  readonly modifiedMs: number;
  /** Until when the store lets nobody remove it; only `head` tells it, and only of what is locked. */
  readonly retainUntilMs?: number;
}

/** Objects that can be read. */
export interface ObjectReader {
  /** How messages name the store: a folder, `s3://bucket/prefix`. */
  readonly label: string;
  /**
   * The whole object, or `undefined` when there is none.
   *
   * @param maxBytes Most that is believed; a larger object is an error, not an allocation.
   * @throws {RegrainError} `STORE_FAILED`, `STORE_DENIED`, `LIMIT_EXCEEDED`; never a part of the object.
   */
  get(key: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** What is known of an object without reading it, or `undefined` when there is none. */
  head(key: string): Promise<ObjectInfo | undefined>;
  /** Every object whose key starts with `prefix`, in no promised order. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
}

export interface PutOptions {
  /** Leaves an object alone that is there already. A store that cannot replaces it: its content is the same. */
  readonly ifAbsent?: boolean;
  /** Forbids the store to replace or remove the object before; milliseconds since 1970. */
  readonly retainUntilMs?: number | undefined;
}

/** `exists`: an object of that key was there already, and was left as it is. */
export type PutOutcome = "created" | "exists";

/** Objects that can be read, written and removed. */
export interface ObjectStore extends ObjectReader {
  /**
   * Writes an object; when this returns it is durable.
   *
   * @throws {RegrainError} `STORE_FAILED`, `STORE_DENIED`, `NO_SPACE`. The object is there whole or not at all.
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<PutOutcome>;
  /**
   * Removes objects; that one is gone already is fine.
   *
   * @throws {RegrainError} `STORE_FAILED`, `STORE_DENIED`, naming one that stands.
   */
  remove(keys: readonly string[]): Promise<void>;
  /**
   * Forbids the store to remove objects before; one that is locked for longer stays so. Absent where nothing can be
   * locked.
   *
   * @returns keys of which there is no object.
   * @throws {RegrainError} `STORE_FAILED`, `STORE_DENIED`.
   */
  extendRetention?(keys: readonly string[], untilMs: number): Promise<string[]>;
  /**
   * Removes what processes that ended left half written where no listing shows it; absent where that cannot be.
   *
   * @returns how much was removed.
   */
  tidy?(nowMs: number): Promise<number>;
  close(): void;
}

/** What a store may tell of itself beside its objects. */
export interface StoreFeatures {
  /** Whether a conditional write was refused as unknown, and is no longer tried. */
  refusesConditions(): boolean;
  /** As `list`, with pages of so many keys: continuations show with a few objects. */
  listBy(prefix: string, pageKeys: number): AsyncIterable<ObjectInfo>;
  versioned(): Promise<boolean | undefined>;
  objectLock(): Promise<boolean | undefined>;
  /** Whether a wrong secret is let in as well; `undefined` when it was not tried. */
  takesAnySecret(): Promise<boolean | undefined>;
}

/** A store that may tell more of itself. */
export type TellingStore = ObjectStore & { readonly features?: StoreFeatures };
