import assert from "node:assert/strict";
import { diffSnapshots, PAGE_ENTRIES } from "./mod.ts";
import { backUpLetters, CHUNK, memoryRepository } from "../../../test/backup_cli/memory_repository.ts";
import { MemoryStore } from "../../../test/helpers/memory_store.ts";
import { checkAsync, fc } from "../../../test/helpers/property.ts";

/** What changed, chunk by chunk, as the letters tell it. */
function expected(older: string, newer: string): string[] {
  return [...newer].map((letter, i) => older[i] === letter ? "hole" : letter === "." ? "zero" : "data");
}

Deno.test("diffSnapshots() says of every chunk what the disks say", async () => {
  const letters = fc.array(fc.constantFrom(".", ".", "a", "b"), { minLength: 1, maxLength: 12 })
    .map((all) => all.join(""));
  await checkAsync(
    fc.asyncProperty(letters, letters, async (before, after) => {
      const repository = await memoryRepository();
      const older = await backUpLetters(repository, before);
      const newer = await backUpLetters(repository, after);
      const kinds: string[] = [];
      let last: string | undefined;
      for await (const { start, length, kind } of diffSnapshots(repository, older, newer)) {
        assert.equal(start, kinds.length * CHUNK, "no gap");
        assert.notEqual(kind, last, "runs of one kind are one run");
        last = kind;
        for (let at = 0; at < length; at += CHUNK) kinds.push(kind);
      }
      assert.deepEqual(kinds, expected(before, after));
    }),
    { runs: 25 },
  );
});

/** Counts the pages of maps that are read. */
class CountingStore extends MemoryStore {
  pages = 0;

  override get(key: string, maxBytes: number) {
    if (key.startsWith("maps/")) this.pages++;
    return super.get(key, maxBytes);
  }
}

Deno.test("diffSnapshots() reads no page that is equal in both", async () => {
  const store = new CountingStore();
  const repository = await memoryRepository(store);
  const [zeros, page] = [".".repeat(PAGE_ENTRIES), "a".padEnd(PAGE_ENTRIES, ".")];
  const older = await backUpLetters(repository, `${page}${zeros}${page}b`);
  const newer = await backUpLetters(repository, `${page}${zeros}${page}c`);
  store.pages = 0;
  const runs = await Array.fromAsync(diffSnapshots(repository, older, newer));
  assert.deepEqual(runs.map(({ kind }) => kind), ["hole", "data"]);
  assert.equal(runs[1]!.start, 3 * PAGE_ENTRIES * CHUNK);
  assert.equal(store.pages, 2);
});

Deno.test("diffSnapshots() takes zeros behind the end of the older disk for a change", async () => {
  const repository = await memoryRepository();
  const older = await backUpLetters(repository, "..");
  const newer = await backUpLetters(repository, "....");
  const runs = await Array.fromAsync(diffSnapshots(repository, older, newer));
  assert.deepEqual(runs.map(({ kind, length }) => `${kind} ${length / CHUNK}`), ["hole 2", "zero 2"]);
});
