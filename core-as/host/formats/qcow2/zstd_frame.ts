/**
 * Where a zstd frame ends, told without unpacking it: an entry says how long a packed cluster is to the sector only.
 *
 * A frame is a header, blocks that say their size, and at will a checksum (RFC 8878, section 3.1).
 *
 * This module is browser compatible.
 */

const MAGIC = 0xfd2fb528;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CHECKSUM_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const BLOCK_RLE = 1;

/**
 * The bytes of the frame that `packed` begins with.
 *
 * @throws {Error} when it begins with none, or ends inside it.
 */
export function zstdFrame(packed: Uint8Array): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.length < 6 || view.getUint32(0, true) !== MAGIC) throw new Error("not a zstd frame");
  const flags = packed[4]!;
  const isSingleSegment = (flags & 0x20) !== 0;
  const sizeBytes = CONTENT_SIZE_BYTES[flags >>> 6]! || (isSingleSegment ? 1 : 0);
  let at = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[flags & 3]! + sizeBytes;
  for (let isLast = false; !isLast;) {
    if (at + BLOCK_HEADER_BYTES > packed.length) throw new Error("the zstd frame was cut short");
    const block = view.getUint16(at, true) + packed[at + 2]! * 65536;
    isLast = (block & 1) === 1;
    at += BLOCK_HEADER_BYTES + ((block >>> 1 & 3) === BLOCK_RLE ? 1 : block >>> 3);
  }
  if ((flags & 4) !== 0) at += CHECKSUM_BYTES;
  if (at > packed.length) throw new Error("the zstd frame was cut short");
  return packed.subarray(0, at);
}
