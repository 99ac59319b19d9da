import assert from "node:assert/strict";
import { fromHex } from "../../../core-as/host/repo/mod.ts";
import { memoryRepository } from "../../../test/backup_cli/memory_repository.ts";
import { sha256 } from "../../../test/helpers/bytes.ts";
import { isInSlice, nextSlice, putNote, sliceCount } from "./verify_notes.ts";

Deno.test("sliceCount() takes a share, and never reads less than it says", () => {
  assert.deepEqual(["2%", "100%", "34%", "0.5%", "0.01%"].map(sliceCount), [50, 1, 3, 200, 10_000]);
  for (const text of ["0%", "2", "101%", "-2%", "0.001%", "two%", "1e2%"]) {
    assert.throws(() => sliceCount(text), { code: "USAGE" });
  }
});

Deno.test("every chunk is in one slice, and slices are about as large as each other", () => {
  const count = 7;
  const sizes = new Array<number>(count).fill(0);
  for (let i = 0; i < 7000; i++) {
    const id = fromHex(sha256(new TextEncoder().encode(String(i))));
    const slices = sizes.map((_, index) => index).filter((index) => isInSlice(id, { index, count }));
    assert.equal(slices.length, 1);
    sizes[slices[0]!]!++;
  }
  for (const size of sizes) assert.ok(size > 850 && size < 1150, `${sizes}`);
});

Deno.test("nextSlice() goes on after the newest sample of that size, and begins again at the end", async () => {
  const repository = await memoryRepository();
  const note = { snapshots: 1, chunks: 9, readChunks: 3, damaged: 0 };
  const seen: number[] = [];
  for (let run = 0; run < 4; run++) {
    const slice = await nextSlice(repository, 3);
    seen.push(slice.index);
    await putNote(repository, { ...note, mode: "sample", slice });
    await putNote(repository, { ...note, mode: "deep", slice: undefined });
    await putNote(repository, { ...note, mode: "sample", slice: { index: 4, count: 5 } });
  }
  assert.deepEqual(seen, [0, 1, 2, 0]);
});

Deno.test("nextSlice() passes over a note that cannot be read", async () => {
  const repository = await memoryRepository();
  const note = { mode: "sample", snapshots: 1, chunks: 9, readChunks: 3, damaged: 0 } as const;
  await putNote(repository, { ...note, slice: { index: 1, count: 3 } });
  for (const text of ["{", '{"slice":7}', '{"slice":{"index":3,"count":3}}']) {
    await repository.store.put(`verify/${repository.newId()}.json`, new TextEncoder().encode(text));
  }
  assert.deepEqual(await nextSlice(repository, 3), { index: 2, count: 3 });
});
