import assert from "node:assert/strict";
import type { Snapshot } from "../../../core-as/host/repo/mod.ts";
import { backUpLetters, CHUNK, memoryRepository } from "../../../test/backup_cli/memory_repository.ts";
import { checkAsync, fc } from "../../../test/helpers/property.ts";
import { measure } from "./stats.ts";

const letters = fc.array(fc.constantFrom(".", "a", "b", "c", "d"), { minLength: 1, maxLength: 6 })
  .map((all) => all.join(""));
const backups = fc.array(fc.record({ disk: fc.constantFrom("one", "two"), letters }), {
  minLength: 1,
  maxLength: 5,
});

function different(...disks: readonly string[]): Set<string> {
  return new Set(disks.join("").replaceAll(".", ""));
}

Deno.test("measure() counts as one does by hand", async () => {
  await checkAsync(
    fc.asyncProperty(backups, async (made) => {
      const repository = await memoryRepository();
      const snapshots: Snapshot[] = [];
      for (const { disk, letters } of made) snapshots.push(await backUpLetters(repository, letters, disk));
      const stats = await measure(repository, snapshots);
      const all = made.map(({ letters }) => letters);
      assert.equal(stats.needed.chunks, different(...all).size);
      assert.equal(stats.needed.plainBytes, different(...all).size * CHUNK);
      for (const { name, needed, alone, snapshots: own } of stats.disks) {
        const mine = made.filter(({ disk }) => disk === name).map(({ letters }) => letters);
        const others = different(...made.filter(({ disk }) => disk !== name).map(({ letters }) => letters));
        assert.equal(needed.chunks, different(...mine).size);
        assert.equal(alone.chunks, different(...mine).difference(others).size);
        own.forEach(({ snapshot, alone }) => {
          const i = snapshots.findIndex(({ id }) => id === snapshot.id);
          const rest = different(...all.filter((_, k) => k !== i));
          assert.equal(alone.chunks, different(all[i]!).difference(rest).size);
        });
      }
    }),
    { runs: 30 },
  );
});
