/**
 * `repo.json`: what a repository is. Written once, when it is made.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { MIB } from "../units.ts";
import { Fields } from "./fields.ts";

export const DESCRIPTION_KEY = "repo.json";
/** No description comes near it. */
export const MAX_DESCRIPTION_BYTES = MIB;
export const MIN_CHUNK_BYTES = MIB;
export const MAX_CHUNK_BYTES = 64 * MIB;
export const DEFAULT_CHUNK_BYTES = 4 * MIB;

/** The feature of a repository whose key was rotated: its slots hold more than one key. */
export const ROTATED = "key-rotation";

/** What the store does with a write that must not replace: refuses it, replaces all the same, does not know it. */
export type ConditionalPut = "atomic" | "ignored" | "rejected";

export interface RepositoryDescription {
  readonly format: "regrain-repository";
  readonly version: 1;
  /** ULID. */
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly chunkBytes: number;
  /** How chunks and pages are named: by their hash, or by a keyed hash where the repository is encrypted. */
  readonly hash: "sha256" | "hmac-sha256";
  readonly encryption: "none" | "aes-256-gcm";
  /** What the store was seen to do when the repository was made. */
  readonly conditionalPut: ConditionalPut;
  /** What a reader must know beyond version 1; an unknown one is a reason to refuse. */
  readonly features: readonly string[];
  /**
   * HMAC-SHA-256 of the fields above under the repository's key, in an encrypted repository, as hexadecimal digits.
   * A description without it was made by an older version; older versions ignore it.
   */
  readonly mac?: string;
}

/** What the MAC of a description is made of: every other field, in one order. */
export function authenticatedText(description: RepositoryDescription): Uint8Array<ArrayBuffer> {
  const { format, version, id, created, chunkBytes, hash, encryption, conditionalPut, features } =
    description;
  const fields = [format, version, id, created, chunkBytes, hash, encryption, conditionalPut, features];
  return new TextEncoder().encode(JSON.stringify(fields));
}

/** `repo.json` as it is stored. */
export function descriptionBytes(description: RepositoryDescription): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(description, null, 2)}\n`);
}

/**
 * Reads `repo.json`.
 *
 * @throws {RegrainError} `REPO_UNSUPPORTED`, `NOT_A_DISK` when it is no description at all.
 */
export function parseDescription(bytes: Uint8Array, path: string): RepositoryDescription {
  const fields = Fields.parse(bytes, { path, code: "REPO_UNSUPPORTED" });
  if (fields.text("format") !== "regrain-repository") fields.fail("format", '"regrain-repository"');
  const version = fields.count("version");
  const features = fields.texts("features");
  const unknown = features.filter((each) => each !== ROTATED);
  if (version !== 1 || unknown.length > 0) {
    const what = version === 1 ? `needs ${unknown.join(", ")}` : `has version ${version}`;
    throw new RegrainError("REPO_UNSUPPORTED", `the repository ${what}, which this version does not know`, {
      path,
      hint: "use a newer regrain",
    });
  }
  const mac = fields.optional("mac", (fields, name) => fields.text(name, /^[0-9a-f]{64}$/));
  return {
    format: "regrain-repository",
    version: 1,
    id: fields.text("id", /^[0-9A-HJKMNP-TV-Z]{26}$/),
    created: fields.text("created"),
    chunkBytes: checkedChunkBytes(fields),
    hash: fields.text("hash", /^(sha256|hmac-sha256)$/) as RepositoryDescription["hash"],
    encryption: fields.text("encryption", /^(none|aes-256-gcm)$/) as RepositoryDescription["encryption"],
    conditionalPut: fields.text("conditionalPut", /^(atomic|ignored|rejected)$/) as ConditionalPut,
    features,
    ...mac === undefined ? {} : { mac },
  };
}

/** True for 1, 2, 4 ... 64 MiB. */
export function isChunkSize(bytes: number): boolean {
  return bytes >= MIN_CHUNK_BYTES && bytes <= MAX_CHUNK_BYTES && Number.isInteger(Math.log2(bytes));
}

function checkedChunkBytes(fields: Fields): number {
  const bytes = fields.count("chunkBytes");
  return isChunkSize(bytes) ? bytes : fields.fail("chunkBytes", "a power of two from 1 MiB to 64 MiB");
}
