/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { checkAsync, fc } from "../../test/helpers/property.ts";
import { decode85, encode85 } from "./base85.ts";

Deno.test("decode85() undoes encode85(), whatever the length, and the text ends no element", async () => {
  await checkAsync(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = encode85(bytes);
      assert.deepEqual(decode85(text), bytes);
      assert.doesNotMatch(text, /[&'"<>\\`\s]/);
      assert.equal(text.length, Math.ceil(bytes.length * 5 / 4));
      return Promise.resolve();
    }),
    { runs: 200 },
  );
});
