/**
 * What an entry of an L2 table says of its cluster.
 *
 * Source: "qcow2 specification", "Cluster mapping". An entry is a big-endian u64; an extended one has a second with a
 * bit for each of 32 subclusters, first whether it reads as zeros, then whether it is allocated.
 *
 * This module is browser compatible.
 */
import { SECTOR_SIZE } from "../../units.ts";

const COPIED = 0x80000000;
const COMPRESSED = 0x40000000;
/** Bits 56 to 61. */
const RESERVED_HIGH = 0x3f000000;
/** Bits 1 to 8. */
const RESERVED_LOW = 0x1fe;
const WORD = 2 ** 32;
export const SUBCLUSTERS = 32;

/** What entries are judged by. */
export interface EntryRules {
  readonly clusterBytes: number;
  readonly fileBytes: number;
  readonly isExtended: boolean;
  /** Version 2 has no zero clusters. */
  readonly hasZeros: boolean;
  /** Parts of the file that no data may be in, in bytes. */
  readonly metadata: readonly { readonly offsetBytes: number; readonly lengthBytes: number }[];
}

export type Entry =
  | { readonly is: "hole" | "zero" }
  | { readonly is: "data"; readonly offsetBytes: number }
  /** Only the subclusters of the first mask are there; those of the second read as zeros. */
  | { readonly is: "parts"; readonly offsetBytes: number; readonly allocated: number; readonly zeros: number }
  | { readonly is: "packed"; readonly offsetBytes: number; readonly lengthBytes: number }
  | { readonly is: "bad"; readonly kind: string; readonly message: string; readonly untilByte?: number };

export const HOLE: Entry = { is: "hole" };
const ZERO: Entry = { is: "zero" };

/**
 * Reads an entry.
 *
 * @param neededBytes Of the cluster, those that are on the disk.
 */
export function readEntry(view: DataView, at: number, rules: EntryRules, neededBytes: number): Entry {
  const high = view.getUint32(at);
  const low = view.getUint32(at + 4);
  const [zeros, allocated] = rules.isExtended ? [view.getUint32(at + 8), view.getUint32(at + 12)] : [0, 0];
  if (high === 0 && low === 0 && zeros === 0 && allocated === 0) return HOLE;
  if ((high & COMPRESSED) !== 0) return packedEntry({ high, low, subclusters: zeros + allocated }, rules);
  const mayBeZero = rules.hasZeros && !rules.isExtended;
  if ((high & RESERVED_HIGH) !== 0 || (low & (mayBeZero ? RESERVED_LOW : RESERVED_LOW | 1)) !== 0) {
    return bad("entry-reserved", `the entry 0x${hex(high)}${hex(low)} has bits set that must be zero`);
  }
  const offsetBytes = (high & 0xffffff) * WORD + (low - low % SECTOR_SIZE);
  if (offsetBytes % rules.clusterBytes !== 0) {
    return bad("entry-reserved", `the entry names byte ${offsetBytes}, which is not the start of a cluster`);
  }
  if (rules.isExtended) return partsOf({ offsetBytes, zeros, allocated }, rules, neededBytes);
  if ((low & 1) !== 0) return ZERO;
  if (offsetBytes === 0) return bad("entry-reserved", "the entry is marked as in use and names no cluster");
  return placeFault(offsetBytes, neededBytes, rules) ?? { is: "data", offsetBytes };
}

function packedEntry(
  { high, low, subclusters }: { high: number; low: number; subclusters: number },
  { clusterBytes, fileBytes }: EntryRules,
): Entry {
  if ((high & COPIED) !== 0 || subclusters !== 0) {
    return bad("entry-reserved", "the entry of a compressed cluster has bits set that must be zero");
  }
  // The lower bits are the offset, those above them the count of sectors after the one that it is in.
  const highOffsetBits = 70 - Math.log2(clusterBytes) - 32;
  const offsetBytes = (high & (2 ** highOffsetBits - 1)) * WORD + low;
  const sectors = ((high & (COMPRESSED - 1)) >>> highOffsetBits) + 1;
  if (offsetBytes >= fileBytes) return pastEnd("a compressed cluster", offsetBytes, 1, fileBytes);
  if (offsetBytes < clusterBytes) {
    return bad("entry-in-metadata", "a compressed cluster is said to be in the header");
  }
  const lengthBytes = sectors * SECTOR_SIZE - offsetBytes % SECTOR_SIZE;
  return { is: "packed", offsetBytes, lengthBytes: Math.min(lengthBytes, fileBytes - offsetBytes) };
}

function partsOf(
  { offsetBytes, zeros, allocated }: { offsetBytes: number; zeros: number; allocated: number },
  rules: EntryRules,
  neededBytes: number,
): Entry {
  if ((zeros & allocated) !== 0) return bad("entry-reserved", "a subcluster is allocated and reads as zeros");
  if (allocated === 0) return { is: "parts", offsetBytes, allocated, zeros };
  if (offsetBytes === 0) return bad("entry-reserved", "subclusters are allocated in no cluster");
  const last = SUBCLUSTERS - Math.clz32(allocated);
  const needed = Math.min(neededBytes, last * rules.clusterBytes / SUBCLUSTERS);
  return placeFault(offsetBytes, needed, rules) ?? { is: "parts", offsetBytes, allocated, zeros };
}

function placeFault(offsetBytes: number, neededBytes: number, rules: EntryRules): Entry | undefined {
  const { fileBytes, metadata, clusterBytes } = rules;
  if (offsetBytes + neededBytes > fileBytes) return pastEnd("a cluster", offsetBytes, neededBytes, fileBytes);
  const hit = metadata.find((part) =>
    offsetBytes < part.offsetBytes + part.lengthBytes && part.offsetBytes < offsetBytes + clusterBytes
  );
  return hit &&
    bad("entry-in-metadata", `the entry names byte ${offsetBytes}, which is in the image's own tables`);
}

function pastEnd(what: string, offsetBytes: number, lengthBytes: number, fileBytes: number): Entry {
  const untilByte = offsetBytes + lengthBytes;
  const message = `${what} at byte ${offsetBytes} reaches past the end of the file at byte ${fileBytes}`;
  return { is: "bad", kind: "entry-past-end", message, untilByte };
}

function bad(kind: string, message: string): Entry {
  return { is: "bad", kind, message };
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
