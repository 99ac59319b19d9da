/** The portable inflate against Deno's own. */
import assert from "node:assert/strict";
import { constants, deflateRawSync, deflateSync } from "node:zlib";
import { Rng } from "../../fixtures/rng.ts";
import { check, fc } from "../../test/helpers/property.ts";
import { adler32, inflatePortable } from "./inflate.ts";
import { KIB, MIB } from "./units.ts";

const GRAIN = 64 * KIB;

/** Bytes that pack to about half of their size, and some that do not pack at all. */
function mixed(length: number, seed: number): Uint8Array {
  const bytes = new Rng(seed).bytes(length).slice();
  for (let at = 0; at < length; at += 700) bytes.fill(at & 0xff, at, at + 350);
  return bytes;
}

/** The checksum that zlib puts at the end of its own stream. */
function checksumOf(bytes: Uint8Array): number {
  const packed = deflateSync(bytes);
  return new DataView(packed.buffer, packed.byteOffset).getUint32(packed.length - 4);
}

Deno.test("the checksum is that of zlib, across every stride", () => {
  for (const length of [0, 1, 5551, 5552, 5553, 65_536, MIB]) {
    for (const bytes of [mixed(length, 1), new Uint8Array(length).fill(0xff)]) {
      assert.equal(adler32(bytes), checksumOf(bytes), `${length} bytes`);
    }
  }
});

Deno.test("it unpacks what zlib packs, at every level and size", () => {
  for (const length of [0, 1, 511, 512, 32 * KIB, GRAIN - 1, GRAIN]) {
    for (const level of [0, 1, 6, 9]) {
      const bytes = mixed(length, length + level);
      assert.deepEqual(inflatePortable(deflateSync(bytes, { level }), GRAIN), bytes);
    }
  }
});

Deno.test("it unpacks any bytes by any strategy", () => {
  const strategies = [
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_RLE,
    constants.Z_FIXED,
    constants.Z_HUFFMAN_ONLY,
  ];
  check(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.constantFrom(...strategies), (bytes, strategy) => {
      assert.deepEqual(inflatePortable(deflateSync(bytes, { strategy }), GRAIN), Uint8Array.from(bytes));
    }),
    { runs: 200 },
  );
});

Deno.test("a stream may stand anywhere in a larger buffer", () => {
  const bytes = mixed(5000, 3);
  const packed = deflateSync(bytes);
  const buffer = new Uint8Array(packed.length + 30).fill(0xaa);
  buffer.set(packed, 13);
  assert.deepEqual(inflatePortable(buffer.subarray(13, 13 + packed.length), GRAIN), bytes);
});

Deno.test("a stream cut short anywhere is refused", () => {
  const packed = deflateSync(mixed(3000, 4));
  for (let length = 0; length < packed.length; length++) {
    assert.throws(
      () => inflatePortable(packed.subarray(0, length), GRAIN),
      `${length} of ${packed.length} bytes`,
    );
  }
});

Deno.test("a stream with something behind it is refused", () => {
  const packed = deflateSync(mixed(3000, 5));
  for (const more of [[0], [1, 2, 3, 4], new Array(600).fill(0)]) {
    assert.throws(() => inflatePortable(Uint8Array.from([...packed, ...more]), GRAIN));
  }
});

Deno.test("a changed byte is refused, wherever it is", () => {
  const bytes = mixed(2000, 6);
  const packed = deflateSync(bytes);
  for (let at = 0; at < packed.length; at++) {
    const changed = packed.slice();
    changed[at]! ^= 0x10;
    let unpacked: Uint8Array | undefined;
    try {
      unpacked = inflatePortable(changed, GRAIN);
    } catch (error) {
      assert.ok(error instanceof Error);
    }
    assert.equal(unpacked, undefined, `byte ${at}`);
  }
});

Deno.test("a wrong checksum is told as such", () => {
  const packed = deflateSync(mixed(2000, 7)).slice();
  packed[packed.length - 1]! ^= 1;
  assert.throws(() => inflatePortable(packed, GRAIN), /the checksum differs/);
});

Deno.test("a grain may fill its room to the byte, and not exceed it by one", () => {
  const packed = deflateSync(mixed(GRAIN, 8));
  assert.equal(inflatePortable(packed, GRAIN).length, GRAIN);
  assert.throws(() => inflatePortable(packed, GRAIN - 1), /more than a grain/);
});

Deno.test("a bomb is stopped on the way", () => {
  const bomb = deflateSync(new Uint8Array(256 * MIB), { level: 9 });
  const before = Deno.memoryUsage().external;
  let takenBytes = 0;
  Object.defineProperty(bomb, "subarray", {
    value(from: number, to: number) {
      takenBytes += to - from;
      return Uint8Array.prototype.subarray.call(bomb, from, to);
    },
  });
  assert.throws(() => inflatePortable(bomb, GRAIN), /more than a grain/);
  // Deflate makes 1032 bytes of one at most: this much of the bomb is 33 MiB of its 256.
  assert.ok(takenBytes > 0 && takenBytes <= 32 * KIB, `${takenBytes} of ${bomb.length} bytes were unpacked`);
  assert.ok(Deno.memoryUsage().external - before < 200 * MIB, "it took much memory");
});

Deno.test("what is no zlib stream is refused: raw deflate, gzip, a preset dictionary", () => {
  const bytes = mixed(2000, 9);
  assert.throws(() => inflatePortable(deflateRawSync(bytes), GRAIN), /not a zlib stream/);
  assert.throws(
    () => inflatePortable(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0), GRAIN),
    /not a zlib stream/,
  );
  assert.throws(() => inflatePortable(new Uint8Array(0), GRAIN), /not a zlib stream/);
  // 0x78bb: deflate with a window of 32 KiB and a preset dictionary.
  assert.throws(() => inflatePortable(Uint8Array.of(0x78, 0xbb, 0, 0, 0, 0, 0, 0), GRAIN), /dictionary/);
});
