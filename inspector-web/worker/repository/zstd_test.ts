/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { decompress, init } from "@bokuweb/zstd-wasm";
import { frameContentBytes, zstdCodec } from "./zstd.ts";

await init();
const codec = zstdCodec(decompress);

function packed(sizeBytes: number, pledged = true): Uint8Array {
  const plain = new Uint8Array(sizeBytes).fill(7);
  // The types do not know that the size can be said.
  const options: object = pledged ? { pledgedSrcSize: sizeBytes } : {};
  return new Uint8Array(zstdCompressSync(plain, options));
}

Deno.test("frameContentBytes() reads every width of the size, and knows when there is none", () => {
  for (const sizeBytes of [0, 1, 255, 256, 65_535, 65_536 + 255, 65_536 + 256, 1 << 20]) {
    assert.equal(frameContentBytes(packed(sizeBytes)), sizeBytes, `${sizeBytes}`);
  }
  // 8 bytes, with a window and no checksum.
  const wide = new Uint8Array(14);
  wide.set([0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x00]);
  new DataView(wide.buffer).setBigUint64(6, 1n << 40n, true);
  assert.equal(frameContentBytes(wide), 2 ** 40);
  assert.equal(frameContentBytes(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0)), undefined);
});

Deno.test("frameContentBytes() refuses what is no frame, and one that ends in its header", () => {
  assert.throws(() => frameContentBytes(new Uint8Array(20)), /no zstd frame/);
  assert.throws(() => frameContentBytes(new Uint8Array(0)), /no zstd frame/);
  assert.throws(() => frameContentBytes(packed(1 << 20).subarray(0, 7)), /cut short/);
});

Deno.test("zstdCodec() unpacks exactly what is due", () => {
  assert.equal(codec.decompress(packed(5000), 5000).length, 5000);
  assert.throws(() => codec.decompress(packed(5000), 4999), /it holds 5000 bytes/);
  assert.equal(codec.decompress(packed(5000, false), 5000).length, 5000);
  assert.throws(() => codec.decompress(packed(5000).subarray(0, 12), 5000), /damaged/);
  const two = new Uint8Array([...packed(5000), ...packed(1)]);
  assert.throws(() => codec.decompress(two, 5000));
});

Deno.test("zstdCodec() takes no memory for a frame that claims more than is due", () => {
  const never = zstdCodec(() => assert.fail("it was unpacked"));
  assert.throws(() => never.decompress(packed(1 << 20), 4096), /it holds 1048576 bytes/);
});
