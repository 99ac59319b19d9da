/**
 * What stands past the end record of an undo file whose apply is whole: hashes of some of what the apply wrote, and of
 * blocks it left alone. Readers of rbd-diff stop at the end record, so it harms none. It is written once, since
 * until then the end record moves.
 */
import { Buffer } from "node:buffer";
import { KIB, MIB, readBytes, type Source } from "../../core-as/host/mod.ts";
import { sha256Hex } from "./content_hash.ts";

/** A stretch of the disk with the hash of what it held when the apply was whole. */
export interface KnownStretch {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** 16 hexadecimal digits. */
  readonly hash: string;
}

export interface UndoTrailer {
  /** Of what the apply wrote. */
  readonly written: readonly KnownStretch[];
  /** Blocks that the apply left alone, none of them all zeros. */
  readonly untouched: readonly KnownStretch[];
  /** SHA-256 of all records, 64 hexadecimal digits; absent of files that older versions made. */
  readonly saved?: string | undefined;
  /** The descriptor of a VMDK target as it was before it took the delta's ids, byte for byte. */
  readonly descriptor?: Uint8Array | undefined;
  /** The CID that the apply gave it. */
  readonly cidAfter?: number | undefined;
}

/** A longer descriptor is not kept: its ids, which the header has, come back into the one that is there. */
const MAX_DESCRIPTOR_BYTES = 256 * KIB;

const MAGIC = "regrain-undo-trailer";
/** The first line: magic, length in bytes, SHA-256. */
const LINE = new RegExp(`^${MAGIC} (\\d{1,7}) ([0-9a-f]{64})\\n`);
const MAX_LINE_BYTES = 100;
const MAX_BYTES = MIB;

export async function encodeTrailer(trailer: UndoTrailer): Promise<Uint8Array> {
  const short = (stretches: readonly KnownStretch[]) =>
    stretches.map(({ offsetBytes, lengthBytes, hash }) => [offsetBytes, lengthBytes, hash]);
  const { descriptor } = trailer;
  const kept = descriptor !== undefined && descriptor.length <= MAX_DESCRIPTOR_BYTES;
  const text = JSON.stringify({
    written: short(trailer.written),
    untouched: short(trailer.untouched),
    saved: trailer.saved,
    descriptor: kept ? Buffer.from(descriptor).toString("base64") : undefined,
    cidAfter: trailer.cidAfter,
  });
  const bytes = new TextEncoder().encode(text);
  return new TextEncoder().encode(`${MAGIC} ${bytes.length} ${await sha256Hex(bytes)}\n${text}\n`);
}

/** @returns with where it ends in the file; `undefined` when none is there, or not a whole one. */
export async function readTrailer(
  source: Source,
  offsetBytes: number,
): Promise<{ trailer: UndoTrailer; endBytes: number } | undefined> {
  const lineBytes = Math.min(MAX_LINE_BYTES, source.sizeBytes - offsetBytes);
  if (lineBytes <= 0) return undefined;
  const line = LINE.exec(new TextDecoder("latin1").decode(await readBytes(source, offsetBytes, lineBytes)));
  const [head, length, sum] = line ?? [];
  if (head === undefined || Number(length) > MAX_BYTES) return undefined;
  const startBytes = offsetBytes + head.length;
  // A line feed ends it.
  if (startBytes + Number(length) + 1 > source.sizeBytes) return undefined;
  const bytes = await readBytes(source, startBytes, Number(length));
  if (await sha256Hex(bytes) !== sum) return undefined;
  const trailer = trailerOf(JSON.parse(new TextDecoder().decode(bytes)));
  return trailer && { trailer, endBytes: startBytes + bytes.length + 1 };
}

function trailerOf(value: unknown): UndoTrailer | undefined {
  const { written, untouched, saved, descriptor, cidAfter } = (value ?? {}) as Record<string, unknown>;
  const stretches = [written, untouched].map((list) =>
    Array.isArray(list) ? list.map(stretchOf) : [undefined]
  );
  if (stretches.some((list) => list.includes(undefined))) return undefined;
  const [known, alone] = stretches as [KnownStretch[], KnownStretch[]];
  const before = typeof descriptor === "string" ? Buffer.from(descriptor, "base64") : undefined;
  return {
    written: known,
    untouched: alone,
    saved: typeof saved === "string" ? saved : undefined,
    descriptor: before && Uint8Array.from(before),
    cidAfter: typeof cidAfter === "number" ? cidAfter : undefined,
  };
}

function stretchOf(value: unknown): KnownStretch | undefined {
  const [offsetBytes, lengthBytes, hash] = Array.isArray(value) ? value as unknown[] : [];
  if (!Number.isSafeInteger(offsetBytes) || !Number.isSafeInteger(lengthBytes) || typeof hash !== "string") {
    return undefined;
  }
  return { offsetBytes: offsetBytes as number, lengthBytes: lengthBytes as number, hash };
}
