import assert from "node:assert/strict";
import { MemoryStore } from "../../../test/helpers/memory_store.ts";
import { backUpLetters, memoryRepository } from "../../../test/backup_cli/memory_repository.ts";
import { expire, Intent } from "../signs/intents.ts";
import { checkStructure } from "./structure.ts";

Deno.test("B23: repo check calls no sign stray that a backup leaves, however it ended", async () => {
  const store = new MemoryStore();
  const repository = await memoryRepository(store);
  await backUpLetters(repository, "ab");
  const open = () =>
    Intent.open(repository, {
      id: repository.newId(),
      source: "web01-disk-0-0123abcd",
      name: "web01/disk-0",
    });
  await (await open()).fail();
  await (await open()).done();
  await expire(repository, (await open()).id);
  const beating = await open();
  // The clock of the test goes on a second whenever it is looked at.
  for (let i = 0; i < 700; i++) await beating.beat();
  const strays = ["active/readme", `active/${beating.id}/failed.txt`, "active/0123/done"];
  const signs = [...store.objects.keys()].filter((key) => key.startsWith("active/"));
  const kinds = new Set(signs.map((key) => key.split("/")[2]!.replace(/\d+/, "N")));
  assert.deepEqual([...kinds].sort(), ["beat-N", "done", "expired", "failed", "intent.json"]);
  assert.deepEqual((await checkStructure(repository)).findings, []);
  for (const key of strays) await store.put(key, new Uint8Array(1));
  const found = (await checkStructure(repository)).findings.filter(({ what }) => what === "stray");
  assert.deepEqual(found.map(({ about }) => about).sort(), strays.sort());
});
