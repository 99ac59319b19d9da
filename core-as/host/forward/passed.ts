/**
 * The front of a file that has passed by, kept so that it can be read like a file: headers, directories, tables.
 *
 * Pages of zeros cost nothing: directories and tables are mostly empty. Metadata is held in memory up to a limit; what
 * is beyond it, and data that had to be kept because tables stand behind it, goes where room for it is.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import type { Batch, Source } from "../source.ts";
import { KIB, MIB, SECTOR_SIZE } from "../units.ts";
import type { Core } from "../wasm.ts";
import { type ForwardInput, PIPE_NAME, UNKNOWN_SIZE_BYTES } from "./input.ts";
import type { Scratch } from "./kept.ts";

/** Metadata held in memory: enough for the tables of 250 GiB of data twice over. */
const MAX_MEMORY_BYTES = 32 * MIB;
const PAGE_BYTES = 4 * KIB;
const MAX_PIECES = 1_000_000;

/** A stretch that holds more than zeros. */
interface Piece {
  readonly startBytes: number;
  readonly lengthBytes: number;
  /** The bytes, or where they stand in the scratch room. */
  readonly bytes: Uint8Array | number;
}

export class PassedBytes implements Source {
  readonly path = PIPE_NAME;
  /** Bytes of the file, or more as long as nobody knows. */
  sizeBytes = UNKNOWN_SIZE_BYTES;
  private readonly pieces: Piece[] = [];
  private memoryBytes = 0;
  private scratchBytes = 0;
  private endBytes = 0;

  constructor(
    private readonly core: Core,
    private readonly scratch: Scratch,
    /** Sector at which grains may begin: from there on nothing is held in memory. */
    private readonly grainSector: number,
  ) {}

  /** Keeps the next sectors of the input and passes them. */
  async take(input: ForwardInput, sectors: number): Promise<void> {
    const inFront = Math.min(sectors, Math.max(0, this.grainSector - input.sector));
    // Zeros are left out of metadata alone: data full of small holes would become too many pieces.
    await this.addPages(input, inFront * SECTOR_SIZE);
    const restBytes = (sectors - inFront) * SECTOR_SIZE;
    if (restBytes > 0) {
      const skipBytes = inFront * SECTOR_SIZE;
      await this.add(input.position + skipBytes, input.bytes(restBytes, skipBytes));
    }
    input.advance(sectors * SECTOR_SIZE);
    this.endBytes = input.position;
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      const at = batch.at[i]!;
      const lengthBytes = batch.lengthBytes[i]!;
      await this.readOne(batch.offsetBytes[i]!, buffer.subarray(at, at + lengthBytes));
    }
  }

  close(): void {
    // The scratch room belongs to the caller.
  }

  private async readOne(offsetBytes: number, into: Uint8Array): Promise<void> {
    const end = offsetBytes + into.length;
    if (end > this.endBytes) throw this.notPassed(end);
    into.fill(0);
    for (let i = this.firstAt(offsetBytes); i < this.pieces.length; i++) {
      const { startBytes, lengthBytes, bytes } = this.pieces[i]!;
      if (startBytes >= end) return;
      const from = Math.max(offsetBytes, startBytes);
      const to = Math.min(end, startBytes + lengthBytes);
      const part = into.subarray(from - offsetBytes, to - offsetBytes);
      if (typeof bytes === "number") await this.scratch.read(bytes + from - startBytes, part);
      else part.set(bytes.subarray(from - startBytes, to - startBytes));
    }
  }

  private notPassed(endBytes: number): RegrainError {
    if (endBytes > this.sizeBytes) throw new Error(`byte ${endBytes} is behind the end of the file`);
    return new RegrainError("UNSUPPORTED", "a part of the header stands where its tables do not reach", {
      path: PIPE_NAME,
      offsetBytes: endBytes,
      hint: "copy the file here and apply it by its name",
    });
  }

  /** Index of the first piece that ends behind a byte. */
  private firstAt(offsetBytes: number): number {
    let low = 0;
    let high = this.pieces.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { startBytes, lengthBytes } = this.pieces[middle]!;
      if (startBytes + lengthBytes <= offsetBytes) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Keeps the pages that are not zero, neighbours together. */
  private async addPages(input: ForwardInput, lengthBytes: number): Promise<void> {
    let from = 0;
    for (let at = 0; at < lengthBytes; at += PAGE_BYTES) {
      const pageBytes = Math.min(PAGE_BYTES, lengthBytes - at);
      if (this.core.kernels.isZero(this.core.bufferAddress + input.at + at, pageBytes) === 0) continue;
      if (at > from) await this.add(input.position + from, input.bytes(at - from, from));
      from = at + PAGE_BYTES;
    }
    if (from < lengthBytes) await this.add(input.position + from, input.bytes(lengthBytes - from, from));
  }

  private async add(startBytes: number, bytes: Uint8Array): Promise<void> {
    const lengthBytes = bytes.length;
    if (this.pieces.length === MAX_PIECES) {
      throw new RegrainError("LIMIT_EXCEEDED", "too many scattered pieces of the file had to be kept", {
        path: PIPE_NAME,
        offsetBytes: startBytes,
        hint: "copy the file here and apply it by its name",
      });
    }
    const isMetadata = startBytes < this.grainSector * SECTOR_SIZE;
    if (isMetadata && this.memoryBytes + lengthBytes <= MAX_MEMORY_BYTES) {
      this.pieces.push({ startBytes, lengthBytes, bytes: bytes.slice() });
      this.memoryBytes += lengthBytes;
      return;
    }
    await this.scratch.append(bytes);
    this.pieces.push({ startBytes, lengthBytes, bytes: this.scratchBytes });
    this.scratchBytes += lengthBytes;
  }
}
