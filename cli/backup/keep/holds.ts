/** Holds: signs that no rule may remove a snapshot. They stand beside the manifest, which never changes. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { Fields, isUlid } from "../../../core-as/host/repo/mod.ts";
import type { Repository } from "../repository.ts";

const PREFIX = "holds/";
const MAX_HOLD_BYTES = 64 * 1024;
const MAX_REASON_CHARACTERS = 1000;

export interface Hold {
  /** The snapshot's ULID. */
  readonly id: string;
  readonly reason: string | undefined;
  /** ISO 8601, UTC; `undefined` when the sign cannot be read. It holds all the same. */
  readonly since: string | undefined;
  readonly host: string | undefined;
}

function keyOf(id: string): string {
  return `${PREFIX}${id}.json`;
}

/** The snapshot that a key in `holds/` is about; `undefined` for a key of anything else. */
export function heldId(key: string): string | undefined {
  const id = key.startsWith(PREFIX) && key.endsWith(".json") ? key.slice(PREFIX.length, -5) : "";
  return isUlid(id) ? id : undefined;
}

/**
 * Holds a snapshot. Holding it again replaces the reason.
 *
 * @throws {RegrainError} `USAGE` for a reason that is too long.
 */
export async function hold(repository: Repository, id: string, reason?: string): Promise<Hold> {
  if ((reason?.length ?? 0) > MAX_REASON_CHARACTERS) {
    throw new RegrainError("USAGE", `a reason has ${MAX_REASON_CHARACTERS} characters at most`);
  }
  const { world, store } = repository;
  const since = new Date(world.nowMs()).toISOString();
  const document = { version: 1, reason, since, host: world.host };
  await store.put(keyOf(id), new TextEncoder().encode(`${JSON.stringify(document)}\n`));
  return { id, reason, since, host: world.host };
}

/** @returns whether there was a hold. */
export async function release(repository: Repository, id: string): Promise<boolean> {
  const wasHeld = await repository.store.head(keyOf(id)) !== undefined;
  await repository.store.remove([keyOf(id)]);
  return wasHeld;
}

/** Ids of the snapshots that are held; nothing is read. */
export async function heldIds(repository: Repository): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const { key } of repository.store.list(PREFIX)) {
    const id = heldId(key);
    if (id !== undefined) ids.add(id);
  }
  return ids;
}

/** Every hold, by the snapshot's id. One that cannot be read still holds. */
export async function readHolds(repository: Repository): Promise<Map<string, Hold>> {
  const holds = new Map<string, Hold>();
  for (const id of await heldIds(repository)) {
    const found = await readHold(repository, id);
    if (found !== undefined) holds.set(id, found);
  }
  return holds;
}

async function readHold(repository: Repository, id: string): Promise<Hold | undefined> {
  const key = keyOf(id);
  try {
    const bytes = await repository.store.get(key, MAX_HOLD_BYTES);
    if (bytes === undefined) return undefined;
    const fields = Fields.parse(bytes, { path: repository.pathOf(key), code: "SNAPSHOT_DAMAGED" });
    const text = (name: string) => fields.optional(name, (from) => from.text(name));
    return { id, reason: text("reason"), since: text("since"), host: text("host") };
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
    return { id, reason: undefined, since: undefined, host: undefined };
  }
}
