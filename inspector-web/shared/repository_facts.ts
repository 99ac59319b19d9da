/** What is told of a repository: its snapshots, and how two of them differ. */
import type { ByteRange } from "./disk_facts.ts";

export interface RepositoryFacts {
  readonly label: string;
  readonly id: string;
  readonly chunkBytes: number;
  /** Newest first. */
  readonly snapshots: readonly SnapshotFacts[];
}

/** A snapshot in the list; one whose manifest cannot be read has `damage` and little else. */
export interface SnapshotFacts {
  readonly id: string;
  /** `VM/DISK`; of a damaged one as far as its place in the repository tells. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly damage: string | undefined;
  readonly sizeBytes: number;
  readonly chunks: number;
  readonly newChunks: number;
  readonly storedBytes: number;
  readonly method: string;
  readonly host: string;
  readonly tags: readonly string[];
  /** The one it is compared with unless another is chosen: what it was made against, else the one before. */
  readonly against: string | undefined;
}

/** How a place of a snapshot compares with the same place of another one. */
export const UNCHANGED = 0;
export const NEW_DATA = 1;
export const NEW_ZEROS = 2;

/** A stretch of whole chunks that differs. */
export interface ChangedRun extends ByteRange {
  readonly kind: "data" | "zero";
}

/** What differs between the snapshot that is open and another one. */
export interface Difference {
  /** Absent: there is none to compare with, and all is new. */
  readonly against: string | undefined;
  readonly dataBytes: number;
  readonly zeroBytes: number;
  readonly runCount: number;
  /** The first ones. */
  readonly runs: readonly ChangedRun[];
  /** Pages of the map that had to be read, of all. */
  readonly pagesRead: number;
  readonly pages: number;
}
