/**
 * What makes stored bytes of plain ones and back: zstd, and AES-256-GCM where the repository is encrypted.
 *
 * An encrypted object is `nonce[12] ciphertext tag[16]`; its key is derived from the repository's key and the
 * object's key in the store, which is authenticated too, with the repository's id. So an object that stands under
 * another one's name, or comes from another repository, does not open. Nonces are random: what is encrypted under
 * one name may differ with the version of zstd, so a fixed nonce could meet two messages.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { toHex } from "./names.ts";

export const MASTER_KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What encryption adds to an object. */
export const ENVELOPE_BYTES = NONCE_BYTES + TAG_BYTES;
/** No frame of zstd is shorter: its magic number, two bytes of a header, the three of a block. */
export const LEAST_SEALED_BYTES = 9;

/** zstd, native or WebAssembly. */
export interface Codec {
  compress(plain: Uint8Array): Uint8Array<ArrayBuffer>;
  /** @throws when it is no frame of exactly `plainBytes`; never returns another length. */
  decompress(packed: Uint8Array, plainBytes: number): Uint8Array<ArrayBuffer>;
}

/** The keys of one encrypted repository. */
export class RepositoryKeys {
  private constructor(
    private readonly repository: string,
    /** Oldest first; what is new is encrypted under the last. */
    private readonly masters: readonly CryptoKey[],
    /** Names content, so that nobody can tell from a name what is stored. */
    readonly idKey: Uint8Array<ArrayBuffer>,
  ) {}

  /**
   * @param master 32 random bytes; after a rotation the keys one behind the other, the oldest first. Names of content
   * come from the first for ever, so that what is stored is found again: who knows it may check a guess, and reads
   * nothing newer.
   */
  static async derive(master: Uint8Array<ArrayBuffer>, repository: string): Promise<RepositoryKeys> {
    const keys: CryptoKey[] = [];
    for (let at = 0; at < master.length; at += MASTER_KEY_BYTES) {
      const raw = master.slice(at, at + MASTER_KEY_BYTES);
      keys.push(await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveBits", "deriveKey"]));
    }
    const idKey = await crypto.subtle.deriveBits(hkdf("id", repository), keys[0]!, 256);
    return new RepositoryKeys(repository, keys, new Uint8Array(idKey));
  }

  private get newest(): CryptoKey {
    return this.masters.at(-1)!;
  }

  /** What says that these bytes were written by somebody who has the key, as hexadecimal digits. */
  async mac(purpose: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const raw = await crypto.subtle.deriveBits(hkdf(`mac ${purpose}`, this.repository), this.newest, 256);
    const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return toHex(new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes)));
  }

  async encrypt(key: string, plain: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    const by = await this.keyOf(key, { master: this.newest, use: "encrypt" });
    const text = await crypto.subtle.encrypt(this.gcm(key, nonce), by, plain);
    const sealed = new Uint8Array(NONCE_BYTES + text.byteLength);
    sealed.set(nonce);
    sealed.set(new Uint8Array(text), NONCE_BYTES);
    return sealed;
  }

  /** @returns `undefined` when it was not encrypted for this repository and this key, or was changed. */
  async decrypt(key: string, sealed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (sealed.length < ENVELOPE_BYTES) return undefined;
    for (const master of this.masters.toReversed()) {
      const plain = await this.decryptBy(master, key, sealed);
      if (plain !== undefined) return plain;
    }
    return undefined;
  }

  private async decryptBy(
    master: CryptoKey,
    key: string,
    sealed: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    try {
      const plain = await crypto.subtle.decrypt(
        this.gcm(key, nonce),
        await this.keyOf(key, { master, use: "decrypt" }),
        sealed.subarray(NONCE_BYTES),
      );
      return new Uint8Array(plain);
    } catch (error) {
      if (error instanceof DOMException && error.name === "OperationError") return undefined;
      throw error;
    }
  }

  private gcm(key: string, nonce: Uint8Array<ArrayBuffer>): AesGcmParams {
    return {
      name: "AES-GCM",
      iv: nonce,
      additionalData: new TextEncoder().encode(`${this.repository}\n${key}`),
    };
  }

  private keyOf(
    key: string,
    { master, use }: { master: CryptoKey; use: "encrypt" | "decrypt" },
  ): Promise<CryptoKey> {
    return crypto.subtle.deriveKey(
      hkdf(`object ${key}`, this.repository),
      master,
      { name: "AES-GCM", length: 256 },
      false,
      [use],
    );
  }
}

function hkdf(purpose: string, repository: string): HkdfParams {
  const encoder = new TextEncoder();
  return {
    name: "HKDF",
    hash: "SHA-256",
    salt: encoder.encode(repository),
    info: encoder.encode(`regrain ${purpose}`),
  };
}

/** The id of content: SHA-256, keyed in an encrypted repository. */
export async function contentId(
  plain: Uint8Array<ArrayBuffer>,
  keys: RepositoryKeys | undefined,
): Promise<string> {
  if (keys === undefined) return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", plain)));
  const key = await crypto.subtle.importKey("raw", keys.idKey, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return toHex(new Uint8Array(await crypto.subtle.sign("HMAC", key, plain)));
}

/**
 * The plain bytes of a stored piece of content, whose length and hash are those that are due.
 *
 * @param means.identify As {@link contentId}, where there is a faster one.
 * @throws {RegrainError} `CHUNK_DAMAGED` that says in which way it is not what was stored.
 */
export async function unseal(
  stored: Uint8Array<ArrayBuffer>,
  due: { key: string; path: string; id: string; plainBytes: number },
  means: { codec: Codec; keys: RepositoryKeys | undefined; identify?: (plain: Uint8Array) => string },
): Promise<Uint8Array<ArrayBuffer>> {
  const { key, path, id, plainBytes } = due;
  const packed = means.keys === undefined ? stored : await means.keys.decrypt(key, stored);
  if (packed === undefined) {
    throw new RegrainError("CHUNK_DAMAGED", "was not encrypted for this place, or was changed since", {
      path,
    });
  }
  let plain: Uint8Array<ArrayBuffer>;
  try {
    plain = means.codec.decompress(packed, plainBytes);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new RegrainError("CHUNK_DAMAGED", `does not unpack to ${plainBytes} bytes (${what})`, {
      path,
      cause,
    });
  }
  const found = means.identify === undefined ? await contentId(plain, means.keys) : means.identify(plain);
  if (found === id) return plain;
  throw new RegrainError("CHUNK_DAMAGED", "what it unpacks to does not have the hash in its name", { path });
}
