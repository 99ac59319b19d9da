/**
 * The disk that backups are measured on: a sparse image, a little more than half of it data that compresses as that of
 * servers does (text, tables of records, and stretches that are packed already), and changes to it.
 */
import { MIB, SECTOR_SIZE } from "../../core-as/host/units.ts";
import { buildCowd, deltaFiles, type Grain, Rng } from "../../fixtures/mod.ts";

/** The disk of the goals; smaller ones have changes in proportion. */
export const GOAL_DISK_BYTES = 8 * 2 ** 30;
const GOAL_DATA_BYTES = 4.6e9;
const GOAL_CHANGES = 2000;
const BLOCK_BYTES = MIB;
const MAX_RUN_BLOCKS = 64;
const MAX_GAP_BLOCKS = 52;
/** Different blocks of each kind that others are made from. */
const POOL_BLOCKS = 24;
/** Places where a block differs from the one it was made from. */
const EDITS = 3000;
const RECORD_BYTES = 32;
const SEED = 5;
/** Places that guests write again and again. */
const HOT_PLACES = 8;
const HOT_SHARE = 0.02;
const HOT_CHANGES = 0.9;

/** Bytes of the disk that were written. */
export interface Change {
  readonly start: number;
  readonly length: number;
}

/** `hot`: nine changes of ten within 2 % of the disk, as guests write. `scattered`: every place is as likely. */
export type ChangePattern = "hot" | "scattered";

/** Writes the image. The same size gives the same bytes. @returns bytes of data in it. */
export function makeImage(path: string, diskBytes: number): number {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  file.truncateSync(diskBytes);
  const rng = new Rng(SEED);
  const blocks = new Blocks(rng);
  const mostBytes = GOAL_DATA_BYTES / GOAL_DISK_BYTES * diskBytes;
  let dataBytes = 0;
  for (let at = 0; at < diskBytes; at += rng.int(MAX_GAP_BLOCKS) * BLOCK_BYTES) {
    for (let run = 1 + rng.int(MAX_RUN_BLOCKS); run > 0 && at < diskBytes; run--, at += BLOCK_BYTES) {
      if (dataBytes >= mostBytes) return dataBytes;
      writeAt(file, at, blocks.next());
      dataBytes += BLOCK_BYTES;
    }
  }
  return dataBytes;
}

/** Blocks of data: half of them text, a third records, the rest without pattern; none like another. */
class Blocks {
  private readonly texts: Uint8Array<ArrayBuffer>[] = [];
  private readonly tables: Uint8Array<ArrayBuffer>[] = [];

  constructor(private readonly rng: Rng) {
    const words = Array.from({ length: 4096 }, () => word(rng));
    for (let i = 0; i < POOL_BLOCKS; i++) {
      this.texts.push(text(rng, words));
      this.tables.push(records(rng));
    }
  }

  next(): Uint8Array<ArrayBuffer> {
    const kind = this.rng.int(100);
    if (kind < 15) return this.rng.bytes(BLOCK_BYTES);
    const pool = kind < 65 ? this.texts : this.tables;
    const block = pool[this.rng.int(POOL_BLOCKS)]!.slice();
    const view = new DataView(block.buffer);
    for (let i = 0; i < EDITS; i++) {
      const place = this.rng.word();
      view.setUint32(place % (BLOCK_BYTES - 4), place ^ i);
    }
    return block;
  }
}

/** Four to sixteen letters, the more frequent ones more often. */
function word(rng: Rng): string {
  const letters = "eeetttaaooiinnsshhrrddlcumwfgypbvk";
  return Array.from({ length: 4 + rng.int(13) }, () => letters[rng.int(letters.length)]).join("");
}

