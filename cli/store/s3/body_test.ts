import assert from "node:assert/strict";
import { type Body, readBody } from "./body.ts";
import { ShortAnswer } from "./failure.ts";

interface Told {
  destroyed: number;
  progress: number;
}

/** A body of these parts; some streams end early without an error. */
function read(
  parts: readonly number[][],
  sizeBytes: number | undefined,
  told: Told = { destroyed: 0, progress: 0 },
) {
  const body: Body = {
    async *[Symbol.asyncIterator]() {
      for (const part of parts) yield await Promise.resolve(Uint8Array.from(part));
    },
    destroy: () => told.destroyed++,
  };
  const progress = () => told.progress++;
  const { signal } = new AbortController();
  return readBody(body, { sizeBytes, maxBytes: 10, path: "s3://b/k", progress, signal });
}

Deno.test("readBody() joins the parts, and tells of each", async () => {
  const told = { destroyed: 0, progress: 0 };
  assert.deepEqual(await read([[1, 2], [], [3]], 3, told), Uint8Array.of(1, 2, 3));
  assert.equal(told.progress, 3);
});

Deno.test("readBody() takes neither less nor more than was named for the whole", async () => {
  await assert.rejects(read([[1, 2]], 3), {
    name: ShortAnswer.name,
    message: "an answer of 2 bytes instead of 3",
  });
  await assert.rejects(read([], 1), ShortAnswer);
  await assert.rejects(read([[1, 2], [3]], 2), ShortAnswer);
});

Deno.test("readBody() does not begin what is too large or has no length, and lets go of it", async () => {
  for (const [sizeBytes, expected] of [[11, { code: "LIMIT_EXCEEDED" }], [undefined, ShortAnswer]] as const) {
    const told = { destroyed: 0, progress: 0 };
    await assert.rejects(read([[1]], sizeBytes, told), expected);
    assert.deepEqual(told, { destroyed: 1, progress: 0 });
  }
});
