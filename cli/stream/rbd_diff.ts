/**
 * rbd-diff version 1: the stream that Ceph's `rbd export-diff` writes and `rbd import-diff` reads. Undo files
 * are such streams, so that another tool can take them back too.
 *
 * A line `rbd diff v1`, then records of a tag byte and little-endian fields. Metadata first: `f` and `t` (u32
 * length, name of the snapshot the diff starts from and leads to), `s` (u64 size of the image). Then data: `w`
 * (u64 offset, u64 length, the bytes) and `z` (u64 offset, u64 length). `e` ends it. Source: Ceph, "RBD
 * Incremental Backup".
 */
import { RegrainError } from "../../core-as/host/errors.ts";
import { readBytes, type Source } from "../../core-as/host/source.ts";
import { KIB, toSafe } from "../../core-as/host/units.ts";

const MAGIC = new TextEncoder().encode("rbd diff v1\n");
const TAG = { from: 0x66, to: 0x74, size: 0x73, write: 0x77, zero: 0x7a, end: 0x65 } as const;
const RECORD_HEAD_BYTES = 17;
const MAX_NAME_BYTES = 4096;
/** Heads stand between data; one read serves those that are close together. */
const WINDOW_BYTES = 64 * KIB;

/** True when a file starts like an rbd-diff stream. */
export function isRbdDiff(head: Uint8Array): boolean {
  return head.length >= MAGIC.length && MAGIC.every((byte, i) => head[i] === byte);
}

/** The start of a stream. */
export function rbdDiffHeader(meta: { sizeBytes: number; toSnapshot: string }): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(meta.toSnapshot);
  const bytes = new Uint8Array(MAGIC.length + 5 + name.length + 9);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  let at = MAGIC.length;
  bytes[at] = TAG.to;
  view.setUint32(at + 1, name.length, true);
  bytes.set(name, at + 5);
  at += 5 + name.length;
  bytes[at] = TAG.size;
  view.setBigUint64(at + 1, BigInt(meta.sizeBytes), true);
  return bytes;
}

/** The head of a data record; for `write` the bytes follow it. */
export function rbdDiffRecord(
  record: { kind: "write" | "zero"; offsetBytes: number; lengthBytes: number },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RECORD_HEAD_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = record.kind === "write" ? TAG.write : TAG.zero;
  view.setBigUint64(1, BigInt(record.offsetBytes), true);
  view.setBigUint64(9, BigInt(record.lengthBytes), true);
  return bytes;
}

/** What ends a stream. */
export function rbdDiffEnd(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(TAG.end);
}

/** A data record, with where its bytes stand in the stream. */
export interface RbdDiffRecord {
  readonly kind: "write" | "zero";
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** Byte of the file at which the data starts; only of `write`. */
  readonly dataAt: number;
}

/** What a stream says of itself. */
export interface RbdDiffMeta {
  readonly sizeBytes: number;
  readonly fromSnapshot: string | undefined;
  readonly toSnapshot: string | undefined;
}

/** How far a stream goes. */
export interface RbdDiffExtent {
  /** Where the end record stands, in bytes of the file. */
  readonly endBytes: number;
  /** End of the furthest record, in bytes of the image. */
  readonly reachedBytes: number;
}

/** An rbd-diff file that can be read at any offset. */
export class RbdDiff {
  private constructor(
    private readonly bytes: WindowedSource,
    readonly meta: RbdDiffMeta,
    /** Where the first record is, in bytes of the file. */
    readonly dataStartBytes: number,
  ) {}

  /** @throws {RegrainError} `NOT_A_DISK`, `TRUNCATED`, `DAMAGED`. */
  static async open(source: Source): Promise<RbdDiff> {
    const bytes = new WindowedSource(source);
    const head = await readBytes(source, 0, Math.min(source.sizeBytes, MAGIC.length));
    if (!isRbdDiff(head)) {
      throw new RegrainError("NOT_A_DISK", "not an rbd-diff stream", { path: source.path, offsetBytes: 0 });
    }
    let sizeBytes: number | undefined;
    const names: { from?: string; to?: string } = {};
    let at = MAGIC.length;
    for (;;) {
      const tag = await bytes.u8(at);
      if (tag === TAG.size) {
        sizeBytes = await bytes.u64(at + 1, "the size of the image");
        at += 9;
      } else if (tag === TAG.from || tag === TAG.to) {
        const { text, next } = await bytes.name(at + 1);
        names[tag === TAG.from ? "from" : "to"] = text;
        at = next;
      } else break;
    }
    if (sizeBytes === undefined) {
      throw bytes.error("DAMAGED", "the stream does not tell the size of its image", at);
    }
    return new RbdDiff(bytes, { sizeBytes, fromSnapshot: names.from, toSnapshot: names.to }, at);
  }

