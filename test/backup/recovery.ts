/** What must be possible after everybody was killed. */
import assert from "node:assert/strict";
import { parseContentKey } from "../../core-as/host/repo/mod.ts";
import type { MemoryStore } from "../helpers/memory_store.ts";
import { Invariants, objectsIn } from "./invariants.ts";
import type { Scenario } from "./scenario.ts";
import type { Means, Outcome } from "./steps.ts";

/**
 * A backup and a collection that takes everybody else for dead go through, nothing that was promised is lost, and the
 * new snapshot is whole. A second collection has nothing left to do.
 *
 * @param of.disk What is backed up; its first chunk is known to have changed.
 * @param of.outcomes What was promised until then.
 */
export async function assertRecoversFrom(
  store: MemoryStore,
  of: { scenario: Scenario; disk: string; outcomes: readonly (Outcome | undefined)[]; message: string },
): Promise<void> {
  const { scenario, disk, outcomes, message } = of;
  const means: Means = {
    store,
    sleep: () => Promise.reject(new Error("there is nobody to wait for")),
    choose: () => Promise.reject(new Error("there is nothing to choose")),
  };
  const made = await scenario.backup(90, { disk, touched: [0] })(means);
  await scenario.collector(91, { leaseMs: 0 })(means);
  const problem = await new Invariants(scenario.oldKey).judge(objectsIn(store), [...outcomes, made]);
  assert.equal(problem, undefined, message);
  const contents = contentsOf(store);
  await scenario.collector(92, { leaseMs: 0 })(means);
  assert.deepEqual(contentsOf(store), contents, message);
}

function contentsOf(store: MemoryStore): string[] {
  return [...store.objects.keys()].filter((key) => parseContentKey(key) !== undefined).sort();
}
