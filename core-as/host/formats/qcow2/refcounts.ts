/**
 * Reference counts: how often each cluster is used, beside what the image says. Reading needs none of it. Who writes
 * into an image trusts the counts, and overwrites a cluster that is in use and counted as free.
 *
 * Source: "qcow2 specification", "Host cluster management". The file is gone over a window of clusters at a time, so
 * that the memory does not depend on it; for each window all tables are walked.
 *
 * This module is browser compatible.
 */
import type { Finding } from "../../extent.ts";
import { readBytes, type Source } from "../../source.ts";
import { ceilDiv, formatCount, formatSize, KIB, plural, toSafe } from "../../units.ts";
import { type BitmapPlace, type Qcow2Header, readQcow2Header, type TablePlace } from "./header.ts";
import { readSnapshotEntry } from "./snapshots.ts";

/** Clusters counted at a time: 10 bytes of memory each. */
const WINDOW_CLUSTERS = 2 ** 22;
/** 8 TiB of a file with clusters of 64 KiB: 32 walks over its tables. */
const MAX_CLUSTERS = 2 ** 27;
const PAGE_BYTES = 64 * KIB;
const WORD = 2 ** 32;
/** Counts beyond this are not told apart; those of 32 and 64 bits can be. */
const MANY = 0xffff;
const COPIED = 0x80000000;
const COMPRESSED = 0x40000000;
/** What qemu takes at most. */
const MAX_BITMAPS = 65_535;
const MAX_BITMAP_DIRECTORY_BYTES = 64 * 1024 * KIB;

/** A table of tables: that of the disk, or of a snapshot. */
interface Level1 extends TablePlace {
  /** Snapshots that have the very same one. */
  readonly times: number;
  readonly isActive: boolean;
}

/** What is gathered before anything is counted. */
interface Layout {
  readonly level1: readonly Level1[];
  /** Whole parts of the file that are in use beside those tables. */
  readonly parts: readonly TablePlace[];
  /** Tables whose words name clusters, which nothing else names: counts, and bitmaps. */
  readonly lists: readonly TablePlace[];
}

/** Of a window of clusters: how often each is used, and what its count says. */
class CountWindow {
  readonly used: Uint32Array;
  readonly stored: Uint16Array;

  constructor(readonly first: number, readonly length: number) {
    this.used = new Uint32Array(length);
    this.stored = new Uint16Array(length);
  }

  /** Index of a cluster, or -1 where it is in another window. */
  indexOf(cluster: number): number {
    const index = cluster - this.first;
    return index >= 0 && index < this.length ? index : -1;
  }

  add(cluster: number, times: number): void {
    const index = this.indexOf(cluster);
    if (index >= 0) this.used[index]! += times;
  }
}

/**
 * Compares the reference counts of an image with its tables.
 *
 * @param onFinding Receives `refcount-low` and `copied-wrong`, which are damage unless the image says that it was not
 * closed, and a note with what is leaked.
 * @param windowClusters Clusters that are counted at a time; tests make it small.
 * @throws {RegrainError} what reading the header or a table may.
 */
export async function checkRefcounts(
  file: Source,
  onFinding: (finding: Finding) => void,
  windowClusters = WINDOW_CLUSTERS,
): Promise<void> {
  await new RefcountCheck(file, await readQcow2Header(file), onFinding).run(windowClusters);
}

class RefcountCheck {
  private readonly clusters: number;
  private leaked = 0;
  private firstLeak = 0;

  constructor(
    private readonly file: Source,
    private readonly header: Qcow2Header,
    private readonly onFinding: (finding: Finding) => void,
  ) {
    this.clusters = ceilDiv(file.sizeBytes, header.clusterBytes);
  }

  async run(windowClusters: number): Promise<void> {
    if (this.clusters > MAX_CLUSTERS) {
      const most = formatCount(MAX_CLUSTERS);
      return this.note("refcounts-unread", `reference counts of more than ${most} clusters are not compared`);
    }
    const layout = await this.layout();
    if (layout === undefined) return;
    for (let first = 0; first < this.clusters; first += windowClusters) {
      const window = new CountWindow(first, Math.min(windowClusters, this.clusters - first));
      await this.loadStored(window);
      for (const part of [...layout.parts, ...layout.lists]) this.addStretch(window, part, 1);
      for (const table of layout.level1) this.addStretch(window, table, table.times);
      for (const list of layout.lists) await this.addListed(window, list);
      for (let at = 0; at < this.clusters; at += windowClusters) {
        await this.addTables(window, layout.level1, { first: at, windowClusters });
      }
      this.compare(window);
    }
    if (this.leaked === 0) return;
    const { clusterBytes } = this.header;
    this.note(
      "clusters-leaked",
      `${plural(this.leaked, "cluster")} (${
        formatSize(this.leaked * clusterBytes)
      }) counted as used more often ` +
        "than they are: room that is lost, and harmless (qemu-img check -r leaks frees it)",
      this.firstLeak * clusterBytes,
    );
  }

