import assert from "node:assert/strict";
import { backUpLetters, memoryRepository } from "../../../test/backup_cli/memory_repository.ts";
import { heldIds, hold, readHolds, release } from "./holds.ts";
import { prune } from "./prune.ts";

Deno.test("hold() tells why, since when and from where, until release()", async () => {
  const repository = await memoryRepository();
  const { id } = await backUpLetters(repository, "a");
  const made = await hold(repository, id, "before the upgrade");
  assert.deepEqual((await readHolds(repository)).get(id), made);
  assert.equal(made.host, "host");
  await hold(repository, id);
  assert.equal((await readHolds(repository)).get(id)!.reason, undefined);
  assert.equal(await release(repository, id), true);
  assert.equal(await release(repository, id), false);
  assert.deepEqual(await heldIds(repository), new Set());
});

Deno.test("a hold that cannot be read still holds", async () => {
  const repository = await memoryRepository();
  const { id } = await backUpLetters(repository, "a");
  await backUpLetters(repository, "b");
  for (const text of ["{", '{"reason":7}', ""]) {
    await repository.store.put(`holds/${id}.json`, new TextEncoder().encode(text));
    assert.equal((await readHolds(repository)).get(id)!.reason, undefined);
    const { removed } = await prune(repository, { policy: { last: 1 }, onNotice: assert.fail });
    assert.deepEqual(removed, []);
  }
});

Deno.test("what stands in holds/ and names no snapshot is no hold", async () => {
  const repository = await memoryRepository();
  for (const key of ["holds/README", "holds/short.json", "holds/01arz3ndektsv4rrffq69g5fav.json"]) {
    await repository.store.put(key, new Uint8Array());
  }
  assert.deepEqual(await heldIds(repository), new Set());
});
