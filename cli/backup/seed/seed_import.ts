/** Reads a disk out of a bucket of the tool that came before; see `seed_layout.ts`. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { type Codec, type ObjectReader, sha256Hex } from "../../../core-as/host/repo/mod.ts";
import { nativeCodec } from "../codec.ts";
import type { BackupPlan } from "../make/plan.ts";
import {
  MAX_SEED_MANIFEST_BYTES,
  parseSeedManifest,
  type SeedDisk,
  type SeedManifest,
  type SeedPart,
} from "./seed_layout.ts";

/** What zstd may add to bytes that it cannot make smaller. */
const MAX_ADDED_BYTES = 1024 * 1024;

/** @throws {RegrainError} `SNAPSHOT_MISSING`, `SNAPSHOT_DAMAGED`. */
export async function readSeedManifest(store: ObjectReader, disk: SeedDisk): Promise<SeedManifest> {
  const key = `${disk.folder}/manifest.json`;
  const path = `${store.label}/${key}`;
  const bytes = await store.get(key, MAX_SEED_MANIFEST_BYTES);
  if (bytes !== undefined) return parseSeedManifest(bytes, { path, folder: disk.folder });
  throw new RegrainError("SNAPSHOT_MISSING", "is gone since it was listed", { path });
}

/** Reads the whole disk; every part is checked against its sum and its length before a byte of it is used. */
export function planSeedImport(store: ObjectReader, manifest: SeedManifest, chunkBytes: number): BackupPlan {
  const reader = new PartReader(store, manifest);
  return {
    sizeBytes: manifest.sizeBytes,
    method: "import",
    reason: undefined,
    cid: undefined,
    touched: "all",
    rereadable: true,
    read: (chunk, plain) => reader.read(chunk * chunkBytes, plain),
  };
}

/** A part as it is in memory: its content, `undefined` for zeros. */
type Content = Uint8Array | undefined;

/** Reads stretches in ascending order; while one part is used the next is fetched. */
class PartReader {
  private readonly codec: Codec = nativeCodec();
  private current: { index: number; content: Content } | undefined;
  private ahead: { index: number; packed: Promise<Uint8Array<ArrayBuffer> | undefined> } | undefined;

  constructor(private readonly store: ObjectReader, private readonly manifest: SeedManifest) {}

  /** @returns 0, with the buffer left alone, when all of it lies in parts of zeros. */
  async read(startBytes: number, plain: Uint8Array): Promise<number> {
    const { parts } = this.manifest;
    const end = startBytes + plain.length;
    let index = this.partAt(startBytes);
    let isZero = true;
    for (; index < parts.length && parts[index]!.startBytes < end; index++) {
      if (parts[index]!.packing !== "zeros") isZero = false;
    }
    if (isZero) return 0;
    for (index = this.partAt(startBytes); index < parts.length; index++) {
      const part = parts[index]!;
      if (part.startBytes >= end) break;
      const from = Math.max(startBytes, part.startBytes);
      const to = Math.min(end, part.startBytes + part.lengthBytes);
      const content = await this.contentOf(index);
      const [at, until] = [from - startBytes, to - startBytes];
      if (content === undefined) plain.fill(0, at, until);
      else plain.set(content.subarray(from - part.startBytes, to - part.startBytes), at);
    }
    return plain.length;
  }

  private partAt(offsetBytes: number): number {
    const { parts } = this.manifest;
    let low = 0;
    for (let high = parts.length; low < high;) {
      const middle = Math.floor((low + high) / 2);
      const { startBytes, lengthBytes } = parts[middle]!;
      if (startBytes + lengthBytes <= offsetBytes) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private async contentOf(index: number): Promise<Content> {
    if (this.current?.index === index) return this.current.content;
    const part = this.manifest.parts[index]!;
    if (part.packing === "zeros") return undefined;
    const packed = this.ahead?.index === index ? this.ahead.packed : this.fetch(part);
    this.current = undefined;
    const bytes = await packed;
    this.fetchAhead(index + 1);
    const content = await this.unpack(part, bytes);
    this.current = { index, content };
    return content;
  }

  private fetchAhead(from: number): void {
    const { parts } = this.manifest;
    const index = parts.findIndex(({ packing }, i) => i >= from && packing !== "zeros");
    if (index < 0) return;
    const packed = this.fetch(parts[index]!);
    // Whoever takes it in its turn hears of a failure; until then it is not an unhandled one.
    packed.catch(() => undefined);
    this.ahead = { index, packed };
  }

  private fetch({ key, lengthBytes }: SeedPart): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.store.get(key, lengthBytes + MAX_ADDED_BYTES);
  }

  private async unpack(part: SeedPart, packed: Uint8Array<ArrayBuffer> | undefined): Promise<Uint8Array> {
    const { key, sum, packing, lengthBytes } = part;
    const path = `${this.store.label}/${key}`;
    if (packed === undefined) {
      throw new RegrainError("CHUNK_MISSING", "is named by the manifest, and is not there", { path });
    }
    const found = await sha256Hex(packed);
    if (found !== sum) {
      throw new RegrainError("CHUNK_DAMAGED", `has SHA-256 ${found}, and the manifest says ${sum}`, { path });
    }
    try {
      const plain = packing === "none" ? packed : this.codec.decompress(packed, lengthBytes);
      if (plain.length === lengthBytes) return plain;
      throw new Error(`it holds ${plain.length} bytes`);
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new RegrainError("CHUNK_DAMAGED", `does not unpack to ${lengthBytes} bytes: ${what}`, {
        path,
        cause,
      });
    }
  }
}