  /**
   * Data records in the order of the file, each checked against the image's size and the file's end.
   *
   * @throws {RegrainError} `TRUNCATED` when the stream ends without its end record, `DAMAGED`.
   */
  async *records(): AsyncGenerator<RbdDiffRecord> {
    for (let at = this.dataStartBytes;;) {
      const tag = await this.bytes.u8(at);
      if (tag === TAG.end) return;
      const record = await this.recordAt(at, tag);
      yield record;
      at = endOf(record, at);
    }
  }

  /** Reads all records; throws like {@link records}. */
  async extent(): Promise<RbdDiffExtent> {
    let endBytes = this.dataStartBytes;
    let reachedBytes = 0;
    for await (const record of this.records()) {
      endBytes = endOf(record, record.dataAt - RECORD_HEAD_BYTES);
      reachedBytes = Math.max(reachedBytes, record.offsetBytes + record.lengthBytes);
    }
    return { endBytes, reachedBytes };
  }

  private async recordAt(at: number, tag: number): Promise<RbdDiffRecord> {
    if (tag !== TAG.write && tag !== TAG.zero) {
      throw this.bytes.error("DAMAGED", `a record with tag 0x${tag.toString(16)}, which there is not`, at);
    }
    const offsetBytes = await this.bytes.u64(at + 1, "an offset");
    const lengthBytes = await this.bytes.u64(at + 9, "a length");
    const imageEnd = offsetBytes + lengthBytes;
    if (imageEnd > this.meta.sizeBytes) {
      throw this.bytes.error(
        "DAMAGED",
        `a record reaches to byte ${imageEnd}, the image has ${this.meta.sizeBytes}`,
        at,
      );
    }
    const kind = tag === TAG.write ? "write" : "zero";
    const record: RbdDiffRecord = { kind, offsetBytes, lengthBytes, dataAt: at + RECORD_HEAD_BYTES };
    const end = endOf(record, at);
    if (end <= this.bytes.sizeBytes) return record;
    throw this.bytes.error(
      "TRUNCATED",
      `a record reaches to byte ${end}, the file ends at ${this.bytes.sizeBytes}`,
      at,
    );
  }
}

/** Small fields of a file, read through a window. */
class WindowedSource {
  readonly sizeBytes: number;
  private window = { offsetBytes: 0, bytes: new Uint8Array(0) };

  constructor(private readonly source: Source) {
    this.sizeBytes = source.sizeBytes;
  }

  async u8(at: number): Promise<number> {
    return (await this.view(at, 1)).getUint8(0);
  }

  /** A u64 that counts bytes of an image. A volume may be larger than any virtual disk, so 2^53 is the limit. */
  async u64(at: number, what: string): Promise<number> {
    const value = toSafe((await this.view(at, 8)).getBigUint64(0, true));
    if (value === undefined) {
      throw this.error("DAMAGED", `${what} beyond 2^53 bytes`, at);
    }
    return value;
  }

  /** A name behind its u32 length. */
  async name(at: number): Promise<{ text: string; next: number }> {
    const length = (await this.view(at, 4)).getUint32(0, true);
    if (length > MAX_NAME_BYTES) throw this.error("DAMAGED", `a snapshot name of ${length} bytes`, at);
    return { text: new TextDecoder().decode(await this.view(at + 4, length)), next: at + 4 + length };
  }

  error(code: "TRUNCATED" | "DAMAGED", message: string, offsetBytes: number): RegrainError {
    return new RegrainError(code, message, { path: this.source.path, offsetBytes });
  }

  private async view(at: number, length: number): Promise<DataView> {
    if (at + length > this.sizeBytes) {
      throw this.error("TRUNCATED", "the stream ends without its end record", this.sizeBytes);
    }
    const { offsetBytes, bytes } = this.window;
    if (at < offsetBytes || at + length > offsetBytes + bytes.length) {
      const span = Math.min(Math.max(WINDOW_BYTES, length), this.sizeBytes - at);
      this.window = { offsetBytes: at, bytes: await readBytes(this.source, at, span) };
    }
    const window = this.window;
    return new DataView(window.bytes.buffer, window.bytes.byteOffset + at - window.offsetBytes, length);
  }
}

function endOf(record: RbdDiffRecord, at: number): number {
  return at + RECORD_HEAD_BYTES + (record.kind === "write" ? record.lengthBytes : 0);
}
