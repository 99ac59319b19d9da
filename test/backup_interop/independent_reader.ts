/**
 * A reader of repositories that was written from docs/repository-format.md alone. It shares nothing with the program,
 * so that a page that is wrong or not precise enough is seen.
 */
import { Buffer } from "node:buffer";
import { createDecipheriv, createHash, createHmac, hkdfSync, scryptSync } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { existsSync, readdirSync, readFileSync } from "node:fs";

interface Description {
  readonly format: string;
  readonly version: number;
  readonly id: string;
  readonly chunkBytes: number;
  readonly encryption: "none" | "aes-256-gcm";
  readonly features: readonly string[];
  readonly mac?: string;
  readonly [name: string]: unknown;
}

interface Manifest {
  readonly format: string;
  readonly repository: string;
  readonly id: string;
  readonly source: { readonly name: string };
  readonly sizeBytes: number;
  readonly chunkBytes: number;
  readonly pages:
    readonly ({ readonly id: string; readonly generation: number; readonly content: string } | null)[];
  readonly root: string;
}

const MAC_FIELDS = [
  ...["format", "version", "id", "created", "chunkBytes", "hash", "encryption", "conditionalPut", "features"],
];
const ENTRIES = 1024;
const ENTRY_BYTES = 40;

export class IndependentReader {
  private readonly description: Description;
  private readonly masters: readonly Buffer[];

  constructor(private readonly folder: string, passphrase?: string) {
    this.description = JSON.parse(readFileSync(`${folder}/repo.json`, "utf8"));
    must(this.description.format === "regrain-repository" && this.description.version === 1, "a repository");
    must(this.description.features.every((each) => each === "key-rotation"), "features that are known");
    this.masters = this.description.encryption === "none" ? [] : this.unlock(passphrase!);
    if (this.description.mac !== undefined) this.checkMac(this.description.mac);
  }

