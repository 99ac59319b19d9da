import assert from "node:assert/strict";
import { zlibCrc32 } from "../../../test/helpers/guest_disk.ts";
import { check, fc } from "../../../test/helpers/property.ts";
import { crc32, crc32Register } from "./crc32.ts";

Deno.test("crc32() gives what the description of the algorithm gives for its test word", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  assert.equal(crc32(new Uint8Array(0)), 0);
});

Deno.test("crc32() gives what zlib gives", () => {
  check(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.equal(crc32(bytes), zlibCrc32(bytes))),
    { runs: 200 },
  );
});

Deno.test("crc32Register() goes on where it stopped", () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i * 7);
  const half = crc32Register(bytes.subarray(0, 33), 0xf597a6cf);
  assert.equal(crc32Register(bytes.subarray(33), half), crc32Register(bytes, 0xf597a6cf));
});
