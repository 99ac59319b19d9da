/**
 * Streams that come packed: told by their first bytes, unpacked on the way.
 *
 * What ends in the middle is an error, and several packed streams one after the other are one. Node's gunzip sees to
 * both. Its zstd sees to neither: it takes what is cut short for whole, and stops behind the first frame. So frames are
 * walked here, and each is given to a decompressor of its own.
 */
import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { RegrainError } from "../../core-as/host/errors.ts";
import { PIPE_NAME, type ReadNext } from "../../core-as/host/forward/mod.ts";
import { KIB } from "../../core-as/host/units.ts";
import { startsZstd, zstdFrames } from "./zstd_frames.ts";

export type Packing = "gzip" | "zstd";

const READ_BYTES = 256 * KIB;
/** Enough for every magic. */
const HEAD_BYTES = 4;

/**
 * Unpacks what is packed; anything else comes through as it is.
 *
 * @throws {RegrainError} later, from reading: `TRUNCATED` when the packed stream ends too soon, `DAMAGED` when it
 * cannot be unpacked.
 */
export async function unpacked(read: ReadNext, onPacked: (packing: Packing) => void): Promise<ReadNext> {
  const { head, whole } = await peeked(read, HEAD_BYTES);
  const packing = packingOf(head);
  if (packing === undefined) return whole;
  onPacked(packing);
  return unpackedAs(packing, whole);
}

/** Unpacks what is said to be packed so. */
export function unpackedAs(packing: Packing, read: ReadNext): ReadNext {
  return pulled(packing === "gzip" ? gunzipped(read) : unzstd(read));
}

/** The first bytes of a stream, and the stream with them in front again. */
export async function peeked(read: ReadNext, most: number): Promise<{ head: Uint8Array; whole: ReadNext }> {
  const buffer = new Uint8Array(most);
  let length = 0;
  while (length < most) {
    const got = await read(buffer.subarray(length));
    if (got === 0) break;
    length += got;
  }
  const head = buffer.subarray(0, length);
  return { head, whole: after(head, read) };
}

/** How a stream that begins so is packed, by its look. */
export function packingOf(head: Uint8Array): Packing | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return head.length >= 4 && startsZstd(head) ? "zstd" : undefined;
}

/** A stream that begins with bytes that were read already. */
function after(head: Uint8Array, read: ReadNext): ReadNext {
  let left = head;
  return (into) => {
    if (left.length === 0) return read(into);
    const length = Math.min(left.length, into.length);
    into.set(left.subarray(0, length));
    left = left.subarray(length);
    return length;
  };
}

/** Pieces as a stream that is read. */
function pulled(pieces: AsyncGenerator<Uint8Array>): ReadNext {
  let piece = new Uint8Array(0);
  return async (into) => {
    while (piece.length === 0) {
      const next = await pieces.next();
      if (next.done) return 0;
      piece = next.value as Uint8Array<ArrayBuffer>;
    }
    const length = Math.min(piece.length, into.length);
    into.set(piece.subarray(0, length));
    piece = piece.subarray(length);
    return length;
  };
}

async function* chunks(read: ReadNext): AsyncGenerator<Uint8Array> {
  for (;;) {
    // A new buffer each time: a decompressor works on it while the next is read.
    const buffer = new Uint8Array(READ_BYTES);
    const got = await read(buffer);
    if (got === 0) return;
    yield buffer.subarray(0, got);
  }
}

async function* gunzipped(read: ReadNext): AsyncGenerator<Uint8Array> {
  yield* transformed(chunks(read), createGunzip({ chunkSize: READ_BYTES }), "gzip");
}

async function* unzstd(read: ReadNext): AsyncGenerator<Uint8Array> {
  for await (const frame of zstdFrames(chunks(read))) {
    const decompress = createZstdDecompress({ chunkSize: READ_BYTES });
    let lengthBytes = 0;
    for await (const piece of transformed(frame.pieces, decompress, "zstd")) {
      lengthBytes += piece.length;
      yield piece;
    }
    const said = frame.contentBytes();
    if (said === undefined || said === lengthBytes) continue;
    throw damaged("zstd", `a frame unpacks to ${lengthBytes} bytes, its header says ${said}`);
  }
}

/** Sends pieces through a transform, one at a time, and hands out what comes of them. */
async function* transformed(
  pieces: AsyncIterable<Uint8Array>,
  transform: Transform,
  packing: Packing,
): AsyncGenerator<Uint8Array> {
  let failure: unknown;
  const feeding = (async () => {
    try {
      for await (const piece of pieces) {
        if (transform.destroyed) return;
        if (!transform.write(piece)) await drained(transform);
      }
      transform.end();
    } catch (error) {
      failure = error;
      transform.destroy();
    }
  })();
  try {
    for await (const piece of transform) yield piece;
  } catch (cause) {
    if (failure === undefined) throw unpackError(packing, cause);
  }
  await feeding;
  if (failure !== undefined) throw failure;
}

function drained(transform: Transform): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ["drain", "close", "error"]) transform.off(event, done);
      resolve();
    };
    for (const event of ["drain", "close", "error"]) transform.on(event, done);
  });
}

function unpackError(packing: Packing, cause: unknown): RegrainError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code !== "Z_BUF_ERROR") return damaged(packing, `it cannot be unpacked (${reason})`, cause);
  return new RegrainError("TRUNCATED", `the ${packing} stream ends too soon`, { path: PIPE_NAME, cause });
}

function damaged(packing: Packing, message: string, cause?: unknown): RegrainError {
  return new RegrainError("DAMAGED", `${packing}: ${message}`, {
    path: PIPE_NAME,
    cause,
    hint: "the transfer changed the stream, or its file is damaged: send it again",
  });
}
