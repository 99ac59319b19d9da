/** A request to an S3 store, as those who make one describe it. */

/** What one request needs beside its arguments. */
export interface Asking {
  readonly key: string;
  readonly operation: string;
  /** Longer than the usual patience, for requests that carry much. */
  readonly patienceMs?: number;
  /** Tried again for no longer than this, where that is less than usual. */
  readonly forMs?: number;
}

/** Makes a request: with a place among the others, watched, and tried again while that may help. */
export type Ask = <T>(asking: Asking, attempt: (signal: AbortSignal) => Promise<T>) => Promise<T>;
