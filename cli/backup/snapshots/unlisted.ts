/** Snapshots that a store has and does not list. */
import type { SnapshotName } from "../../../core-as/host/repo/mod.ts";
import { TaskGroup } from "../../lanes/in_flight.ts";
import type { Repository } from "../repository.ts";

/** Questions on their way at once. */
const HEADS_AT_ONCE = 16;

export const SHORT_LISTING =
  "nothing is removed by such a listing: run regrain gc again later; where it stays so, the store cannot be relied " +
  "on: have its server look at it, or copy all objects to another one, by their names";

/**
 * Looks for manifests by their names that a listing does not have. Most were removed on purpose, and are not there.
 *
 * @param keys Of manifests that were there once.
 * @param listed What the listing has.
 * @returns the key of one that is there.
 */
export async function unlistedOf(
  repository: Repository,
  keys: ReadonlySet<string>,
  listed: readonly SnapshotName[],
): Promise<string | undefined> {
  const present = new Set(listed.map(({ key }) => key));
  const there: string[] = [];
  const tasks = new TaskGroup(HEADS_AT_ONCE);
  try {
    for (const key of keys) {
      if (present.has(key)) continue;
      await tasks.start(async () => {
        if (await repository.store.head(key) !== undefined) there.push(key);
      });
    }
  } finally {
    await tasks.settle();
  }
  tasks.check();
  return there.sort()[0];
}
