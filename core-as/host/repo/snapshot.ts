/**
 * A snapshot's manifest: the one object that makes a backup exist, written last and never changed.
 *
 * The document is `{"snapshot": {...}, "sha256": "..."}`; the sum is that of the snapshot's JSON as it stands there,
 * without spaces. It finds damage; against forgery an encrypted repository is authenticated as a whole.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { isChunkSize } from "./description.ts";
import { Fields } from "./fields.ts";
import { PAGE_ENTRIES } from "./map_page.ts";
import { parseContentStem, toHex } from "./names.ts";

/** A manifest of a 16 TiB disk has 600 KB, one of 62 TiB in the smallest chunks 11 MB; to read one takes some more. */
export const MAX_MANIFEST_BYTES = 32 * 1024 * 1024;
/** No disk is larger: sums of some stay whole numbers. */
export const MAX_DISK_BYTES = 2 ** 50;
/** Stretches that a manifest lists as lost; a disk with more of them is to be copied by other means first. */
export const MAX_DAMAGED_STRETCHES = 10_000;
const HEX_64 = /^[0-9a-f]{64}$/;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** How it was known what had changed. */
export type ChangeMethod = "full" | "changed-areas" | "delta" | "stream" | "import" | "copy";

const CHANGE_METHOD = /^(full|changed-areas|delta|stream|import|copy)$/;

