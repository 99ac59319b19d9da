/** zstd as Deno has it. */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Codec } from "../../core-as/host/repo/mod.ts";

/** One to four per cent larger than what level 3 makes of disks, in two thirds to four fifths of its time. */
export const DEFAULT_LEVEL = 2;

/** The least that Deno unpacks at a time. */
const MIN_PIECE_BYTES = 64;

/** @param level 1 to 19. */
export function nativeCodec(level: number = DEFAULT_LEVEL): Codec {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return {
    // With the size in the header, a reader can know before it unpacks what it will hold.
    compress(plain) {
      const options = { params, pledgedSrcSize: plain.length };
      return copyOut(zstdCompressSync(plain, options));
    },
    decompress(packed, plainBytes) {
      // Deno takes a frame that was cut short, and the first of two frames, for the whole: the length tells.
      const maxOutputLength = Math.max(1, plainBytes);
      // One piece of the right size is not put together from many, which takes a third of the time.
      const chunkSize = Math.max(MIN_PIECE_BYTES, plainBytes);
      const plain = zstdDecompressSync(packed, { maxOutputLength, chunkSize });
      if (plain.length !== plainBytes) throw new Error(`it holds ${plain.length} bytes`);
      return copyOut(plain);
    },
  };
}

/** The bytes in a buffer of their own, which can be handed to another thread. */
function copyOut(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) {
    return new Uint8Array(buffer);
  }
  return new Uint8Array(bytes);
}