/** A few words are frequent, most are rare. */
function text(rng: Rng, words: readonly string[]): Uint8Array<ArrayBuffer> {
  const chosen: string[] = [];
  for (let length = 0; length < BLOCK_BYTES;) {
    const rank = Math.floor(-300 * Math.log(1 - rng.int(2 ** 32) / 2 ** 32));
    const next = words[Math.min(rank, words.length - 1)]!;
    chosen.push(next);
    length += next.length + 1;
  }
  return new TextEncoder().encode(chosen.join(" ")).slice(0, BLOCK_BYTES);
}

/** Rows of a table: a number that counts, a time that goes on, a kind, a name of a few, and a value. */
function records(rng: Rng): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK_BYTES);
  const view = new DataView(block.buffer);
  let [number, time] = [rng.word(), rng.word()];
  for (let at = 0; at < BLOCK_BYTES; at += RECORD_BYTES) {
    view.setUint32(at, number++, true);
    view.setUint32(at + 4, time += rng.int(50), true);
    view.setUint16(at + 8, rng.int(12), true);
    view.setUint32(at + 12, 0x41424344 + rng.int(64) * 0x01010101, true);
    view.setFloat64(at + 16, rng.int(100_000) / 100, true);
    view.setUint32(at + 28, rng.word() & 0xffff, true);
  }
  return block;
}

/** Changes of 4 to 64 KiB to the first bytes of an image, 2000 to 8 GiB; sizes are as likely below as above 16 KiB. */
export function changeImage(
  path: string,
  changes: { pattern: ChangePattern; seed: number; withinBytes: number },
): Change[] {
  const { pattern, seed, withinBytes } = changes;
  using file = Deno.openSync(path, { write: true });
  const rng = new Rng(seed);
  const blocks = new Blocks(rng);
  const places = Array.from({ length: HOT_PLACES }, () => rng.int(withinBytes * (1 - HOT_SHARE)));
  const list: Change[] = [];
  for (let i = Math.ceil(GOAL_CHANGES * withinBytes / GOAL_DISK_BYTES); i > 0; i--) {
    const pages = Math.round(2 ** (rng.int(4001) / 1000));
    const isHot = pattern === "hot" && rng.int(1000) < 1000 * HOT_CHANGES;
    const wanted = isHot
      ? places[rng.int(HOT_PLACES)]! + rng.int(withinBytes * HOT_SHARE / HOT_PLACES)
      : rng.int(withinBytes);
    const start = Math.min(wanted - wanted % 4096, withinBytes - pages * 4096);
    const change = { start, length: pages * 4096 };
    writeAt(file, start, blocks.next().subarray(0, change.length));
    list.push(change);
  }
  return list;
}

/** Writes the delta that a snapshot would have caught the changes in, as ESXi does, and the list of them. */
export function describeChanges(
  image: string,
  changes: readonly Change[],
  to: { delta: string; list: string },
): void {
  using file = Deno.openSync(image, { read: true });
  const capacitySectors = file.statSync().size / SECTOR_SIZE;
  const sectors = new Set<number>();
  for (const { start, length } of changes) {
    for (let at = start; at < start + length; at += SECTOR_SIZE) sectors.add(at / SECTOR_SIZE);
  }
  const grains = [...sectors].sort((a, b) => a - b).map((index): Grain => {
    const data = new Uint8Array(SECTOR_SIZE);
    file.seekSync(index * SECTOR_SIZE, Deno.SeekMode.Start);
    file.readSync(data);
    return { index, kind: "data", data };
  });
  const { bytes } = buildCowd({ capacitySectors, grainSectors: 1, seed: 0, grains });
  const slash = to.delta.lastIndexOf("/") + 1;
  const files = deltaFiles({ kind: "cowd", bytes, capacitySectors, name: to.delta.slice(slash) });
  for (const [name, content] of Object.entries(files)) {
    Deno.writeFileSync(to.delta.slice(0, slash) + name, content);
  }
  Deno.writeTextFileSync(to.list, JSON.stringify(changes));
}

function writeAt(file: Deno.FsFile, offsetBytes: number, bytes: Uint8Array): void {
  file.seekSync(offsetBytes, Deno.SeekMode.Start);
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}
