/**
 * Reads back what an apply wrote, from the medium, and compares it with the links it came from.
 *
 * It is the same walk as the apply's. What the links hold goes into one half of the kernels' buffer, what the target
 * holds into the other. With `hash` all of the target is read, in order, and only what was written is compared.
 */
import type { Hash } from "node:crypto";
import {
  Batch,
  damagedRun,
  Differences,
  type Disk,
  type FirstDifference,
  GIB,
  type RegrainError,
  type RunList,
  SECTOR_SIZE,
  type SectorRange,
  STRICT,
  type Target,
} from "../../core-as/host/mod.ts";
import { dropCaches, readBackOtherwise } from "../target/read_back.ts";
import { inBothLanes, type LaneForHire, type VerifiedPart } from "./lanes.ts";

/** SHA-256 sums of a target, in hexadecimal digits. */
export interface Sums {
  /**
   * Over the bytes of all data and zero runs of the merged links, in ascending order, end to end, as the target holds
   * them. Where the runs are, `regrain map` tells.
   */
  readonly written: string;
  /** Over the whole target, as `sha256sum` gives it; of a VMDK, over the disk that its extents make up. */
  readonly target: string;
}

/** What a verification found; it throws when anything differs. */
export interface Verification {
  /** Bytes of data and zeros that are on the target as they should be. */
  readonly verifiedBytes: number;
  /** Why what was read may have come from memory and not from the medium, one sentence each. */
  readonly obstacles: readonly string[];
  readonly sums: Sums | undefined;
}

/** Bytes passed so far. */
export interface VerifyCounts {
  verifiedBytes: number;
  /** What was not written; with `hash` it is read all the same. */
  otherBytes: number;
}

export interface VerifyOptions {
  /** Reads all of the target and sums it up. */
  readonly hash: boolean;
  /** A second lane that helps; sums are made in the order of the disk, by one. */
  readonly second?: LaneForHire | undefined;
  /** Called after every buffer. */
  readonly onProgress?: (counts: Readonly<VerifyCounts>) => void;
}

/**
 * Compares the target with `disk`, which was applied to it. To be called after `flush`, without which nothing need have
 * reached the medium.
 *
 * @throws {RegrainError} `VERIFY_FAILED` with the first byte that differs and how many do, once all has been looked
 * at; what reading the links and the target may.
 */
export async function verifyTarget(
  disk: Disk,
  target: Target,
  options: VerifyOptions,
): Promise<Verification> {
  const obstacles = dropCaches(target);
  const { onProgress, second } = options;
  const hashes = options.hash ? await newHashes() : undefined;
  const whole = { fromSector: 0, toSector: disk.capacitySectors };
  const part = second && !hashes
    ? await verifyInLanes(disk, target, { onProgress, second })
    : await verifyStripes(disk, target, { ranges: [whole], onProgress, hashes });
  if (part.first) throw failed(target, part, part.first);
  const sums = hashes && { written: hashes.written.digest("hex"), target: hashes.target.digest("hex") };
  return { verifiedBytes: part.verifiedBytes, obstacles, sums };
}

async function verifyInLanes(
  disk: Disk,
  target: Target,
  { onProgress, second }: { onProgress: VerifyOptions["onProgress"]; second: LaneForHire },
): Promise<VerifiedPart> {
  const { own, other } = await inBothLanes(second, {
    task: "verify",
    sparse: "auto",
    own: (board) =>
      verifyStripes(disk, target, {
        ranges: board.stripes(disk),
        onProgress: (counts) => onProgress?.(board.addPublished(counts)),
      }),
  });
  if (own.status === "rejected") throw own.reason;
  if (other.status === "rejected") throw other.reason;
  return sumOfParts(own.value, other.value);
}

function sumOfParts(a: VerifiedPart, b: VerifiedPart): VerifiedPart {
  const firsts = [a.first, b.first].filter((first) => first !== undefined);
  return {
    verifiedBytes: a.verifiedBytes + b.verifiedBytes,
    otherBytes: a.otherBytes + b.otherBytes,
    differingBytes: a.differingBytes + b.differingBytes,
    differingBlocks: a.differingBlocks + b.differingBlocks,
    first: firsts.toSorted((one, two) => one.offsetBytes - two.offsetBytes)[0],
  };
}

/**
 * Compares stretches of the target with `disk`; tells what differs, and does not throw for it.
 *
 * @throws {RegrainError} what reading the links and the target may.
 */
export async function verifyStripes(
  disk: Disk,
  target: Target,
  work: {
    readonly ranges: Iterable<SectorRange>;
    readonly onProgress?: ((counts: Readonly<VerifyCounts>) => void) | undefined;
    readonly hashes?: Hashes | undefined;
  },
): Promise<VerifiedPart> {
  const verifier = new Verifier(disk, target, work);
  for (const range of work.ranges) {
    for await (const { list } of disk.walk(STRICT, range)) await verifier.take(list);
  }
  return await verifier.finish();
}

/** Sums in the making. */
interface Hashes {
  readonly written: Hash;
  readonly target: Hash;
}

/** Loading the hashes costs every other run its time. */
async function newHashes(): Promise<Hashes> {
  const { createHash } = await import("node:crypto");
  return { written: createHash("sha256"), target: createHash("sha256") };
}

/** What the target is to be compared with: data of a medium, zeros, or nothing where nothing was written. */
type Expected =
  | { readonly kind: "data"; readonly owner: number; readonly placeBytes: number }
  | { readonly kind: "zero" }
  | { readonly kind: "any" };