  /** What is in use beside the tables and what they name; `undefined` where that cannot be told. */
  private async layout(): Promise<Layout | undefined> {
    const { header, file } = this;
    const { clusterBytes, l1, refcounts } = header;
    const parts: TablePlace[] = [{ offsetBytes: 0, lengthBytes: clusterBytes }];
    const level1: Level1[] = [{ ...l1, times: 1, isActive: true }];
    const snapshots = await this.snapshotTables(parts);
    const bitmaps = header.bitmaps === undefined ? [] : await this.bitmapTables(header.bitmaps, parts);
    if (snapshots === undefined || bitmaps === undefined) {
      this.note(
        "refcounts-unread",
        `the tables of its ${snapshots === undefined ? "internal snapshots" : "bitmaps"} cannot be: ` +
          "reference counts are not compared",
      );
      return undefined;
    }
    // Tables of their own are no larger than the file together; what names more of them names some twice.
    const all = [...snapshots, ...bitmaps].reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    if (all > file.sizeBytes) {
      this.note("refcounts-unread", "tables of snapshots overlap: reference counts are not compared");
      return undefined;
    }
    return { level1: [...level1, ...snapshots], parts, lists: [refcounts, ...bitmaps] };
  }

  private async snapshotTables(parts: TablePlace[]): Promise<Level1[] | undefined> {
    const { file, header } = this;
    const { snapshotCount, snapshotsOffsetBytes } = header;
    const found = new Map<string, Level1>();
    let at = snapshotsOffsetBytes;
    for (let i = 0; i < snapshotCount; i++) {
      const { l1, lengthBytes } = await readSnapshotEntry(file, at);
      at += lengthBytes;
      const place = { offsetBytes: l1.offsetBytes, lengthBytes: l1.entries * 8 };
      if (place.lengthBytes === 0) continue;
      if (!this.isCluster(place.offsetBytes) || place.offsetBytes + place.lengthBytes > file.sizeBytes) {
        return undefined;
      }
      const key = `${place.offsetBytes}+${place.lengthBytes}`;
      found.set(key, { ...place, times: (found.get(key)?.times ?? 0) + 1, isActive: false });
    }
    if (snapshotCount > 0) {
      parts.push({ offsetBytes: snapshotsOffsetBytes, lengthBytes: at - snapshotsOffsetBytes });
    }
    return [...found.values()];
  }

  /** The tables of bitmaps; their directory becomes one of the parts. */
  private async bitmapTables(directory: BitmapPlace, parts: TablePlace[]): Promise<TablePlace[] | undefined> {
    const { file } = this;
    const { offsetBytes, lengthBytes, count } = directory;
    const isThere = count <= MAX_BITMAPS && this.isCluster(offsetBytes) &&
      lengthBytes <= MAX_BITMAP_DIRECTORY_BYTES &&
      offsetBytes + lengthBytes <= file.sizeBytes;
    if (!isThere) return undefined;
    parts.push({ offsetBytes, lengthBytes });
    const tables: TablePlace[] = [];
    const view = new DataView((await readBytes(file, offsetBytes, lengthBytes)).buffer);
    let tableBytes = 0;
    for (let i = 0, at = 0; i < count; i++) {
      if (at + 24 > lengthBytes) return undefined;
      const table = {
        offsetBytes: toSafe(view.getBigUint64(at)) ?? 0,
        lengthBytes: view.getUint32(at + 8) * 8,
      };
      tableBytes += table.lengthBytes;
      if (table.offsetBytes + table.lengthBytes > file.sizeBytes || tableBytes > file.sizeBytes) {
        return undefined;
      }
      tables.push(table);
      at += Math.ceil((24 + view.getUint16(at + 18) + view.getUint32(at + 20)) / 8) * 8;
    }
    return tables;
  }

  /** Adds the clusters that the words of a table name. */
  private async addListed(window: CountWindow, table: TablePlace): Promise<void> {
    for await (const words of this.pages(table)) {
      for (const { place } of words) {
        if (this.isCluster(place)) window.add(place / this.header.clusterBytes, 1);
      }
    }
  }

