/** A test disk, opened as the inspector's page opens what is dropped on it. */
import type { FixtureCase } from "../../fixtures/mod.ts";
import { Bench, Kernels } from "../../inspector-web/worker/disk/bench.ts";
import { GivenFiles } from "../../inspector-web/worker/sources/given.ts";
import { lookAtAll, planChain } from "../../inspector-web/worker/disk/plan.ts";
import { core } from "./memory.ts";

export async function openedBench(fixture: FixtureCase): Promise<Bench> {
  const given = Object.entries(fixture.make()).map(([name, bytes]) => {
    return { name, file: new Blob([bytes]), modifiedMs: null };
  });
  const files = new GivenFiles(given, { ended: false });
  const plan = planChain(await lookAtAll(files.names, files.context(core)));
  return await Bench.open(new Kernels(core), plan, files);
}
