import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync } from "node:zlib";
import { Rng } from "../../fixtures/mod.ts";
import type { RegrainError } from "../../core-as/host/errors.ts";
import { sameBytes } from "../../test/helpers/bytes.ts";
import { pipeOf } from "../../test/helpers/pipe.ts";
import { unpacked } from "./unpack.ts";
import { startsZstd, zstdFrames } from "./zstd_frames.ts";

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

/** Reads a stream in pieces: bytes of each frame, and what its header says it unpacks to. */
async function framesOf(stream: Uint8Array, pieceBytes: number) {
  async function* chunks() {
    for (let at = 0; at < stream.length; at += pieceBytes) {
      yield await Promise.resolve(stream.slice(at, at + pieceBytes));
    }
  }
  const frames: { bytes: Uint8Array; contentBytes: number | undefined }[] = [];
  for await (const frame of zstdFrames(chunks())) {
    const pieces: Uint8Array[] = [];
    for await (const piece of frame.pieces) pieces.push(piece);
    frames.push({ bytes: joined(...pieces), contentBytes: frame.contentBytes() });
  }
  return frames;
}

const random = new Rng(3).bytes(300_000);
const FRAMES: Record<string, Uint8Array> = {
  "raw blocks": zstdCompressSync(random),
  "packed blocks": zstdCompressSync(new TextEncoder().encode("grain ".repeat(50_000))),
  "blocks of one byte over and over": zstdCompressSync(new Uint8Array(500_000)),
  "a frame of one segment": zstdCompressSync(new Uint8Array([1, 2, 3])),
  "an empty frame": zstdCompressSync(new Uint8Array(0)),
  "a frame with a checksum": zstdCompressSync(random.subarray(0, 1000), {
    params: { [constants.ZSTD_c_checksumFlag]: 1 },
  }),
};

for (const [name, frame] of Object.entries(FRAMES)) {
  Deno.test(`the end of a frame is found: ${name}`, async () => {
    const two = joined(frame, frame);
    for (const pieceBytes of [7, 4096, two.length]) {
      const frames = await framesOf(two, pieceBytes);
      // The compressor may end what it made by an empty frame.
      const half = frames.slice(0, frames.length / 2).map(({ bytes }) => bytes);
      assert.ok(sameBytes(joined(...half), frame));
      assert.ok(sameBytes(joined(...frames.map(({ bytes }) => bytes)), two));
    }
    assert.ok(startsZstd(frame));
  });
}

Deno.test("the size of the content is told where the header has it", async () => {
  // The types do not know yet that the size can be announced.
  const options: Parameters<typeof zstdCompressSync>[1] & { pledgedSrcSize: number } = {
    pledgedSrcSize: random.length,
  };
  assert.equal((await framesOf(zstdCompressSync(random, options), 1000))[0]!.contentBytes, random.length);
});

Deno.test("a stream that ends inside a frame is cut short wherever that is", async () => {
  const frame = FRAMES["a frame with a checksum"]!;
  for (let length = 1; length < frame.length; length += length < 40 ? 1 : 50) {
    await assert.rejects(
      framesOf(frame.subarray(0, length), 100),
      (error: RegrainError) => error.code === "TRUNCATED",
      `${length} bytes`,
    );
  }
});

Deno.test("what follows a frame must be one", async () => {
  const frame = FRAMES["raw blocks"]!;
  const stream = joined(frame, Uint8Array.of(1, 2, 3, 4));
  await assert.rejects(framesOf(stream, 1000), (error: RegrainError) => {
    assert.equal(error.code, "DAMAGED");
    assert.equal(error.offsetBytes, frame.length);
    return true;
  });
});

/** A frame header with a window, and one block of three bytes. */
function frameWithWindow(descriptor: number): Uint8Array<ArrayBuffer> {
  return joined(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, descriptor, 0x19, 0, 0), new Uint8Array(3));
}

Deno.test("D12: a window of 128 MiB is taken, a larger one is refused with what works", async () => {
  assert.equal((await framesOf(frameWithWindow((27 - 10) << 3), 4)).length, 1);
  // The largest exponent and mantissa are those of --ultra --long=31; a little more than 2^27 is too much as well.
  for (const descriptor of [((27 - 10) << 3) + 1, (28 - 10) << 3, (31 - 10) << 3, 0xff]) {
    await assert.rejects(framesOf(frameWithWindow(descriptor), 4), (error: RegrainError) => {
      assert.equal(error.code, "UNSUPPORTED");
      assert.match(error.message, /needs a window of .*, 128\.0 MiB is the most/);
      assert.match(error.hint!, /--long=27/);
      return true;
    });
  }
});

Deno.test("D12: a single segment of more than 128 MiB is refused, one of less is taken", async () => {
  const header = (contentBytes: number) => {
    const bytes = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0, 0x01, 0, 0);
    new DataView(bytes.buffer).setUint32(5, contentBytes, true);
    return bytes;
  };
  assert.equal((await framesOf(header(2 ** 27), 64))[0]!.contentBytes, 2 ** 27);
  await assert.rejects(
    framesOf(header(2 ** 27 + 1), 64),
    (error: RegrainError) => error.code === "UNSUPPORTED",
  );
});

Deno.test("D12: what is packed with a window of 2 GiB is refused, packed again with --long=27 it is read", async () => {
  const bytes = new Rng(4).bytes(50_000);
  const packed = (windowLog: number) =>
    zstdCompressSync(bytes, {
      params: {
        [constants.ZSTD_c_windowLog]: windowLog,
        [constants.ZSTD_c_enableLongDistanceMatching]: 1,
        [constants.ZSTD_c_contentSizeFlag]: 0,
      },
    });
  const read = async (stream: Uint8Array) => {
    const next = await unpacked(pipeOf(stream), () => {});
    const into = new Uint8Array(bytes.length + 1);
    let at = 0;
    for (let got = -1; got !== 0; at += got) got = await next(into.subarray(at));
    return into.slice(0, at);
  };
  await assert.rejects(read(packed(31)), (error: RegrainError) => error.code === "UNSUPPORTED");
  assert.ok(sameBytes(await read(packed(27)), bytes));
});
