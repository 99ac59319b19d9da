/**
 * Noticing that a store shows an older state than it did: this host remembers the newest snapshot of each disk that it
 * made or read. Where that one is gone, another host may have removed it, or the store holds it back; only the user
 * can tell, so it is a warning.
 *
 * Only snapshots whose manifest was read are remembered: where the repository is encrypted, nobody can make up one of
 * the far future.
 */
import { RegrainError } from "../../core-as/host/errors.ts";
import { snapshotKey, type SnapshotName } from "../../core-as/host/repo/mod.ts";
import {
  forgetNewest,
  type KnownFile,
  type KnownRepository,
  raiseNewest,
  rememberRepository,
} from "../backup/known_repositories.ts";
import type { Repository } from "../backup/repository.ts";
import { isForgotten } from "../backup/keep/forgotten.ts";
import { SHORT_LISTING } from "../backup/snapshots/unlisted.ts";
import { readListed } from "../backup/snapshots/snapshots.ts";
import type { Console } from "../ui/mod.ts";

/** What this host remembers of a repository that is open. */
export interface RepositoryMemory {
  readonly file: KnownFile;
  readonly known: KnownRepository;
  /** The flag by which the state that is there is remembered in the place of the one before. */
  readonly replaced: string;
}

/** The part of a snapshot that is remembered. */
export interface SeenSnapshot {
  readonly id: string;
  readonly source: { readonly key: string };
}

const memories = new WeakMap<Repository, RepositoryMemory>();

export function attachMemory(repository: Repository, memory: RepositoryMemory): void {
  memories.set(repository, memory);
}

/** What is looked at. */
export interface Watched {
  readonly console: Console;
  /** Names of disks, by the part of the keys that stands for them; absent: every disk. */
  readonly disks?: ReadonlyMap<string, string> | undefined;
}

/**
 * Warns of each disk whose newest snapshot is not listed any more, or cannot be had although it is listed.
 *
 * @returns the ids that were warned of.
 */
export async function warnOfHidden(
  repository: Repository,
  { console, disks }: Watched,
): Promise<ReadonlySet<string>> {
  const hidden = new Set<string>();
  for (const [source, id] of rememberedOf(repository, disks)) {
    const names = await repository.listSnapshots(source);
    const key = snapshotKey(source, id, repository.suffix);
    const isThere = names.some((name) => name.key === key) &&
      await readListed(repository, { key, source, id }, false) !== undefined;
    if (isThere || await isSurpassed(repository, { source, id }, { names, console })) continue;
    hidden.add(id);
    warn(repository, { name: disks?.get(source) ?? await nameOf(repository, names), id, console });
  }
  return hidden;
}

/**
 * Whether the store says itself why a snapshot is gone that this host remembers: a newer one of the disk is there, so
 * that rules may have removed it, or a record says that it was removed on purpose. Then it is remembered no more.
 *
 * A newer one counts only when it can be read, and a record only when it is genuine: where the repository is encrypted,
 * both need the key. A store that shows an older state has neither.
 */
async function isSurpassed(
  repository: Repository,
  { source, id }: { source: string; id: string },
  { names, console }: { names: readonly SnapshotName[]; console: Console },
): Promise<boolean> {
  for (const name of names.toReversed()) {
    if (name.source !== source || name.id <= id) continue;
    const newer = (await readListed(repository, name, false))?.snapshot;
    if (newer === undefined) continue;
    await rememberNewest(repository, [newer], console);
    return true;
  }
  if (!await isForgotten(repository, { source, id })) return false;
  await forgetRemoved(repository, [id], console);
  return true;
}

/**
 * Refuses to remove by a listing that lacks the newest snapshot of a disk: what only that one needs would be removed
 * for good. That it is not there is a reason to ask, too: rules keep the newest, so somebody removed it by its id with
 * an older version, which records nothing, or the store shows an older state.
 *
 * @throws {RegrainError} `STORE_UNSUITABLE` when it is there and not listed, `REPO_REPLACED` when it is not there.
 */
