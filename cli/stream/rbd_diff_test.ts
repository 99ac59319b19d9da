/** rbd-diff streams: what is written is read back, at sizes beyond any virtual disk too. */
import assert from "node:assert/strict";
import { memorySource } from "../../test/helpers/memory.ts";
import { RbdDiff, rbdDiffEnd, rbdDiffHeader, rbdDiffRecord } from "./rbd_diff.ts";

const TIB = 1024 ** 4;

function streamOf(parts: readonly Uint8Array[]) {
  return memorySource("x.undo", new Uint8Array(parts.flatMap((part) => [...part])));
}

Deno.test("D11: a stream for a volume beyond 62 TiB is read back, up to 8 PiB", async () => {
  for (const sizeBytes of [62 * TIB, 62 * TIB + 512, 100 * TIB, 8191 * TIB]) {
    const source = streamOf([
      rbdDiffHeader({ sizeBytes, toSnapshot: "before" }),
      rbdDiffRecord({ kind: "zero", offsetBytes: sizeBytes - 512, lengthBytes: 512 }),
      rbdDiffEnd(),
    ]);
    const diff = await RbdDiff.open(source);
    assert.equal(diff.meta.sizeBytes, sizeBytes);
    assert.deepEqual(await diff.extent(), { endBytes: source.sizeBytes - 1, reachedBytes: sizeBytes });
  }
});

Deno.test("D11: a size or a record that no number holds, or that reaches out of the image, is refused", async () => {
  const header = rbdDiffHeader({ sizeBytes: 4096, toSnapshot: "before" });
  header.fill(0xff, header.length - 8);
  await assert.rejects(RbdDiff.open(streamOf([header, rbdDiffEnd()])), { code: "DAMAGED" });
  const out = streamOf([
    rbdDiffHeader({ sizeBytes: 4096, toSnapshot: "before" }),
    rbdDiffRecord({ kind: "zero", offsetBytes: 4096, lengthBytes: 512 }),
    rbdDiffEnd(),
  ]);
  await assert.rejects((await RbdDiff.open(out)).extent(), { code: "DAMAGED" });
});