interface Stretch {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

const ZERO: Expected = { kind: "zero" };
const ANY: Expected = { kind: "any" };
/** Where the target knows its holes it is asked for this much at a time. */
const RUNS_STEP_BYTES = GIB;

class Verifier {
  readonly counts: VerifyCounts = { verifiedBytes: 0, otherBytes: 0 };
  private readonly differences: Differences;
  /** The second half of the buffer, where the target's bytes go. */
  private readonly found: Uint8Array;
  /** What to read of the target, and the part of it that is compared. Places count from the start of a half. */
  private readonly reads = new Batch();
  private readonly checks = new Batch();
  private readonly sums: Hashes | undefined;
  private filledBytes = 0;

  constructor(
    private readonly disk: Disk,
    private readonly target: Target,
    private readonly options: {
      readonly hashes?: Hashes | undefined;
      readonly onProgress?: VerifyOptions["onProgress"] | undefined;
    },
  ) {
    const { buffer } = disk.core;
    this.found = buffer.subarray(buffer.length / 2);
    this.differences = new Differences(disk.core);
    this.sums = options.hashes;
  }

  async take(list: RunList): Promise<void> {
    for (let i = 0; i < list.count; i++) {
      const place = list.place(i);
      const kind = this.disk.kindOf(place);
      if (kind === "damaged") throw damagedRun(this.disk, list.start(i));
      const stretch = {
        offsetBytes: list.start(i) * SECTOR_SIZE,
        lengthBytes: list.length(i) * SECTOR_SIZE,
      };
      if (kind === "data") {
        const owner = list.owner(i);
        await this.gather(stretch, { kind, owner, placeBytes: place * SECTOR_SIZE });
      } else if (kind === "zero") await this.addZeros(stretch);
      else await this.addUnwritten(stretch);
    }
  }

  /** Looks at what is left, and tells what was found. */
  async finish(): Promise<VerifiedPart> {
    const { sizeBytes } = this.disk;
    const tailBytes = this.target.sizeBytes - sizeBytes;
    if (this.sums && tailBytes > 0) {
      await this.gather({ offsetBytes: sizeBytes, lengthBytes: tailBytes }, ANY);
    }
    await this.compare();
    const { bytes, blocks, first } = this.differences;
    return { ...this.counts, differingBytes: bytes, differingBlocks: blocks, first };
  }

  private async addUnwritten(stretch: Stretch): Promise<void> {
    if (this.sums) return await this.gather(stretch, ANY);
    this.counts.otherBytes += stretch.lengthBytes;
  }

  /** A hole of the target is zeros by what a hole is, and need not be read. */
  private async addZeros(stretch: Stretch): Promise<void> {
    if (this.sums || !this.target.runs) return await this.gather(stretch, ZERO);
    const end = stretch.offsetBytes + stretch.lengthBytes;
    for (let from = stretch.offsetBytes; from < end; from += RUNS_STEP_BYTES) {
      for (const run of await this.target.runs(from, Math.min(end, from + RUNS_STEP_BYTES))) {
        if (run.kind !== "data") this.counts.verifiedBytes += run.length;
        else await this.gather({ offsetBytes: run.start, lengthBytes: run.length }, ZERO);
      }
    }
  }

  /** Cuts a stretch into pieces of the buffer's free room. */
  private async gather(stretch: Stretch, expected: Expected): Promise<void> {
    for (let doneBytes = 0; doneBytes < stretch.lengthBytes;) {
      if (this.filledBytes === this.found.length) await this.compare();
      const lengthBytes = Math.min(stretch.lengthBytes - doneBytes, this.found.length - this.filledBytes);
      const at = this.filledBytes;
      this.expect(expected, { doneBytes, lengthBytes, at });
      const piece = { offsetBytes: stretch.offsetBytes + doneBytes, lengthBytes, at };
      this.reads.add(piece);
      if (expected.kind !== "any") this.checks.add(piece);
      this.filledBytes += lengthBytes;
      doneBytes += lengthBytes;
    }
  }

  /** Sees to it that the first half of the buffer will hold what the target should. */
  private expect(expected: Expected, piece: { doneBytes: number; lengthBytes: number; at: number }): void {
    const { doneBytes, lengthBytes, at } = piece;
    if (expected.kind === "zero") this.disk.core.buffer.fill(0, at, at + lengthBytes);
    if (expected.kind !== "data") return;
    this.disk.queue(expected.owner, { offsetBytes: expected.placeBytes + doneBytes, lengthBytes, at });
  }

  /** Reads what is gathered from both sides, compares it, and sums it up. */
  private async compare(): Promise<void> {
    if (this.filledBytes === 0) return;
    const { reads, checks, found, sums } = this;
    await this.disk.readQueued(this.disk.core.buffer);
    await this.target.read(reads, found);
    for (let i = 0; i < checks.count; i++) {
      const at = checks.at[i]!;
      const lengthBytes = checks.lengthBytes[i]!;
      this.differences.add({ offsetBytes: checks.offsetBytes[i]!, lengthBytes, at });
      sums?.written.update(found.subarray(at, at + lengthBytes));
    }
    sums?.target.update(found.subarray(0, this.filledBytes));
    this.counts.verifiedBytes += checks.totalBytes;
    this.counts.otherBytes += reads.totalBytes - checks.totalBytes;
    reads.clear();
    checks.clear();
    this.filledBytes = 0;
    this.options.onProgress?.(this.counts);
  }
}

function failed(target: Target, part: VerifiedPart, { offsetBytes, values }: FirstDifference): RegrainError {
  const [expected, found] = values;
  const { differingBytes: bytes, differingBlocks: blocks } = part;
  return readBackOtherwise(target, { bytes, blocks, first: { offsetBytes, expected, found } });
}
