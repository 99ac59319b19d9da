/**
 * Where the frames of a zstd stream end, told without unpacking them.
 *
 * A frame is a header, blocks that say their size, and at will a checksum (RFC 8878, section 3.1). Skippable frames
 * carry nothing of the content.
 */
import { RegrainError } from "../../core-as/host/errors.ts";
import { PIPE_NAME } from "../../core-as/host/forward/mod.ts";
import { formatSize, toSafe } from "../../core-as/host/units.ts";

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
/** Largest block (RFC 8878, section 3.1.1.2.4). */
const MAX_BLOCK_BYTES = 128 * 1024;
/** Largest window that a decompressor takes unasked; `zstd --long=28` and more need a larger one. */
const MAX_WINDOW_LOG = 27;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

/** One frame, to be read before the next is asked for. */
export interface ZstdFrame {
  /** The bytes of the frame. */
  readonly pieces: AsyncGenerator<Uint8Array>;
  /** Bytes that it unpacks to, where its header says; to be asked when the pieces are read. */
  contentBytes(): number | undefined;
}

/** True when the first four bytes are those of a zstd stream. */
export function startsZstd(head: Uint8Array): boolean {
  const magic = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true);
  return magic === MAGIC || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return magic - magic % 16 === SKIPPABLE;
}

/**
 * Cuts a stream into its frames that hold content.
 *
 * @throws {RegrainError} `TRUNCATED` when it ends inside a frame, `DAMAGED` when what follows a frame is none,
 * `UNSUPPORTED` when a frame needs a larger window than is kept.
 */
export async function* zstdFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ZstdFrame> {
  const bytes = new Bytes(chunks);
  while (await bytes.hasMore()) {
    const magic = (await bytes.peek(4)).getUint32(0, true);
    if (isSkippable(magic)) {
      const lengthBytes = (await bytes.peek(8)).getUint32(4, true);
      for await (const _ of bytes.take(8 + lengthBytes)) continue;
      continue;
    }
    if (magic !== MAGIC) {
      throw new RegrainError("DAMAGED", "zstd: what follows a frame is not one", {
        path: PIPE_NAME,
        offsetBytes: bytes.position,
      });
    }
    const frame = { contentBytes: undefined as number | undefined };
    yield { pieces: joined(framePieces(bytes, frame)), contentBytes: () => frame.contentBytes };
  }
}

async function* framePieces(
  bytes: Bytes,
  frame: { contentBytes: number | undefined },
): AsyncGenerator<Uint8Array> {
  const flags = (await bytes.peek(5)).getUint8(4);
  const isSingleSegment = (flags & 32) !== 0;
  const hasChecksum = (flags & 4) !== 0;
  const sizeFlag = flags >>> 6;
  const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!;
  const before = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[flags & 3]!;
  const header = await bytes.peek(before + sizeBytes);
  frame.contentBytes = contentSize(header, before, sizeBytes);
  // A frame of a single segment needs all of its content at once.
  const windowBytes = isSingleSegment ? frame.contentBytes ?? Infinity : windowSize(header.getUint8(5));
  if (windowBytes > 2 ** MAX_WINDOW_LOG) throw windowTooLarge(windowBytes, bytes.position);
  yield* bytes.take(before + sizeBytes);
  for (let isLast = false; !isLast;) {
    const view = await bytes.peek(3);
    const header = view.getUint16(0, true) + view.getUint8(2) * 65536;
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    isLast = (header & 1) === 1;
    if (type === BLOCK_RESERVED || size > MAX_BLOCK_BYTES) {
      throw new RegrainError("DAMAGED", "zstd: a block that cannot be", {
        path: PIPE_NAME,
        offsetBytes: bytes.position,
      });
    }
    yield* bytes.take(3 + (type === BLOCK_RLE ? 1 : size));
  }
  if (hasChecksum) yield* bytes.take(4);
}

/** Bytes of the window by its descriptor (RFC 8878, section 3.1.1.1.2). */
function windowSize(descriptor: number): number {
  const baseBytes = 2 ** (10 + (descriptor >>> 3));
  return baseBytes + baseBytes / 8 * (descriptor & 7);
}

const UNPACK = "zstd -dc --long=31";

function windowTooLarge(windowBytes: number, offsetBytes: number): RegrainError {
  const most = formatSize(2 ** MAX_WINDOW_LOG);
  const message = `zstd: a frame needs a window of ${
    formatSize(windowBytes)
  }, ${most} is the most that is kept`;
  return new RegrainError("UNSUPPORTED", message, {
    path: PIPE_NAME,
    offsetBytes,
    hint: `pack it again with --long=27 at most: ${UNPACK} | zstd --long=27 | regrain apply - TARGET`,
  });
}

function contentSize(view: DataView, at: number, sizeBytes: number): number | undefined {
  if (sizeBytes === 1) return view.getUint8(at);
  if (sizeBytes === 2) return view.getUint16(at, true) + 256;
  if (sizeBytes === 4) return view.getUint32(at, true);
  return sizeBytes === 8 ? toSafe(view.getBigUint64(at, true)) : undefined;
}

/** Pieces that stand one behind the other in memory as one: a call of the decompressor costs more than a block. */
async function* joined(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let run = new Uint8Array(0);
  for await (const piece of pieces) {
    if (piece.buffer === run.buffer && piece.byteOffset === run.byteOffset + run.length) {
      run = new Uint8Array(run.buffer, run.byteOffset, run.length + piece.length);
      continue;
    }
    if (run.length > 0) yield run;
    run = piece as Uint8Array<ArrayBuffer>;
  }
  if (run.length > 0) yield run;
}

/** Chunks as one stream of bytes that can be looked at before they are taken. */
class Bytes {
  /** Bytes taken. */
  position = 0;
  private chunk = new Uint8Array(0);
  private readonly source: AsyncIterator<Uint8Array>;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.source = chunks[Symbol.asyncIterator]();
  }

  async hasMore(): Promise<boolean> {
    return this.chunk.length > 0 || await this.more();
  }

  /** The next bytes, which stay where they are. */
  async peek(lengthBytes: number): Promise<DataView> {
    while (this.chunk.length < lengthBytes) if (!await this.more()) throw this.truncated();
    return new DataView(this.chunk.buffer, this.chunk.byteOffset, lengthBytes);
  }

  async *take(lengthBytes: number): AsyncGenerator<Uint8Array> {
    for (let left = lengthBytes; left > 0;) {
      if (!await this.hasMore()) throw this.truncated();
      const piece = this.chunk.subarray(0, Math.min(left, this.chunk.length));
      this.chunk = this.chunk.subarray(piece.length);
      this.position += piece.length;
      left -= piece.length;
      yield piece;
    }
  }

  private async more(): Promise<boolean> {
    const next = await this.source.next();
    if (next.done) return false;
    if (this.chunk.length === 0) {
      this.chunk = next.value as Uint8Array<ArrayBuffer>;
      return true;
    }
    const both = new Uint8Array(this.chunk.length + next.value.length);
    both.set(this.chunk);
    both.set(next.value, this.chunk.length);
    this.chunk = both;
    return true;
  }

  private truncated(): RegrainError {
    return new RegrainError("TRUNCATED", "the zstd stream ends inside a frame", {
      path: PIPE_NAME,
      offsetBytes: this.position + this.chunk.length,
    });
  }
}
