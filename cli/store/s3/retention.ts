/** Locking objects for longer that are there already. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { ObjectInfo } from "../../../core-as/host/repo/objects.ts";
import { isAbsence, isDenial } from "./failure.ts";

export interface Extension {
  readonly untilMs: number;
  readonly head: (key: string) => Promise<ObjectInfo | undefined>;
  /** Locks an object until then. */
  readonly send: (key: string) => Promise<unknown>;
}

/** @returns Keys of which there is no object. */
export async function extendKeys(keys: readonly string[], extension: Extension): Promise<string[]> {
  const found = await Promise.all(keys.map((key) => extendOne(key, extension)));
  return keys.filter((_, i) => !found[i]);
}

/**
 * Looks first: a lock is never made shorter, and where it lasts long enough that costs less than locking again.
 *
 * @returns Whether the object is there.
 */
async function extendOne(key: string, extension: Extension): Promise<boolean> {
  const { head, send } = extension;
  const info = await head(key);
  if (info === undefined) return false;
  if (isLongEnough(info, extension)) return true;
  try {
    await send(key);
    return true;
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    if (isAbsence(error.cause)) return false;
    // Another backup may have locked it for longer meanwhile, and then this one is refused.
    if (isDenial(error.cause) && isLongEnough(await head(key), extension)) return true;
    throw isDenial(error.cause) ? error.withHint(HINT) : error;
  }
}

const HINT =
  "to keep what is stored already for longer takes s3:GetObjectRetention and s3:PutObjectRetention";

function isLongEnough(info: ObjectInfo | undefined, { untilMs }: Extension): boolean {
  return (info?.retainUntilMs ?? 0) >= untilMs;
}
