/**
 * A second reader of qcow2, made to be plain: cluster by cluster, in BigInt, from the specification. It refuses
 * whatever the specification forbids, and knows nothing of speed.
 */
import { inflateRawSync, zstdDecompressSync } from "node:zlib";

/** What a broken image gives. */
export class Broken extends Error {}

function requireThat(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what);
}

/** Reads an image over what is below it. */
export function readReferenceQcow2(bytes: Uint8Array, below: Uint8Array = new Uint8Array(0)): Uint8Array {
  requireThat(bytes.length >= 72, "short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u64 = (at: number): bigint => {
    requireThat(at + 8 <= bytes.length, "past the end");
    return view.getBigUint64(at);
  };
  const version = view.getUint32(4);
  requireThat(view.getUint32(0) === 0x514649fb && (version === 2 || version === 3), "magic or version");
  const bits = view.getUint32(20);
  requireThat(bits >= 9 && bits <= 21, "cluster bits");
  const features = version === 3 ? u64(72) : 0n;
  requireThat((features & ~0x1bn) === 0n && view.getUint32(32) === 0, "features or encryption");
  const isExtended = (features & 16n) !== 0n;
  const isZstd = (features & 8n) !== 0n;
  const cluster = 1 << bits;
  const size = Number(u64(24));
  requireThat(size > 0 && size % 512 === 0 && size <= 2 ** 30, "size");
  const entryBytes = isExtended ? 16 : 8;
  const perTable = cluster / entryBytes;
  const l1 = Number(u64(40));
  const disk = new Uint8Array(size);
  disk.set(below.subarray(0, size));
  for (let index = 0; index * cluster < size; index++) {
    const table = Math.floor(index / perTable);
    requireThat(table < view.getUint32(36), "the L1 table is too small");
    const l1Entry = u64(l1 + table * 8);
    if (l1Entry === 0n) continue;
    requireThat((l1Entry & 0x7f000000000001ffn) === 0n, "reserved bits of an L1 entry");
    const l2 = Number(l1Entry & 0x00fffffffffffe00n);
    requireThat(l2 % cluster === 0 && l2 > 0 && l2 + cluster <= bytes.length, "an L2 table that cannot be");
    const at = l2 + index % perTable * entryBytes;
    const from = index * cluster;
    const length = Math.min(cluster, size - from);
    const entry = u64(at);
    const bitmap = isExtended ? u64(at + 8) : 0n;
    if ((entry & (1n << 62n)) !== 0n) {
      const packed = packedBytes(bytes, entry, bits);
      const plain = isZstd ? unzstd(packed, cluster) : unraw(packed, cluster);
      disk.set(plain.subarray(0, length), from);
      continue;
    }
    requireThat((entry & 0x3f000000000001fen) === 0n, "reserved bits");
    const host = Number(entry & 0x00fffffffffffe00n);
    requireThat(host % cluster === 0, "a cluster inside another");
    if (!isExtended) {
      requireThat((entry & 1n) === 0n || version === 3, "a zero cluster in version 2");
      if ((entry & 1n) !== 0n) disk.fill(0, from, from + length);
      else if (host !== 0) {
        requireThat(host + length <= bytes.length, "a cluster past the end");
        disk.set(bytes.subarray(host, host + length), from);
      }
      continue;
    }
    const part = cluster / 32;
    for (let i = 0; i * part < length; i++) {
      const isThere = (bitmap >> BigInt(i) & 1n) === 1n;
      const isZero = (bitmap >> BigInt(32 + i) & 1n) === 1n;
      requireThat(!(isThere && isZero), "both bits of a subcluster");
      if (isZero) disk.fill(0, from + i * part, Math.min(from + (i + 1) * part, size));
      if (!isThere) continue;
      const partLength = Math.min(part, length - i * part);
      requireThat(host > 0 && host + i * part + partLength <= bytes.length, "a subcluster past the end");
      disk.set(bytes.subarray(host + i * part, host + i * part + partLength), from + i * part);
    }
  }
  return disk;
}

function packedBytes(bytes: Uint8Array, entry: bigint, bits: number): Uint8Array {
  const offsetBits = BigInt(62 - (bits - 8));
  const offset = entry & ((1n << offsetBits) - 1n);
  const sectors = Number((entry & ((1n << 62n) - 1n)) >> offsetBits) + 1;
  requireThat(offset < BigInt(bytes.length), "a compressed cluster past the end");
  const at = Number(offset);
  return bytes.subarray(at, at - at % 512 + sectors * 512);
}

function unraw(packed: Uint8Array, length: number): Uint8Array {
  try {
    const plain = inflateRawSync(packed, { maxOutputLength: length });
    requireThat(plain.length === length, "too short");
    return plain;
  } catch (error) {
    throw new Broken(String(error));
  }
}

/** The frame's end is not told, so that it is found by trying. */
function unzstd(packed: Uint8Array, length: number): Uint8Array {
  for (let end = packed.length; end > 0; end--) {
    try {
      const plain = zstdDecompressSync(packed.subarray(0, end), { maxOutputLength: length });
      if (plain.length === length) return plain;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  throw new Broken("no zstd frame");
}
