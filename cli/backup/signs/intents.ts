/**
 * The signs by which backups and collections know of each other. There are no locks and no clocks to agree on.
 *
 * A backup that is under way has an intent. A collection lists what it will remove, and then waits for the intents
 * that stood when the list was there, since these may not have seen it. Whoever has seen the list uses no name on it.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { type ContentName, contentStem, Fields, parseContentStem } from "../../../core-as/host/repo/mod.ts";
import { IdTable } from "../id_table.ts";
import { removeUnlocked } from "../remove_unlocked.ts";
import type { Repository } from "../repository.ts";

/** A backup that gives no sign of life for this long is taken for dead. It finds out, and starts again. */
export const LEASE_MS = 24 * 3600 * 1000;
/** How often a backup says that it is alive. */
export const BEAT_EVERY_MS = 10 * 60 * 1000;
const MAX_SIGN_BYTES = 1024 * 1024;
/** A list of condemned names holds 66 bytes a name. */
const MAX_LIST_BYTES = 1024 * 1024 * 1024;
/** Of collections at once, and of those that were killed. */
const MAX_LISTS = 1000;
const LIST = /^gc\/[0-9A-HJKMNP-TV-Z]{26}\.json$/;

/** Where marks stand. */
export const DAMAGED = "damaged/";

const INTENT = "intent.json";
const DONE = "done";
const EXPIRED = "expired";
const FAILED = "failed";

/** Every sign that a backup may have left in its place; `ckpt-` is of an earlier version. */
const SIGN = new RegExp(
  `^active/[0-9A-HJKMNP-TV-Z]{26}/(?:${
    INTENT.replace(".", "\\.")
  }|beat-\\d+|ckpt-\\d+|${DONE}|${EXPIRED}|${FAILED})$`,
);

/** True for the key of a sign in `active/`. */
export function isSign(key: string): boolean {
  return SIGN.test(key);
}

/** The intent of one backup. */
export class Intent {
  private beats = 0;
  private beatMs: number;
  private readonly putMs: number;
  private storeMs: number | undefined;

  private constructor(private readonly repository: Repository, readonly id: string) {
    this.beatMs = this.putMs = repository.world.nowMs();
  }

  /**
   * How far the clock of this machine was ahead of the store's when the intent was put, in milliseconds; `undefined`
   * before {@link stands} has looked.
   */
  get aheadMs(): number | undefined {
    return this.storeMs === undefined ? undefined : this.putMs - this.storeMs;
  }

  /**
   * Step 1 of a backup: from now on, no collection removes what this backup may use without waiting for it.
   *
   * @param of `id` is that of the snapshot to be, `source` the key of the disk, and `name` its name, which no key leads
   * back to.
   */
  static async open(
    repository: Repository,
    { id, source, name }: { id: string; source: string; name: string },
  ): Promise<Intent> {
    const { host, tool } = repository.world;
    const key = `active/${id}/${INTENT}`;
    const signed = encode({ source, host, tool, ...await namedIn(repository, key, name) });
    await repository.store.put(key, signed, { ifAbsent: true });
    return new Intent(repository, id);
  }

  /** To be called now and then. It never puts the intent itself back: that it is gone must be seen. */
  async beat(): Promise<void> {
    const nowMs = this.repository.world.nowMs();
    if (nowMs - this.beatMs < BEAT_EVERY_MS) return;
    this.beatMs = nowMs;
    await this.repository.store.put(`active/${this.id}/beat-${++this.beats}`, encode({}));
  }

  /** When the intent was put, by the store's clock; `undefined` when it is gone. */
  async putByStoreMs(): Promise<number | undefined> {
    return (await this.repository.store.head(`active/${this.id}/${INTENT}`))?.modifiedMs;
  }

  /** Step 6: whether the intent stood the whole time. */
  async stands(): Promise<boolean> {
    const found = await this.repository.store.head(`active/${this.id}/${INTENT}`);
    this.storeMs ??= found?.modifiedMs;
    return found !== undefined;
  }

  /** As if this backup had never begun: for one that has put nothing but its own signs. */
  async withdraw(): Promise<void> {
    const signs = [INTENT, ...Array.from({ length: this.beats }, (_, i) => `beat-${i + 1}`)];
    await this.repository.store.remove(signs.map((sign) => `active/${this.id}/${sign}`));
  }

  /** Instead of the last step: nobody waits for this backup any more, and a manifest of it is doubtful. */
  async fail(): Promise<void> {
    const { store } = this.repository;
    const key = `active/${this.id}/${FAILED}`;
    try {
      await store.put(key, encode({}));
    } catch (error) {
      if (!(error instanceof RegrainError) || error.code !== "NO_SPACE") throw error;
      // It is the name that counts, and a file of no bytes has room on a full file system. Without it the collection
      // that is to make room would wait a day for this backup.
      await store.put(key, new Uint8Array(0));
    }
  }

  /**
   * The last step; nothing is removed, since a backup may have no right to.
   *
   * @param retainUntilMs Until when nobody is to take this back.
   */
  async done(retainUntilMs?: number): Promise<void> {
    await this.repository.store.put(`active/${this.id}/${DONE}`, encode({}), { retainUntilMs });
  }
}

