/**
 * Unpacking of compressed grains.
 *
 * The technote says raw deflate; every file ever seen holds zlib (RFC 1950), with a checksum that is worth checking.
 *
 * This module is browser compatible.
 */
import { Inflate } from "fflate";
import { KIB } from "./units.ts";

/**
 * Unpacks one zlib stream of at most `maxBytes`.
 * @throws {Error} of any class when the stream is not right or longer than that.
 */
export type Inflater = (packed: Uint8Array, maxBytes: number) => Uint8Array;

const ADLER_MODULUS = 65521;
/** Sums stay below 2^32 for this many bytes (RFC 1950, section 8.2: largest n for 32 bits). */
const ADLER_STRIDE = 5552;
/** Deflate unpacks to 1032 times its size at most, so that a bomb is stopped within 33 MiB. */
const PUSH_BYTES = 32 * KIB;

/** The portable {@link Inflater}. It checks what fflate does not: the header, the bound on the way, the checksum. */
export const inflatePortable: Inflater = (packed, maxBytes) => {
  if (packed.length < 6 || (packed[0]! & 15) !== 8 || (packed[0]! * 256 + packed[1]!) % 31 !== 0) {
    throw new Error("not a zlib stream");
  }
  if ((packed[1]! & 32) !== 0) throw new Error("the zlib stream wants a dictionary");
  const plain = inflateStretch(packed, { from: 2, to: packed.length - 4 }, maxBytes);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (view.getUint32(packed.length - 4) !== adler32(plain)) throw new Error("the checksum differs");
  return plain;
};

/** The same for a stream of deflate alone (RFC 1951), which knows its end: what follows it is left alone. */
export const inflateRawPortable: Inflater = (packed, maxBytes) =>
  inflateStretch(packed, { from: 0, to: packed.length }, maxBytes);

function inflateStretch(
  packed: Uint8Array,
  { from, to }: { from: number; to: number },
  maxBytes: number,
): Uint8Array {
  const out = new Uint8Array(maxBytes);
  let length = 0;
  const stream = new Inflate((chunk) => {
    if (length + chunk.length > maxBytes) throw new Error("the grain unpacks to more than a grain");
    out.set(chunk, length);
    length += chunk.length;
  });
  for (let at = from; at < to; at += PUSH_BYTES) {
    const end = Math.min(at + PUSH_BYTES, to);
    stream.push(packed.subarray(at, end), end === to);
  }
  return out.subarray(0, length);
}

/** What unpacks beside zlib streams. */
export interface Unpackers {
  /** Raw deflate, see {@link inflateRawPortable}. */
  readonly inflateRaw: Inflater;
  /** One zstd frame, whole; absent where it is not to be had. */
  readonly zstd?: Inflater;
}

/** Adler-32 of RFC 1950, unsigned. */
export function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let from = 0; from < bytes.length; from += ADLER_STRIDE) {
    const to = Math.min(from + ADLER_STRIDE, bytes.length);
    for (let i = from; i < to; i++) {
      a += bytes[i]!;
      b += a;
    }
    a %= ADLER_MODULUS;
    b %= ADLER_MODULUS;
  }
  return b * 65536 + a;
}