  /** Reads the counts of a window; a block that is not there counts nothing. */
  private async loadStored(window: CountWindow): Promise<void> {
    const { clusterBytes, refcountBits, refcounts } = this.header;
    const perBlock = clusterBytes * 8 / refcountBits;
    const from = Math.floor(window.first / perBlock);
    const to = Math.min(ceilDiv(window.first + window.length, perBlock), refcounts.lengthBytes / 8);
    if (from >= to) return;
    const part = { offsetBytes: refcounts.offsetBytes + from * 8, lengthBytes: (to - from) * 8 };
    for await (const words of this.pages(part)) {
      for (const { place, index } of words) {
        if (!this.isCluster(place)) continue;
        const lengthBytes = Math.min(clusterBytes, this.file.sizeBytes - place);
        const view = new DataView((await readBytes(this.file, place, lengthBytes)).buffer);
        const first = (from + index) * perBlock;
        const end = Math.min(
          window.first + window.length,
          first + Math.floor(lengthBytes * 8 / refcountBits),
        );
        for (let cluster = Math.max(first, window.first); cluster < end; cluster++) {
          window.stored[cluster - window.first] = countAt(view, cluster - first, refcountBits);
        }
      }
    }
  }

  /**
   * Adds the L2 tables of a part of the file, as often as L1 tables name them, and what these name. Each table is read
   * once, however many snapshots share it.
   */
  private async addTables(
    window: CountWindow,
    level1: readonly Level1[],
    { first, windowClusters }: { first: number; windowClusters: number },
  ): Promise<void> {
    const { clusterBytes } = this.header;
    const tables = new CountWindow(first, Math.min(windowClusters, this.clusters - first));
    const active = new Uint8Array(tables.length);
    for (const { times, isActive, ...table } of level1) {
      for await (const words of this.pages(table)) {
        for (const { place: at, isCopied, offsetBytes } of words) {
          const index = this.isCluster(at) ? tables.indexOf(at / clusterBytes) : -1;
          if (index < 0) continue;
          tables.used[index]! += times;
          if (!isActive) continue;
          active[index] = 1;
          this.compareCopied(window, { at, isCopied, offsetBytes }, "L2 table");
        }
      }
    }
    for (let index = 0; index < tables.length; index++) {
      const times = tables.used[index]!;
      if (times === 0) continue;
      window.add(first + index, times);
      await this.addTable(window, (first + index) * clusterBytes, { times, isActive: active[index] === 1 });
    }
  }

  private async addTable(
    window: CountWindow,
    tableAt: number,
    { times, isActive }: { times: number; isActive: boolean },
  ): Promise<void> {
    const { clusterBytes, isExtended } = this.header;
    if (tableAt + clusterBytes > this.file.sizeBytes) return;
    const entryBytes = isExtended ? 16 : 8;
    const view = new DataView((await readBytes(this.file, tableAt, clusterBytes)).buffer);
    for (let at = 0; at < clusterBytes; at += entryBytes) {
      const [high, low] = [view.getUint32(at), view.getUint32(at + 4)];
      if (high === 0 && low === 0) continue;
      if ((high & COMPRESSED) !== 0) {
        this.addStretch(window, this.packedPlace(high, low), times);
        continue;
      }
      const data = (high & 0xffffff) * WORD + (low - low % 512);
      if (data === 0 || !this.isCluster(data)) continue;
      window.add(data / clusterBytes, times);
      if (!isActive) continue;
      const entry = { at: data, isCopied: (high & COPIED) !== 0, offsetBytes: tableAt + at };
      this.compareCopied(window, entry, "data cluster");
    }
  }

  /** Where a compressed cluster is; it ends with the file at the latest. */
  private packedPlace(high: number, low: number): TablePlace {
    const { clusterBytes } = this.header;
    const highOffsetBits = 70 - Math.log2(clusterBytes) - 32;
    const offsetBytes = (high & (2 ** highOffsetBits - 1)) * WORD + low;
    const sectors = ((high & (COMPRESSED - 1)) >>> highOffsetBits) + 1;
    const end = Math.min(this.file.sizeBytes, offsetBytes - offsetBytes % 512 + sectors * 512);
    return { offsetBytes, lengthBytes: Math.max(0, end - offsetBytes) };
  }