/** vSphere's are like `52 de c0 d9 … a8/4`. */
const CHANGE_ID = /^[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?$/;

/** True for what may stand in a manifest as the change id of a snapshot. `*` is vSphere's word for no moment at all. */
export function isChangeId(text: string): boolean {
  return CHANGE_ID.test(text) && text !== "*";
}

/** A stretch of a disk that could not be read when it was backed up, in bytes: zeros stand for it. */
export interface DamagedStretch {
  readonly start: number;
  readonly length: number;
}

/** A page of the map, as the manifest names it. */
export interface PageReference {
  readonly id: string;
  readonly generation: number;
  /** SHA-256 of {@link MapPage.content}: equal where the disk is equal, whatever the chunks are stored as. */
  readonly content: string;
}

export interface SnapshotStats {
  /** Chunks that are not zeros. */
  readonly chunks: number;
  /** Chunks that were stored anew. */
  readonly newChunks: number;
  /** Bytes read from the source. */
  readonly readBytes: number;
  /** Bytes of the objects that were stored anew. */
  readonly storedBytes: number;
  readonly elapsedMs: number;
}

export interface Snapshot {
  readonly format: "regrain-snapshot";
  readonly version: 1;
  readonly features: readonly string[];
  /** ULID of the repository it belongs to. */
  readonly repository: string;
  /** ULID. */
  readonly id: string;
  readonly source: {
    /** `VM/DISK` as the user says it. */
    readonly name: string;
    /** Its part of the object's key. */
    readonly key: string;
  };
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly tool: string;
  readonly host: string;
  /** The snapshot it was made against. */
  readonly parent: string | undefined;
  readonly sizeBytes: number;
  readonly chunkBytes: number;
  /** Pages of the map in order; `null` is a page of zeros. */
  readonly pages: readonly (PageReference | null)[];
  /** {@link contentRoot} of the pages: two snapshots with the same root are the same disk. */
  readonly root: string;
  readonly change: { readonly method: ChangeMethod; readonly reason: string | undefined };
  /** CID of the VMDK descriptor the disk had, which the next delta must name as its parent. */
  readonly cid: string | undefined;
  /**
   * What the platform calls the moment of the disk that this is, such as vSphere's change id: a list of changes since
   * then names it. Absent: nobody said.
   */
  readonly changeId?: string;
  /**
   * What the disk is at best: it was written to, or could be, while it was read, so it is as after a power loss, or a
   * mix of several moments. Absent: nothing spoke for that.
   */
  readonly consistency?: "crash-consistent";
  /**
   * What could not be read of the source, or of that of a snapshot before, in the order of the disk. Absent: all of it
   * was read.
   */
  readonly damaged?: readonly DamagedStretch[];
  /**
   * The VM that it was made with others for. Without a manifest of that VM that names it, that run did not end: it is
   * this disk's moment, and none of the VM.
   */
  readonly vm?: string;
  readonly tags: readonly string[];
  /**
   * ISO 8601, UTC: until then the store lets nobody remove this manifest, nor anything that it refers to. Absent: it
   * was not asked to.
   */
  readonly retainUntil?: string;
  readonly stats: SnapshotStats;
}

/** What a list of snapshots needs of one: all but the pages of its map, which are megabytes of a large disk. */
export type SnapshotOutline = Omit<Snapshot, "pages"> & {
  /** Pages of the map. */
  readonly pageCount: number;
};

export function outlineOf({ pages, ...rest }: Snapshot): SnapshotOutline {
  return { ...rest, pageCount: pages.length };
}

/** Chunks of the disk. */
export function chunkCount({ sizeBytes, chunkBytes }: { sizeBytes: number; chunkBytes: number }): number {
  return Math.ceil(sizeBytes / chunkBytes);
}

/** Pages of the disk's map. */
export function pageCount(disk: { sizeBytes: number; chunkBytes: number }): number {
  return Math.ceil(chunkCount(disk) / PAGE_ENTRIES);
}

/** Entries of one page. */
export function entriesOfPage(disk: { sizeBytes: number; chunkBytes: number }, page: number): number {
  return Math.min(PAGE_ENTRIES, chunkCount(disk) - page * PAGE_ENTRIES);
}

/** SHA-256 over the content sums of all pages; a page of zeros counts as 32 zero bytes. */
export async function contentRoot(pages: readonly (PageReference | null)[]): Promise<string> {
  const zero = "0".repeat(64);
  return await sha256Hex(new TextEncoder().encode(pages.map((page) => page?.content ?? zero).join("\n")));
}

export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** The document to store. */
export async function serializeSnapshot(snapshot: Snapshot): Promise<Uint8Array<ArrayBuffer>> {
  const body = JSON.stringify(snapshot);
  const sum = await sha256Hex(new TextEncoder().encode(body));
  const bytes = new TextEncoder().encode(`{"snapshot":${body},"sha256":"${sum}"}\n`);
  if (bytes.length <= MAX_MANIFEST_BYTES) return bytes;
  throw new RegrainError(
    "LIMIT_EXCEEDED",
    `the manifest would have ${bytes.length} bytes, and no reader takes it`,
    {
      hint: "a repository with larger chunks holds larger disks: regrain repo init --chunk-size 64M",
    },
  );
}

const DOCUMENT = /^\{"snapshot":(.*),"sha256":"([0-9a-f]{64})"\}\n$/s;

/**
 * Reads a manifest.
 *
 * @throws {RegrainError} `SNAPSHOT_DAMAGED`, `REPO_UNSUPPORTED` for one of a newer version.
 */
export async function parseSnapshot(bytes: Uint8Array<ArrayBuffer>, path: string): Promise<Snapshot> {
  const about = { path, code: "SNAPSHOT_DAMAGED" } as const;
  const [, body, sum] = DOCUMENT.exec(new TextDecoder().decode(bytes)) ?? [];
  if (body === undefined) throw new RegrainError(about.code, "is no manifest of a snapshot", { path });
  const encoded = new TextEncoder().encode(body);
  if (await sha256Hex(encoded) !== sum) {
    throw new RegrainError(about.code, "the manifest does not have the sum that stands in it", { path });
  }
  return await readSnapshot(Fields.parse(encoded, about), path);
}

async function readSnapshot(fields: Fields, path: string): Promise<Snapshot> {
  const facts = readFacts(fields, path);
  const pages = fields.list("pages").map((page, i) => readPage(page, { path, index: i }));
  if (pages.length !== pageCount(facts)) fields.fail("pages", "a page for every 1024 chunks");
  if (await contentRoot(pages) !== facts.root) fields.fail("root", "the sum of the pages");
  return { ...facts, pages };
}

/**
 * Checks what was an outline once, as a manifest is checked.
 *
 * @throws {RegrainError} as {@link parseSnapshot}.
 */
export function parseOutline(record: Readonly<Record<string, unknown>>, path: string): SnapshotOutline {
  const fields = new Fields(record, { path, code: "SNAPSHOT_DAMAGED" });
  const facts = readFacts(fields, path);
  const pages = pageCount(facts);
  return { ...facts, pageCount: fields.count("pageCount", { least: pages, most: pages }) };
}

/** Everything but the pages. */
function readFacts(fields: Fields, path: string): Omit<Snapshot, "pages"> {
  if (fields.text("format") !== "regrain-snapshot") fields.fail("format", '"regrain-snapshot"');
  const version = fields.count("version");
  const features = fields.texts("features");
  if (version !== 1 || features.length > 0) {
    const what = version === 1 ? `needs ${features.join(", ")}` : `has version ${version}`;
    throw new RegrainError("REPO_UNSUPPORTED", `the snapshot ${what}, which this version does not know`, {
      path,
      hint: "use a newer regrain",
    });
  }
  const source = fields.object("source");
  const change = fields.object("change");
  const stats = fields.object("stats");
  const root = fields.text("root", HEX_64);
  const textOf = (from: Fields, name: string) => from.text(name);
  const timeOf = (from: Fields, name: string) => {
    const text = from.text(name, TIME);
    return Number.isNaN(Date.parse(text)) ? from.fail(name, "a time that exists") : text;
  };
  const retainUntil = fields.optional("retainUntil", timeOf);
  const consistency = fields.optional(
    "consistency",
    (from, name) => from.text(name, /^crash-consistent$/) as "crash-consistent",
  );
  const damaged = fields.optional("damaged", readDamaged);
  const vm = fields.optional("vm", textOf);
  const changeId = fields.optional("changeId", (from, name) => from.text(name, CHANGE_ID));
  return {
    format: "regrain-snapshot",
    version: 1,
    features,
    repository: fields.text("repository", ULID),
    id: fields.text("id", ULID),
    source: { name: source.text("name"), key: source.text("key", /^[a-z0-9][a-z0-9-]{0,80}$/) },
    created: timeOf(fields, "created"),
    tool: fields.text("tool"),
    host: fields.text("host"),
    parent: fields.optional("parent", (from, name) => from.text(name, ULID)),
    sizeBytes: fields.count("sizeBytes", { most: MAX_DISK_BYTES }),
    chunkBytes: checkedChunkBytes(fields),
    root,
    change: {
      method: change.text("method", CHANGE_METHOD) as ChangeMethod,
      reason: change.optional("reason", textOf),
    },
    cid: fields.optional("cid", (from, name) => from.text(name, /^[0-9a-f]{8}$/)),
    ...changeId === undefined ? {} : { changeId },
    ...consistency === undefined ? {} : { consistency },
    ...damaged === undefined ? {} : { damaged },
    ...vm === undefined ? {} : { vm },
    tags: fields.texts("tags"),
    ...retainUntil === undefined ? {} : { retainUntil },
    stats: {
      chunks: stats.count("chunks"),
      newChunks: stats.count("newChunks"),
      readBytes: stats.count("readBytes"),
      storedBytes: stats.count("storedBytes"),
      elapsedMs: stats.count("elapsedMs"),
    },
  };
}

function readDamaged(fields: Fields, name: string): DamagedStretch[] {
  const list = fields.list(name);
  const sizeBytes = fields.count("sizeBytes");
  let end = 0;
  const stretches = list.map((value) => {
    const { start, length } = (value ?? {}) as Partial<DamagedStretch>;
    const isSound = Number.isSafeInteger(start) && Number.isSafeInteger(length) && start! >= end &&
      length! > 0 &&
      start! + length! <= sizeBytes;
    if (!isSound) fields.fail(name, "stretches of the disk in their order");
    end = start! + length!;
    return { start: start!, length: length! };
  });
  const isFine = stretches.length > 0 && stretches.length <= MAX_DAMAGED_STRETCHES;
  return isFine ? stretches : fields.fail(name, `1 to ${MAX_DAMAGED_STRETCHES} stretches`);
}

function checkedChunkBytes(fields: Fields): number {
  const chunkBytes = fields.count("chunkBytes");
  return isChunkSize(chunkBytes)
    ? chunkBytes
    : fields.fail("chunkBytes", "a power of two from 1 MiB to 64 MiB");
}

function readPage(value: unknown, about: { path: string; index: number }): PageReference | null {
  if (value === null) return null;
  const { id, generation, content } = value as Partial<PageReference>;
  const good = typeof id === "string" && parseContentStem(id)?.generation === 0 &&
    Number.isInteger(generation) && generation! >= 0 && generation! <= 255 &&
    typeof content === "string" && HEX_64.test(content);
  if (good) return { id: id!, generation: generation!, content: content! };
  throw new RegrainError("SNAPSHOT_DAMAGED", `page ${about.index} of the map is not named as pages are`, {
    path: about.path,
  });
}