export async function refuseHidden(repository: Repository, console: Console): Promise<void> {
  const remembered = rememberedOf(repository, undefined);
  if (remembered.length === 0) return;
  const names = await repository.listSnapshots();
  const listed = new Set(names.map(({ key }) => key));
  for (const [source, id] of remembered) {
    const key = snapshotKey(source, id, repository.suffix);
    if (listed.has(key)) continue;
    const isThere = await repository.store.head(key) !== undefined;
    if (!isThere && await isSurpassed(repository, { source, id }, { names, console })) continue;
    const name = await nameOf(repository, names.filter((each) => each.source === source));
    const which = name === undefined ? `snapshot ${id}` : `${name}@${id}`;
    const path = repository.store.label;
    if (isThere) {
      throw new RegrainError(
        "STORE_UNSUITABLE",
        `the listing of the store leaves out ${which}, which is there`,
        {
          path,
          hint: SHORT_LISTING,
        },
      );
    }
    throw new RegrainError(
      "REPO_REPLACED",
      `${which} is not there, and this host remembers it as the newest snapshot of its disk: nothing is removed`,
      {
        path,
        hint:
          `if it was removed on purpose, ${
            memories.get(repository)!.replaced
          } remembers what is there now, and ` +
          "what only that one needed is removed; if not, the store shows an older state",
      },
    );
  }
}

/** What a disk is called, by a snapshot of it that can be read. */
async function nameOf(repository: Repository, names: readonly SnapshotName[]): Promise<string | undefined> {
  for (const name of names.toReversed()) {
    const listed = await readListed(repository, name, false);
    if (listed?.snapshot !== undefined) return listed.snapshot.source.name;
  }
  return undefined;
}

/**
 * Warns where the newest snapshot that was found is older than one that this host remembers: a store may list one
 * state to who looks after it, and another one right after. What `isSaid` names is not told again.
 */
export function warnOfOlder(
  repository: Repository,
  { id, source }: { readonly id: string; readonly source: { readonly key: string; readonly name: string } },
  { console, isSaid }: { console: Console; isSaid: (id: string) => boolean },
): void {
  const newest = memories.get(repository)?.known.newest.get(source.key);
  if (newest === undefined || newest <= id || isSaid(newest)) return;
  warn(repository, { name: source.name, id: newest, console });
}

/** The same as {@link warnOfHidden}, where the snapshots were listed already. */
export async function warnOfUnlisted(
  repository: Repository,
  { console, disks, names, listed }: Watched & {
    /** Of the disks whose names are known. */
    names: ReadonlyMap<string, string>;
    listed: readonly SnapshotName[];
  },
): Promise<void> {
  const ids = new Set(listed.map(({ id }) => id));
  for (const [source, id] of rememberedOf(repository, disks)) {
    if (ids.has(id) || await isSurpassed(repository, { source, id }, { names: listed, console })) continue;
    warn(repository, { name: disks?.get(source) ?? names.get(source), id, console });
  }
}

function rememberedOf(
  repository: Repository,
  disks: ReadonlyMap<string, string> | undefined,
): [string, string][] {
  const newest = memories.get(repository)?.known.newest ?? new Map<string, string>();
  return [...newest].filter(([source]) => disks === undefined || disks.has(source));
}

function warn(
  repository: Repository,
  { name, id, console }: { name: string | undefined; id: string; console: Console },
): void {
  const which = name === undefined ? `snapshot ${id}` : `${name}@${id}`;
  console.warn(
    `${repository.store.label}: ${which} is not there, and this host remembers it as the newest snapshot of its ` +
      "disk: another host removed it, or the store holds it back and shows an older state; if it was removed " +
      `on purpose, ${memories.get(repository)!.replaced} remembers what is there now`,
  );
}

/** Remembers the newest of snapshots whose manifests were read or written. */
export async function rememberNewest(
  repository: Repository,
  seen: readonly SeenSnapshot[],
  console: Console,
): Promise<void> {
  const memory = memories.get(repository);
  if (memory === undefined) return;
  const newest = new Map(memory.known.newest);
  if (!raiseNewest(newest, seen.map(({ id, source }) => [source.key, id]))) return;
  const known = { ...memory.known, newest };
  memories.set(repository, { ...memory, known });
  const { file } = memory;
  if (file.path !== undefined) await orSay(file.path, console, () => rememberRepository(file, known));
}

/** Remembers snapshots no more that were removed on purpose. */
export async function forgetRemoved(
  repository: Repository,
  ids: readonly string[],
  console: Console,
): Promise<void> {
  const memory = memories.get(repository);
  if (memory === undefined || ids.length === 0) return;
  const newest = new Map([...memory.known.newest].filter(([, id]) => !ids.includes(id)));
  memories.set(repository, { ...memory, known: { ...memory.known, newest } });
  const { file } = memory;
  if (file.path !== undefined) await orSay(file.path, console, () => forgetNewest(file, new Set(ids)));
}

/** Opening the repository warned where nothing can be written; that is not said again for each snapshot. */
async function orSay(path: string, console: Console, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    console.detail(`${path}: cannot be written, so the newest snapshots are not remembered: ${why}`);
  }
}