  /** The flag says that a cluster is used once, so that who writes may do so in place. */
  private compareCopied(
    window: CountWindow,
    { at, isCopied, offsetBytes }: { at: number; isCopied: boolean; offsetBytes: number },
    what: string,
  ): void {
    const index = window.indexOf(at / this.header.clusterBytes);
    if (index < 0) return;
    const count = window.stored[index]!;
    if ((count === 1) === isCopied) return;
    this.wrong(
      "copied-wrong",
      isCopied
        ? `the entry says that its ${what} is used once, and its reference count is ${count}`
        : `the entry says that its ${what} is shared, and its reference count is 1`,
      offsetBytes,
    );
  }

  /** Adds all clusters that a stretch of the file touches. */
  private addStretch(window: CountWindow, { offsetBytes, lengthBytes }: TablePlace, times: number): void {
    const { clusterBytes } = this.header;
    if (lengthBytes === 0) return;
    const last = Math.min(
      Math.floor((offsetBytes + lengthBytes - 1) / clusterBytes),
      window.first + window.length - 1,
    );
    const first = Math.max(window.first, Math.floor(offsetBytes / clusterBytes));
    for (let cluster = first; cluster <= last; cluster++) {
      window.add(cluster, times);
    }
  }

  private compare(window: CountWindow): void {
    const { clusterBytes } = this.header;
    for (let index = 0; index < window.length; index++) {
      const [used, stored] = [window.used[index]!, window.stored[index]!];
      if (used === stored || used >= MANY && stored >= MANY) continue;
      const cluster = window.first + index;
      if (used < stored) {
        if (this.leaked++ === 0) this.firstLeak = cluster;
        continue;
      }
      const counted = stored === 0 ? "counted as free" : `counted ${stored} times`;
      const message = `a cluster that is used ${used === 1 ? "once" : `${used} times`} is ${counted}: ` +
        "it reads right, and who writes into the image may overwrite it (qemu-img check -r all mends that)";
      this.wrong("refcount-low", message, cluster * clusterBytes);
    }
  }

  /** Of an image that was not closed the counts are behind on purpose, and whoever opens it to write mends them. */
  private wrong(kind: string, message: string, offsetBytes: number): void {
    const severity = this.header.isDirty ? "note" : "damage";
    this.onFinding({ severity, kind, path: this.file.path, offsetBytes, message });
  }

  private note(kind: string, message: string, offsetBytes = this.header.refcounts.offsetBytes): void {
    this.onFinding({ severity: "note", kind, path: this.file.path, offsetBytes, message });
  }

  private isCluster(offsetBytes: number): boolean {
    return offsetBytes > 0 && offsetBytes % this.header.clusterBytes === 0 &&
      offsetBytes < this.file.sizeBytes;
  }

  /** The words of a table that are not zero, a page at a time. */
  private async *pages({ offsetBytes, lengthBytes }: TablePlace): AsyncGenerator<Word[]> {
    for (let done = 0; done < lengthBytes; done += PAGE_BYTES) {
      const pageBytes = Math.min(PAGE_BYTES, lengthBytes - done);
      const view = new DataView((await readBytes(this.file, offsetBytes + done, pageBytes)).buffer);
      const words: Word[] = [];
      for (let at = 0; at + 8 <= pageBytes; at += 8) {
        const [high, low] = [view.getUint32(at), view.getUint32(at + 4)];
        if (high === 0 && low === 0) continue;
        words.push({
          place: (high & 0xffffff) * WORD + (low - low % 512),
          isCopied: (high & COPIED) !== 0,
          index: (done + at) / 8,
          offsetBytes: offsetBytes + done + at,
        });
      }
      yield words;
    }
  }
}

/** A word of a table. */
interface Word {
  /** The byte of the file that it names. */
  readonly place: number;
  readonly isCopied: boolean;
  /** Its number in the table. */
  readonly index: number;
  /** Where it is in the file. */
  readonly offsetBytes: number;
}

/** A count of 1 to 64 bits; those below a byte begin with its lowest bits. */
function countAt(view: DataView, index: number, bits: number): number {
  if (bits < 8) return view.getUint8(Math.floor(index * bits / 8)) >>> (index * bits % 8) & (2 ** bits - 1);
  if (bits === 8) return view.getUint8(index);
  if (bits === 16) return view.getUint16(index * 2);
  if (bits === 32) return Math.min(MANY, view.getUint32(index * 4));
  return view.getUint32(index * 8) > 0 ? MANY : Math.min(MANY, view.getUint32(index * 8 + 4));
}
