/** What a backup will read: which chunks are looked at, and where their content comes from. */
import type { ChangeMethod, Snapshot } from "../../../core-as/host/repo/mod.ts";
import type { ChunkSet } from "../../../core-as/host/chunk_set.ts";

/** What a backup is about to read, and what it builds on. */
export interface PlannedBackup {
  readonly name: string;
  readonly plan: BackupPlan;
  readonly parent: Snapshot | undefined;
  readonly chunkBytes: number;
}

/** What a backup knows of its source, once it knows the snapshot before it. */
export interface BackupPlan {
  /** `undefined` for a stream, whose end tells. */
  readonly sizeBytes: number | undefined;
  readonly method: ChangeMethod;
  /** Why it is not the method that was asked for. */
  readonly reason: string | undefined;
  /** CID of the disk as it is backed up, where a descriptor tells it. */
  readonly cid: string | undefined;
  /**
   * Chunks whose content is looked at; every other one is as the parent has it. `all`: the parent is not relied on.
   */
  readonly touched: ChunkSet | "all";
  /** False for a stream, which is there once. */
  readonly rereadable: boolean;
  /** Reads that the source wants under way at once; absent: 1. */
  readonly inFlight?: number;
  /** Of a stream: whether there is no chunk any more. */
  atEnd?(): Promise<boolean>;
  /**
   * Reads the first `plain.length` bytes of a chunk. Called in ascending order; each of the `inFlight` calls under
   * way has a buffer of its own.
   *
   * @returns the bytes that were read: all but at the end of a stream; 0 when they are known to be zeros, and the
   * buffer is left alone then.
   */
  read(chunk: number, plain: Uint8Array<ArrayBuffer>): Promise<number>;
}
