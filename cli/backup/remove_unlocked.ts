/** Removing what a store lets go: an object that is locked until a date stays, and that is no failure. */
import { RegrainError } from "../../core-as/host/errors.ts";
import type { ObjectStore } from "../../core-as/host/repo/mod.ts";
import type { World } from "./repository.ts";

/**
 * Removes objects but for those that are locked.
 *
 * @returns keys of the locked ones.
 * @throws {RegrainError} as `remove` does, also when one is refused that is not locked.
 */
export async function removeUnlocked(
  store: ObjectStore,
  keys: readonly string[],
  world: Pick<World, "nowMs">,
): Promise<string[]> {
  try {
    await store.remove(keys);
    return [];
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code !== "STORE_DENIED") throw error;
    if (keys.length > 1) return await removeEach(store, keys, world);
    const [key] = keys;
    const info = await store.head(key!);
    if (info === undefined) return [];
    if ((info.retainUntilMs ?? 0) <= world.nowMs()) throw error;
    return [key!];
  }
}

/** A refusal of many names one only: each is asked for alone. */
async function removeEach(
  store: ObjectStore,
  keys: readonly string[],
  world: Pick<World, "nowMs">,
): Promise<string[]> {
  const locked: string[] = [];
  for (const key of keys) locked.push(...await removeUnlocked(store, [key], world));
  return locked;
}