/** What stands in `active/` of one backup. */
export interface ActiveBackup {
  readonly id: string;
  readonly hasIntent: boolean;
  readonly isDone: boolean;
  readonly isExpired: boolean;
  readonly isFailed: boolean;
  readonly keys: readonly string[];
  /** When it began, by the store's clock; of one without an intent its first sign. */
  readonly sinceMs: number;
  /** The last sign of life, by the store's clock. */
  readonly lastSignMs: number;
}

/** Backups that are under way, and what others left. */
export async function listActive(repository: Repository): Promise<Map<string, ActiveBackup>> {
  const backups = new Map<string, ActiveBackup>();
  for await (const { key, modifiedMs } of repository.store.list("active/")) {
    const [, id, sign] = key.split("/");
    if (id === undefined || sign === undefined) continue;
    const before = backups.get(id);
    backups.set(id, {
      id,
      hasIntent: before?.hasIntent === true || sign === INTENT,
      isDone: before?.isDone === true || sign === DONE,
      isExpired: before?.isExpired === true || sign === EXPIRED,
      isFailed: before?.isFailed === true || sign === FAILED,
      keys: [...before?.keys ?? [], key],
      sinceMs: Math.min(before?.sinceMs ?? Infinity, modifiedMs),
      lastSignMs: Math.max(before?.lastSignMs ?? 0, modifiedMs),
    });
  }
  return backups;
}

/** The name of a disk, where an encrypted repository hides it sealed. Older versions read neither field. */
async function namedIn(
  { means: { keys } }: Repository,
  key: string,
  name: string,
): Promise<{ name: string } | { sealedName: string }> {
  if (keys === undefined) return { name };
  return { sealedName: (await keys.encrypt(key, new TextEncoder().encode(name))).toBase64() };
}

/** @returns `undefined` when an older version wrote the intent, or somebody without the key. */
async function nameIn(
  { means: { keys } }: Repository,
  key: string,
  fields: Fields,
): Promise<string | undefined> {
  if (keys === undefined) return fields.optional("name", (from, field) => from.text(field));
  const sealed = fields.optional("sealedName", (from, field) => from.text(field, BASE64));
  const plain = sealed === undefined ? undefined : await keys.decrypt(key, Uint8Array.fromBase64(sealed));
  return plain && new TextDecoder().decode(plain);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What an intent says of its backup. */
export interface IntentFacts {
  /** Key of the disk. */
  readonly source: string;
  /** `undefined` in one of an older version. */
  readonly name: string | undefined;
  readonly host: string;
  readonly tool: string;
}

/** @returns `undefined` when it is gone, or cannot be read: then nobody knows whose it is. */
export async function readIntent(repository: Repository, id: string): Promise<IntentFacts | undefined> {
  const key = `active/${id}/${INTENT}`;
  const bytes = await repository.store.get(key, MAX_SIGN_BYTES);
  if (bytes === undefined) return undefined;
  try {
    const fields = Fields.parse(bytes, { path: repository.pathOf(key), code: "SNAPSHOT_DAMAGED" });
    return {
      source: fields.text("source"),
      name: await nameIn(repository, key, fields),
      host: fields.text("host"),
      tool: fields.text("tool"),
    };
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code !== "SNAPSHOT_DAMAGED") throw error;
    return undefined;
  }
}

/** True while a collection must wait for it. */
export function isUnderWay({ hasIntent, isDone, isFailed }: ActiveBackup): boolean {
  return hasIntent && !isDone && !isFailed;
}

/** True when a manifest of this backup may refer to what is not there. */
export function isDoubtful(backup: ActiveBackup | undefined): boolean {
  return backup !== undefined && (backup.isExpired || backup.isFailed) && !backup.isDone;
}

/** Takes a backup for dead. What it wrote is no longer safe; if it lives, it sees that its intent is gone. */
export async function expire(repository: Repository, id: string): Promise<void> {
  // First the sign, so that a manifest of this backup is never taken for a finished one.
  await repository.store.put(`active/${id}/${EXPIRED}`, encode({}));
  await repository.store.remove([`active/${id}/${INTENT}`]);
}

/**
 * Ends a backup that was killed after its manifest: its intent stood when the manifest was there, so everything the
 * manifest refers to is there and stays.
 */
export async function confirm(repository: Repository, id: string): Promise<void> {
  if (await repository.store.head(`active/${id}/${INTENT}`) === undefined) return;
  await repository.store.put(`active/${id}/${DONE}`, encode({}));
}

/** Removes the signs of a backup that is done. */
export async function clearDone(repository: Repository, backup: ActiveBackup): Promise<void> {
  const others = backup.keys.filter((key) => !key.endsWith(`/${DONE}`));
  await repository.store.remove(others);
  // Of a backup that is to be kept until a date it is locked, and goes later.
  await removeUnlocked(repository.store, [`active/${backup.id}/${DONE}`], repository.world);
}

/** Names of chunks and pages that no new snapshot may use. */
export interface ForbiddenNames {
  readonly chunks: IdTable;
  readonly maps: IdTable;
  /** Chunks and pages that a verification found damaged; they are to be stored anew. */
  readonly damaged: number;
}

