/**
 * Source and Target: the two edges that every command works between.
 *
 * A source has a size and can be read; a target can also write, zero and flush. Raw file, block device, VMDK
 * chain: each is one or both, and no command knows which it has. Transfers travel in batches, so that a medium
 * with latency can have many in flight, and one without costs nothing per piece.
 *
 * This module is browser compatible.
 */

import { MIB } from "./units.ts";

/** What an implementation may answer at once or later. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * What stands in a stretch of a disk. `data`: bytes to read. `zero`: known zeros, which mask the parent.
 * `hole`: nothing here, look at the parent. `damaged`: what the file says of it cannot be, so nobody knows what was
 * here; it masks the parent like data.
 */
export type RunKind = "data" | "zero" | "hole" | "damaged";

/** A stretch of equal kind; `start` and `length` in bytes. A run list is sorted and gap-free. */
export interface Run {
  readonly start: number;
  readonly length: number;
  readonly kind: RunKind;
}

/** A list of transfers between one medium and one buffer, filled and reused without allocating. */
export class Batch {
  /** Transfers in the list. */
  count = 0;
  /** Sum of the lengths, in bytes. */
  totalBytes = 0;
  /** Byte offset in the medium, per transfer. */
  readonly offsetBytes: number[] = [];
  /** Length in bytes, per transfer. */
  readonly lengthBytes: number[] = [];
  /** Byte offset in the buffer, per transfer. */
  readonly at: number[] = [];

  clear(): void {
    this.count = 0;
    this.totalBytes = 0;
  }

  /** Adds a transfer; one that continues the last on both sides becomes part of it. */
  add(transfer: { offsetBytes: number; lengthBytes: number; at: number }): void {
    const last = this.count - 1;
    this.totalBytes += transfer.lengthBytes;
    if (
      last >= 0 && this.offsetBytes[last]! + this.lengthBytes[last]! === transfer.offsetBytes &&
      this.at[last]! + this.lengthBytes[last]! === transfer.at
    ) {
      this.lengthBytes[last]! += transfer.lengthBytes;
      return;
    }
    this.offsetBytes[this.count] = transfer.offsetBytes;
    this.lengthBytes[this.count] = transfer.lengthBytes;
    this.at[this.count] = transfer.at;
    this.count++;
  }
}

/**
 * Most bytes that one call of a target moves or zeroes. Such a call may be synchronous, and only between two calls
 * can the work be stopped or its progress be shown.
 */
export const MOST_BYTES_A_CALL = 64 * MIB;