  /** The newest snapshot of a disk, put together. */
  restore(name: string): Buffer {
    const manifest = this.newest(name);
    const { sizeBytes, chunkBytes } = manifest;
    const chunks = Math.ceil(sizeBytes / chunkBytes);
    const disk = Buffer.alloc(sizeBytes);
    for (const [number, page] of manifest.pages.entries()) {
      if (page === null) continue;
      const entries = Math.min(ENTRIES, chunks - number * ENTRIES);
      const bytes = this.content("maps", page, entries * ENTRY_BYTES);
      const ids: Buffer[] = [];
      for (let i = 0; i < entries; i++) {
        const entry = bytes.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES);
        ids.push(entry.subarray(8));
        must(entry[0]! <= 1 && entry.readUInt16LE(2) === 0, "an entry");
        if (entry[0] === 0) continue;
        const at = (number * ENTRIES + i) * chunkBytes;
        const chunk = { id: entry.subarray(8).toString("hex"), generation: entry[1]! };
        this.content("chunks", chunk, Math.min(chunkBytes, sizeBytes - at)).copy(disk, at);
      }
      must(sha256(Buffer.concat(ids)) === page.content, "the content of the page");
    }
    return disk;
  }

  private newest(name: string): Manifest {
    const manifests = readdirSync(`${this.folder}/snaps`).flatMap((source) =>
      readdirSync(`${this.folder}/snaps/${source}`).map((file) => this.manifest(`snaps/${source}/${file}`))
    );
    const found =
      manifests.filter((each) => each.source.name === name).sort((a, b) => a.id < b.id ? 1 : -1)[0];
    must(found !== undefined, "a snapshot");
    return found;
  }

  private manifest(key: string): Manifest {
    const stored = readFileSync(`${this.folder}/${key}`);
    const text = (this.masters.length === 0 ? stored : this.decrypt(key, stored)).toString("utf8");
    const [, body, sum] = /^\{"snapshot":(.*),"sha256":"([0-9a-f]{64})"\}\n$/s.exec(text) ?? [];
    must(body !== undefined && sha256(Buffer.from(body)) === sum, "a manifest");
    const manifest: Manifest = JSON.parse(body);
    const sums = manifest.pages.map((page) => page?.content ?? "0".repeat(64));
    must(sha256(Buffer.from(sums.join("\n"))) === manifest.root, "the root");
    must(
      manifest.repository === this.description.id && key.includes(manifest.id),
      "a manifest of this place",
    );
    return manifest;
  }

  private content(kind: string, name: { id: string; generation: number }, plainBytes: number): Buffer {
    const suffix = this.masters.length === 0 ? "zst" : "enc";
    const folder = `${kind}/${name.id.slice(0, 2)}`;
    const named = `${folder}/${name.id}${name.generation === 0 ? "" : `.${name.generation}`}.${suffix}`;
    const key = existsSync(`${this.folder}/${named}`)
      ? named
      : `${folder}/${readdirSync(`${this.folder}/${folder}`).find((file) =>
        file.startsWith(name.id) && file.endsWith(suffix)
      )!}`;
    const stored = readFileSync(`${this.folder}/${key}`);
    const plain = zstdDecompressSync(this.masters.length === 0 ? stored : this.decrypt(key, stored));
    const id = this.masters.length === 0
      ? sha256(plain)
      : createHmac("sha256", this.derive(this.masters[0]!, "regrain id")).update(plain).digest("hex");
    must(plain.length === plainBytes && id === name.id, `the content ${key}`);
    return plain;
  }

  private unlock(passphrase: string): Buffer[] {
    for (const file of readdirSync(`${this.folder}/keys`)) {
      const slot = JSON.parse(readFileSync(`${this.folder}/keys/${file}`, "utf8"));
      const bytes = (name: string) => Buffer.from(slot[name], "base64");
      must(slot.kdf === "scrypt" && 128 * slot.n * slot.r <= 2 ** 29, "a slot");
      const options = { N: slot.n, r: slot.r, p: slot.p, maxmem: 256 * slot.n * slot.r };
      const key = scryptSync(passphrase.normalize("NFKC"), bytes("salt"), 32, options);
      const about = `${this.description.id}\nmaster`;
      const master = open(key, { nonce: bytes("nonce"), sealed: bytes("wrapped"), about });
      if (master === undefined) continue;
      return Array.from({ length: master.length / 32 }, (_, i) => master.subarray(i * 32, i * 32 + 32));
    }
    throw new Error("no slot opens");
  }

  private checkMac(mac: string): void {
    const text = JSON.stringify(MAC_FIELDS.map((name) => this.description[name]));
    const key = this.derive(this.masters.at(-1)!, "regrain mac description");
    must(createHmac("sha256", key).update(text).digest("hex") === mac, "the mac");
  }

  private decrypt(key: string, stored: Buffer): Buffer {
    const about = `${this.description.id}\n${key}`;
    for (const master of [...this.masters].reverse()) {
      const by = this.derive(master, `regrain object ${key}`);
      const plain = open(by, { nonce: stored.subarray(0, 12), sealed: stored.subarray(12), about });
      if (plain !== undefined) return plain;
    }
    throw new Error(`${key} does not open`);
  }

  private derive(master: Buffer, info: string): Buffer {
    return Buffer.from(hkdfSync("sha256", master, this.description.id, info, 32));
  }
}

/** AES-256-GCM; the tag is the last 16 bytes. */
function open(key: Buffer, of: { nonce: Buffer; sealed: Buffer; about: string }): Buffer | undefined {
  const cipher = createDecipheriv("aes-256-gcm", key, of.nonce);
  cipher.setAAD(Buffer.from(of.about));
  cipher.setAuthTag(of.sealed.subarray(-16));
  try {
    return Buffer.concat([cipher.update(of.sealed.subarray(0, -16)), cipher.final()]);
  } catch {
    return undefined;
  }
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`it is not ${what} as docs/repository-format.md has it`);
}