/**
 * Step 2 of a backup: what collections have condemned, and what was found damaged. A name in it is never used again,
 * not even when its object is there: the collection may remove it at any time.
 */
export async function readForbidden(repository: Repository, old?: OldLists): Promise<ForbiddenNames> {
  const forbidden = { chunks: new IdTable(), maps: new IdTable(), damaged: 0 };
  for (const list of await condemnedLists(repository)) {
    for (const name of await readUnlessOld(repository, list, old)) forbidden[name.kind].setNamed(name, 0);
  }
  for await (const name of damagedNames(repository)) {
    forbidden[name.kind].setNamed(name, 0);
    forbidden.damaged++;
  }
  return forbidden;
}

async function* damagedNames(repository: Repository): AsyncGenerator<ContentName> {
  for await (const { key } of repository.store.list(DAMAGED)) {
    const name = parseMark(key.slice(DAMAGED.length).replace(/\.json$/, ""));
    if (name !== undefined) yield name;
  }
}

/** Content as marks name it: `<id>[.<generation>]` of a chunk, with `maps-` before it of a page. */
export function markOf(name: ContentName): string {
  return `${name.kind === "maps" ? "maps-" : ""}${contentStem(name)}`;
}

/** `undefined` when it is no mark. */
export function parseMark(mark: string): ContentName | undefined {
  const [, page, stem] = /^(maps-)?(.+)$/.exec(mark) ?? [];
  const name = stem === undefined ? undefined : parseContentStem(stem);
  return name === undefined ? undefined : { kind: page === undefined ? "chunks" : "maps", ...name };
}

/** Ids of chunks and pages that were found damaged, whatever their generation. */
export async function readDamaged(repository: Repository): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const { id } of damagedNames(repository)) ids.add(id);
  return ids;
}

function checkedStem(stem: string, fields: Fields, kind: string): { id: string; generation: number } {
  return parseContentStem(stem) ?? fields.fail(kind, "a list of names of content");
}

async function readList(repository: Repository, key: string): Promise<ContentName[]> {
  const path = repository.pathOf(key);
  const bytes = await repository.store.get(key, MAX_LIST_BYTES);
  // Gone since it was listed: that collection has ended, and removes nothing any more.
  if (bytes === undefined) return [];
  const fields = Fields.parse(bytes, { path, code: "SNAPSHOT_DAMAGED" });
  return (["chunks", "maps"] as const).flatMap((kind) =>
    fields.texts(kind).map((stem) => ({ kind, ...checkedStem(stem, fields, kind) }))
  );
}

/** How a backup passes over lists that no collection works by any more. */
export interface OldLists {
  /** Now, by the store's clock, which gave the lists their times as well. */
  storeNowMs(): Promise<number | undefined>;
  onNotice(sentence: string): void;
}

/**
 * A list that cannot be read may be a real one that was damaged, and its collection may remove by it: nothing tells it
 * from junk but its age. A collection ends by itself after a day, so after two no list is in force.
 */
async function readUnlessOld(
  repository: Repository,
  { key, modifiedMs }: { key: string; modifiedMs: number },
  old: OldLists | undefined,
): Promise<ContentName[]> {
  try {
    return await readList(repository, key);
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
    const path = repository.pathOf(key);
    const nowMs = await old?.storeNowMs();
    if (nowMs !== undefined && nowMs - modifiedMs > 2 * LEASE_MS) {
      old!.onNotice(
        `a list of a collection that cannot be read is passed over, since it is older than any collection works: ` +
          `${error.message}; the next regrain gc removes it`,
      );
      return [];
    }
    throw error.withHint(
      `no collection wrote it so, or it was damaged since: where no regrain gc is running, remove ${path}; while one ` +
        "runs it may remove what a backup counts on; backups pass it over when it is two days old",
    );
  }
}

/** Lists of collections; what has no name that one gives is none. Ids say nothing of their age: clocks differ. */
async function condemnedLists(repository: Repository): Promise<{ key: string; modifiedMs: number }[]> {
  const lists: { key: string; modifiedMs: number }[] = [];
  for await (const { key, modifiedMs } of repository.store.list("gc/")) {
    if (LIST.test(key)) lists.push({ key, modifiedMs });
    if (lists.length > MAX_LISTS) {
      throw new RegrainError("LIMIT_EXCEEDED", `there are more than ${MAX_LISTS} lists of collections`, {
        path: repository.pathOf("gc/"),
        hint: "no host makes so many: look who can write to the store, and remove them",
      });
    }
  }
  return lists;
}

/** Marks content as found damaged, so that no backup uses it again. */
export async function markDamaged(
  repository: Repository,
  damage: { mark: string; reason: string },
): Promise<void> {
  await repository.store.put(`${DAMAGED}${damage.mark}.json`, encode({ reason: damage.reason }));
}

function encode(value: unknown): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  if (bytes.length > MAX_SIGN_BYTES) throw new RegrainError("LIMIT_EXCEEDED", "a sign is too large");
  return bytes;
}