/** A part of a medium, in bytes. */
export interface Stretch {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Cuts a stretch into pieces, in order, that one call may take. */
export function* cutStretch(stretch: Stretch, mostBytes: number = MOST_BYTES_A_CALL): Generator<Stretch> {
  const endBytes = stretch.offsetBytes + stretch.lengthBytes;
  for (let at = stretch.offsetBytes; at < endBytes; at += mostBytes) {
    yield { offsetBytes: at, lengthBytes: Math.min(mostBytes, endBytes - at) };
  }
}

/**
 * What a medium asks of its callers. A medium that says nothing takes one call after the other, of
 * {@link PREFERRED_BYTES}.
 */
export interface Medium {
  /** Bytes of a call that suit it best. Callers come near it where they are free to choose. */
  readonly preferredBytes: number;
  /**
   * Calls that it wants under way at once, at least 1. Callers never have more; those under way together touch
   * different bytes, have buffers of their own, and may end in any order.
   */
  readonly inFlight: number;
}

/** What a medium that is written to can do besides. */
export interface TargetMedium extends Medium {
  /** Bytes to which `zero` must be aligned to give space back; shorter pieces are written as zeros. */
  readonly granularityBytes: number;
  /**
   * True where a hole costs less than the zeros that it stands for, as far as is known before one is made: then data
   * that is zeros becomes holes without being asked for.
   */
  readonly holesAreFree: boolean;
}

/** What suits local files: what is read is still in the processor's own cache when it is written. */
export const PREFERRED_BYTES = MIB;

/** A medium that takes one call after the other. */
export const ONE_AT_A_TIME: Medium = { preferredBytes: PREFERRED_BYTES, inFlight: 1 };

/** What many media together ask for: all that is under way may fall into one of them. */
export function mediumOf(media: readonly { readonly medium?: Medium }[]): Medium {
  const each = media.map(({ medium }) => medium ?? ONE_AT_A_TIME);
  if (each.length === 0) return ONE_AT_A_TIME;
  return {
    preferredBytes: Math.max(...each.map(({ preferredBytes }) => preferredBytes)),
    inFlight: Math.min(...each.map(({ inFlight }) => inFlight)),
  };
}

/** The same of targets: what gives space back in one must do so in all. */
export function targetMediumOf(media: readonly { readonly medium: TargetMedium }[]): TargetMedium {
  return {
    ...mediumOf(media),
    granularityBytes: Math.max(...media.map(({ medium }) => medium.granularityBytes)),
    holesAreFree: media.some(({ medium }) => medium.holesAreFree),
  };
}

/**
 * Most bytes that one reader or writer holds in buffers that are under way, whatever the medium asks for: so memory
 * does not depend on what a medium says.
 */
export const MOST_BYTES_IN_FLIGHT = 64 * MIB;

/** How many buffers of a size may be under way at a medium. */
export function buffersInFlight(medium: Medium, bufferBytes: number): number {
  return Math.max(1, Math.min(medium.inFlight, Math.floor(MOST_BYTES_IN_FLIGHT / bufferBytes)));
}

/** Something that can be read at any offset. */
export interface Source {
  /** How messages name it: a path, mostly. */
  readonly path: string;
  /** Size in bytes. */
  readonly sizeBytes: number;
  /**
   * True of what is a disk for certain, and not a file that may hold one: its first bytes are the guest's, and say
   * nothing of what it is.
   */
  readonly isDisk?: boolean;
  /** True of a block device: a disk too, unless the user says that a VMDK was copied onto it. */
  readonly isDevice?: boolean;
  /** What it asks of those who read and write it; absent: {@link ONE_AT_A_TIME}. */
  readonly medium?: Medium;
  /**
   * Reads every transfer of `batch` into `buffer`, whole.
   *
   * @throws {RegrainError} `READ_FAILED` when the medium refuses, `READ_SHORT` when it ends before a transfer does.
   */
  read(batch: Batch, buffer: Uint8Array): MaybePromise<void>;
  /**
   * Where the medium itself knows its holes: the runs that cover `[fromBytes, toBytes)`, sorted and gap-free.
   * Absent: everything is data.
   */
  runs?(fromBytes: number, toBytes: number): MaybePromise<Run[]>;
  /**
   * How the medium was changed since it was opened, in words; `undefined` where it was not. Absent where nobody can
   * tell.
   */
  changed?(): string | undefined;
  /**
   * Why another program may be writing to the medium, in words; `undefined` where nothing speaks for it. Absent where
   * nobody can tell.
   */
  inUse?(): string | undefined;
  /**
   * Drops what the system holds of it in memory, so that the next reads come from the medium. To be called after
   * `flush` of a target: what is not durable yet stays. Absent where there is no way.
   *
   * @returns why the next reads may come from memory all the same, if they may.
   */
  dropCache?(): string | undefined;
  close(): void;
}

/** A source that can be written in place. */
export interface Target extends Source {
  readonly medium: TargetMedium;
  /** What it is made of, or stands around. These know what is not said here. */
  readonly targets?: readonly Target[];
  /**
   * Writes every transfer of `batch` from `buffer`, whole.
   *
   * @throws {RegrainError} `WRITE_FAILED`, `NO_SPACE`.
   */
  write(batch: Batch, buffer: Uint8Array): MaybePromise<void>;
  /**
   * Makes a stretch read as zeros. `punch` gives its space back where the medium can (files: a hole; devices:
   * unmapped where that is sure to read as zeros); otherwise zeros are written. Callers pass at most
   * {@link MOST_BYTES_A_CALL}: see {@link cutStretch}.
   */
  zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): MaybePromise<void>;
  /**
   * Bytes that calls of `zero` have sent to the medium so far, because it could not be told to make zeros by itself.
   * Absent where that is not known.
   */
  readonly zerosWrittenBytes?: number | undefined;
  /**
   * What it cannot do the good way, and does another way: one sentence each, in the order it was met. Grows while it
   * is used. Absent where it is made of others.
   */
  readonly fallbacks?: readonly string[];
  /**
   * Why the disk that was written is not what its name leads to now: another file was put in its place, it is gone, or
   * it was cut. `undefined` where all is as it was; absent where nobody can tell.
   */
  displaced?(): string | undefined;
  /** Returns when everything is durable that was written before; not what is under way. */
  flush(): MaybePromise<void>;
}

/** Reads one stretch whole. */
export async function readBytes(
  source: Source,
  offsetBytes: number,
  lengthBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(lengthBytes);
  const batch = new Batch();
  batch.add({ offsetBytes, lengthBytes, at: 0 });
  await source.read(batch, buffer);
  return buffer;
}
