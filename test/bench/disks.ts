/** The disks that are measured on: one base, its copy, and deltas that come and go. */
import { Buffer } from "node:buffer";
import { type BenchDisk, type BenchPattern, writeBase, writeBenchCase } from "../../fixtures/bench.ts";
import type { DeltaKind } from "../../fixtures/mod.ts";
import { run } from "../helpers/peers.ts";

const COMPARE_BYTES = 8 * 1024 * 1024;
const SEED = 7;
const EMPTY_BASE = "empty";

/** Room that a run needs, in sizes of the disk: base, copy, and at most the deltas of a chain. */
export const ROOM_FACTOR = 2.35;

/** A target with all its pages in place, a copy of it, and an empty base that deltas stand on. */
export class Bench {
  /** What ours and the loop are measured on. It keeps what was applied to it. */
  readonly target: string;
  /** Equal to `target` between cases. */
  readonly copy: string;

  constructor(readonly folder: string, readonly diskBytes: number) {
    this.target = `${folder}/base-flat.vmdk`;
    this.copy = `${folder}/copy.img`;
    writeBase({ path: `${folder}/base.vmdk`, diskBytes });
    const descriptor = Deno.readTextFileSync(`${folder}/base.vmdk`);
    Deno.writeTextFileSync(
      `${folder}/${EMPTY_BASE}.vmdk`,
      descriptor.replace("base-flat", `${EMPTY_BASE}-flat`),
    );
    this.makeEmpty(`${folder}/${EMPTY_BASE}-flat.vmdk`);
    this.makeCopy();
  }

  /** Makes `copy` equal to `target` again. */
  makeCopy(): void {
    run("cp", ["--sparse=never", this.target, this.copy]);
  }

  /** Gives the room of `copy` back. */
  dropCopy(): void {
    removeIfThere(this.copy);
  }

  /** Removes all disks. */
  remove(): void {
    for (const path of [this.target, this.copy, `${this.folder}/${EMPTY_BASE}-flat.vmdk`]) {
      removeIfThere(path);
    }
  }

  /** Makes a disk that is one hole. */
  makeEmpty(path: string): void {
    using file = Deno.openSync(path, { write: true, create: true });
    file.truncateSync(this.diskBytes);
  }

  /** Calls `fn` with one delta over the empty base, and removes the delta. */
  async withDelta<T>(
    spec: { format: DeltaKind; pattern: BenchPattern },
    fn: (delta: BenchDisk) => T | Promise<T>,
  ): Promise<T> {
    const path = `${this.folder}/disk.vmdk`;
    const { diskBytes } = this;
    const delta = writeBenchCase({ ...spec, diskBytes, path, seed: SEED, baseName: `${EMPTY_BASE}.vmdk` });
    try {
      return await fn(delta);
    } finally {
      removeDisk(delta);
    }
  }

  /** The same with a chain, oldest first; each link's CID is its parent's plus one. */
  async withChain<T>(
    formats: readonly DeltaKind[],
    pattern: BenchPattern,
    fn: (chain: readonly BenchDisk[]) => T | Promise<T>,
  ): Promise<T> {
    const chain: BenchDisk[] = [];
    try {
      for (const [i, format] of formats.entries()) {
        const path = `${this.folder}/disk-00000${i + 1}.vmdk`;
        const baseName = i === 0 ? `${EMPTY_BASE}.vmdk` : `disk-00000${i}.vmdk`;
        const { diskBytes } = this;
        const disk = writeBenchCase({ format, pattern, diskBytes, path, seed: SEED + i, baseName });
        chain.push(disk);
        linkTo(disk, i);
      }
      return await fn(chain);
    } finally {
      for (const disk of chain) removeDisk(disk);
    }
  }
}

/** The generator makes every delta a child of the base; in a chain it is the child of the link before. */
function linkTo({ descriptorPath }: BenchDisk, depth: number): void {
  const text = Deno.readTextFileSync(descriptorPath);
  const baseCid = Number.parseInt(/^parentCID=([0-9a-f]{8})$/m.exec(text)![1]!, 16);
  const cid = (links: number) => (baseCid + links).toString(16).padStart(8, "0");
  const linked = text.replace(/^CID=.*$/m, `CID=${cid(depth + 1)}`)
    .replace(/^parentCID=.*$/m, `parentCID=${cid(depth)}`);
  Deno.writeTextFileSync(descriptorPath, linked);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Removes a delta and its descriptor. */
export function removeDisk({ descriptorPath, deltaPath }: BenchDisk): void {
  Deno.removeSync(descriptorPath);
  Deno.removeSync(deltaPath);
}

/**
 * Checks that two files hold the same.
 *
 * @throws {Error} with the first block that differs.
 */
export function assertSame(a: string, b: string, what: string): void {
  using one = Deno.openSync(a);
  using other = Deno.openSync(b);
  const [left, right] = [new Uint8Array(COMPARE_BYTES), new Uint8Array(COMPARE_BYTES)];
  for (let at = 0;; at += COMPARE_BYTES) {
    const length = fill(one, left);
    const same = length === fill(other, right) && sameBytes(left, right, length);
    if (!same) throw new Error(`${what}: ${a} and ${b} differ in the 8 MiB at byte ${at}`);
    if (length < COMPARE_BYTES) return;
  }
}

function fill(file: Deno.FsFile, buffer: Uint8Array): number {
  let length = 0;
  while (length < buffer.length) {
    const got = file.readSync(buffer.subarray(length));
    if (got === null) break;
    length += got;
  }
  return length;
}

function sameBytes(a: Uint8Array, b: Uint8Array, length: number): boolean {
  return Buffer.compare(a.subarray(0, length), b.subarray(0, length)) === 0;
}
