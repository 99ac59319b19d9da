/**
 * A file of which every read costs about a millisecond however short it is: reads of a batch are merged, and where one
 * goes on where the last one ended, more is read than was asked for, and the next stretch while this one is used.
 */
import { type Batch, MIB, RegrainError, type Source } from "../../../core-as/host/mod.ts";
import { readMerged } from "./merged_reads.ts";

/** Ends every read of what was opened together, when something else is opened. */
export interface Life {
  ended: boolean;
  /** What its files may hold of what was read ahead. */
  aheadBytes?: number;
}

const FIRST_AHEAD_BYTES = 1 * MIB;
const MAX_AHEAD_BYTES = 4 * MIB;
/** For all files of a life: a chain may have dozens, walked side by side. */
const MAX_LIFE_BYTES = 64 * MIB;

/** The error of reading what was closed; nobody waits for it any more. */
function closedError(path: string): RegrainError {
  return new RegrainError("READ_FAILED", "the file was closed", { path });
}

/** What becomes of a file that is no longer what was dropped. */
export function vanishedError(path: string, offsetBytes: number, cause: unknown): RegrainError {
  return new RegrainError("READ_FAILED", "the file changed or vanished while it was open", {
    path,
    offsetBytes,
    hint: "open it again; a folder cannot be opened, only the files in it",
    cause,
  });
}

/** A stretch of the file that was read, or is being read. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly bytes: Promise<Uint8Array>;
}

export abstract class SlowSource implements Source {
  /** Newest last; two at most. */
  private held: Stretch[] = [];
  /** Where the last read ended that was asked for. */
  private lastTo = -1;
  /** Read at a time while reads are in sequence; 0 while they are not. */
  private aheadBytes = 0;

  constructor(readonly path: string, readonly sizeBytes: number, private readonly life: Life) {}

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    await readMerged(batch, buffer, (from, to) => this.stretch(from, to));
  }

  close(): void {
    this.forget();
  }

  /** The bytes of a stretch that lies within the file, or an error. */
  protected abstract fetch(from: number, to: number): Promise<Uint8Array>;

  private async stretch(from: number, to: number): Promise<Uint8Array> {
    const { path, sizeBytes } = this;
    if (this.life.ended) throw closedError(path);
    if (to > sizeBytes) {
      throw new RegrainError("READ_SHORT", `the file ends at byte ${sizeBytes}`, { path, offsetBytes: to });
    }
    const isNext = from === this.lastTo;
    this.lastTo = to;
    if (!isNext) this.forget();
    else this.grow();
    if (this.aheadBytes <= to - from) return await this.whole(from, to);
    const found = this.held.find((each) => each.from <= from && each.to >= to) ?? this.start(from);
    const bytes = await found.bytes;
    this.readOn(found);
    return bytes.subarray(from - found.from, to - found.from);
  }

  /** Begins to read what follows a stretch, which is the last one. */
  private readOn(stretch: Stretch): void {
    if (this.aheadBytes === 0 || this.held.at(-1) !== stretch || stretch.to >= this.sizeBytes) return;
    this.start(stretch.to);
  }

  private start(from: number): Stretch {
    const to = Math.min(this.sizeBytes, from + this.aheadBytes);
    const stretch = { from, to, bytes: this.whole(from, to) };
    this.held = [...this.held.slice(-1), stretch];
    // Whoever asks for it is told; when nobody does, nothing was lost.
    stretch.bytes.catch(() => this.held = this.held.filter((each) => each !== stretch));
    return stretch;
  }

  private async whole(from: number, to: number): Promise<Uint8Array> {
    const bytes = await this.fetch(from, to);
    if (bytes.length !== to - from) throw vanishedError(this.path, from, undefined);
    return bytes;
  }

  private grow(): void {
    const wanted = Math.min(MAX_AHEAD_BYTES, this.aheadBytes * 2 || FIRST_AHEAD_BYTES);
    const used = (this.life.aheadBytes ?? 0) + 2 * (wanted - this.aheadBytes);
    if (used > MAX_LIFE_BYTES) return;
    this.life.aheadBytes = used;
    this.aheadBytes = wanted;
  }

  private forget(): void {
    this.life.aheadBytes = (this.life.aheadBytes ?? 0) - 2 * this.aheadBytes;
    this.aheadBytes = 0;
    this.held = [];
  }
}
