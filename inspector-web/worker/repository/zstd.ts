/** zstd in the page: the decompressor that is loaded when a repository is opened, and what must hold before it runs. */
import type { Codec } from "../../../core-as/host/repo/mod.ts";

/** As `@bokuweb/zstd-wasm` has it: where a frame does not say its size, it may have `defaultHeapSize` bytes. */
export type Decompress = (packed: Uint8Array, options: { defaultHeapSize: number }) => Uint8Array;

const MAGIC = 0xfd2fb528;
/** Bytes of the size by the upper two bits of the frame's descriptor; the first is for frames in a single segment. */
const SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;

/**
 * A codec that unpacks and does not pack. What a frame says it holds is looked at before memory is taken for it, so
 * that one that claims a terabyte costs nothing.
 */
export function zstdCodec(decompress: Decompress): Codec {
  return {
    compress() {
      throw new Error("the page does not write");
    },
    decompress(packed, plainBytes) {
      const declaredBytes = frameContentBytes(packed);
      if (declaredBytes !== undefined && declaredBytes !== plainBytes) {
        throw new Error(`it holds ${declaredBytes} bytes`);
      }
      const plain = unpack(decompress, packed, plainBytes);
      if (plain.length !== plainBytes) throw new Error(`it holds ${plain.length} bytes`);
      return plain.buffer instanceof ArrayBuffer ? plain as Uint8Array<ArrayBuffer> : new Uint8Array(plain);
    },
  };
}

function unpack(decompress: Decompress, packed: Uint8Array, plainBytes: number): Uint8Array {
  try {
    return decompress(packed, { defaultHeapSize: plainBytes });
  } catch (cause) {
    // What it says itself is a number.
    throw new Error("the zstd frame is damaged", { cause });
  }
}

/**
 * What a frame says it unpacks to; `undefined` where it does not say.
 *
 * @throws when it is no zstd frame.
 */
export function frameContentBytes(packed: Uint8Array): number | undefined {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.length < 6 || view.getUint32(0, true) !== MAGIC) throw new Error("it is no zstd frame");
  const descriptor = packed[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = SIZE_BYTES[descriptor >>> 6]! || (isSingleSegment ? 1 : 0);
  const at = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3]!;
  if (sizeBytes === 0) return undefined;
  if (packed.length < at + sizeBytes) throw new Error("the zstd frame was cut short");
  if (sizeBytes === 1) return packed[at]!;
  if (sizeBytes === 2) return view.getUint16(at, true) + 256;
  return sizeBytes === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}
