/**
 * Key slots: the repository's key, wrapped once for every passphrase. Changing a passphrase changes a slot, and
 * nothing that is stored.
 */
import { scrypt } from "node:crypto";
import { RegrainError } from "../../core-as/host/errors.ts";
import {
  Fields,
  MASTER_KEY_BYTES,
  type ObjectStore,
  type RepositoryDescription,
} from "../../core-as/host/repo/mod.ts";
import { copiedSlots, copyKey, pointToRepair, removeSlotsAndCopies, slotKey } from "./second_copies.ts";

/** 128 MiB and a third of a second a try (RFC 7914 for the parameters' meaning). */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 } as const;
/** What a slot may ask for: more would let a hostile repository take the machine's memory, and its time. */
const MAX_SCRYPT_BYTES = 512 * 1024 * 1024;
/** As many tries as one with {@link SCRYPT}: a second and a half. */
const MAX_SCRYPT_TRIES = 4;
const SALT_BYTES = 32;
const NONCE_BYTES = 12;
export const MAX_SLOT_BYTES = 64 * 1024;
export const MAX_SLOTS = 100;
/** Rotations beyond it want a new repository, by repo copy. */
export const MAX_KEYS = 64;

/** A slot as lists show it. */
export interface KeySlot {
  readonly id: string;
  readonly label: string;
  /** ISO 8601, UTC. */
  readonly created: string;
}

interface StoredSlot extends KeySlot {
  readonly n: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly wrapped: Uint8Array<ArrayBuffer>;
}

/** A new repository's key. */
export function newMasterKey(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(MASTER_KEY_BYTES));
}

/**
 * The keys of a repository with a new one behind them.
 *
 * @throws {RegrainError} `LIMIT_EXCEEDED`.
 */
export function withNewKey(master: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (master.length / MASTER_KEY_BYTES >= MAX_KEYS) {
    throw new RegrainError("LIMIT_EXCEEDED", `a repository has ${MAX_KEYS} keys at most`, {
      hint: "regrain repo copy makes one with a key of its own",
    });
  }
  const rotated = new Uint8Array(master.length + MASTER_KEY_BYTES);
  rotated.set(master);
  rotated.set(newMasterKey(), master.length);
  return rotated;
}

/** Ids of the slots that a passphrase opens. */
export async function slotsOpenedBy(
  store: ObjectStore,
  by: { passphrase: string; repository: string },
): Promise<string[]> {
  const opened: string[] = [];
  for (const slot of await readSlots(store)) if (await openSlot(slot, by) !== undefined) opened.push(slot.id);
  return opened;
}

/** Adds a slot that a passphrase opens. */
export async function addSlot(
  store: ObjectStore,
  master: Uint8Array<ArrayBuffer>,
  slot: { passphrase: string; repository: string; id: string; label: string; nowMs: number },
): Promise<KeySlot> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const { id, label } = slot;
  const created = new Date(slot.nowMs).toISOString();
  const key = await wrappingKey(slot.passphrase, { ...SCRYPT, n: SCRYPT.N, salt }, "encrypt");
  const wrapped = await crypto.subtle.encrypt(gcm(nonce, slot.repository), key, master);
  const document = {
    version: 1,
    label,
    created,
    kdf: "scrypt",
    n: SCRYPT.N,
    r: SCRYPT.r,
    p: SCRYPT.p,
    salt: salt.toBase64(),
    cipher: "aes-256-gcm",
    nonce: nonce.toBase64(),
    wrapped: new Uint8Array(wrapped).toBase64(),
  };
  const bytes = new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`);
  await store.put(slotKey(id), bytes, { ifAbsent: true });
  await store.put(copyKey(slotKey(id)), bytes, { ifAbsent: true });
  return { id, label, created };
}

export async function listSlots(store: ObjectStore): Promise<KeySlot[]> {
  return (await readSlots(store)).map(({ id, label, created }) => ({ id, label, created }));
}

/**
 * Removes a slot, and its copy; a copy that an older version left behind as well.
 *
 * @throws {RegrainError} `USAGE` for the last one, without which nothing could be read, and for one that is not there.
 */
export async function removeSlot(store: ObjectStore, id: string): Promise<void> {
  const slots = await readSlots(store);
  if (!slots.some((slot) => slot.id === id)) {
    if ((await copiedSlots(store)).includes(id)) return await store.remove([copyKey(slotKey(id))]);
    throw new RegrainError("USAGE", `there is no key slot ${id}`, {
      path: store.label,
      hint: slots.map((slot) => `${slot.id} ${slot.label}`).join(", "),
    });
  }
  if (slots.length === 1) {
    throw new RegrainError("USAGE", "this is the last key slot, and without it nothing could be read", {
      path: store.label,
      hint: "add another one first: regrain repo key add",
    });
  }
  await removeSlotsAndCopies(store, [id]);
}

/**
 * The repository's key, by a passphrase.
 *
 * @throws {RegrainError} `REPO_KEY` when it opens no slot.
 */
export async function unlockRepository(
  store: ObjectStore,
  { id }: RepositoryDescription,
  passphrase: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const slots = await readSlots(store);
  for (const slot of slots) {
    const master = await openSlot(slot, { passphrase, repository: id });
    if (master !== undefined) return master;
  }
  const tried = slots.length === 1 ? "the one key slot" : `any of ${slots.length} key slots`;
  throw new RegrainError("REPO_KEY", `the passphrase does not open ${tried}`, {
    path: store.label,
    ...slots.length === 0
      ? {
        hint:
          "regrain repo repair puts lost key slots back from their copies, regrain repo key import FILE from an export",
      }
      : {
        hint:
          "regrain repo key list says whose passphrases open it, and needs none; another case or blank makes another " +
          "passphrase",
      },
  });
}

async function openSlot(
  slot: StoredSlot,
  by: { passphrase: string; repository: string },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const key = await wrappingKey(by.passphrase, slot, "decrypt");
  try {
    const master = await crypto.subtle.decrypt(gcm(slot.nonce, by.repository), key, slot.wrapped);
    const keys = master.byteLength / MASTER_KEY_BYTES;
    return Number.isInteger(keys) && keys >= 1 && keys <= MAX_KEYS ? new Uint8Array(master) : undefined;
  } catch (error) {
    if (error instanceof DOMException && error.name === "OperationError") return undefined;
    throw error;
  }
}

async function readSlots(store: ObjectStore): Promise<StoredSlot[]> {
  const slots: StoredSlot[] = [];
  for await (const { key } of store.list("keys/")) {
    const [, id] = /^keys\/([A-Za-z0-9_-]+)\.json$/.exec(key) ?? [];
    if (id === undefined) continue;
    const bytes = await store.get(key, MAX_SLOT_BYTES);
    if (bytes !== undefined) slots.push(readSlot(bytes, { id, path: `${store.label}/${key}` }));
    if (slots.length > MAX_SLOTS) {
      throw new RegrainError("LIMIT_EXCEEDED", `there are more than ${MAX_SLOTS} key slots`, {
        path: store.label,
      });
    }
  }
  return slots;
}

/** Whether bytes are a key slot, whatever opens it. */
export function isSlot(bytes: Uint8Array): boolean {
  try {
    parseSlot(bytes, { id: "", path: "" });
    return true;
  } catch (error) {
    if (error instanceof RegrainError) return false;
    throw error;
  }
}

/** Whether a passphrase opens a slot that was read. */
export async function opensSlot(
  bytes: Uint8Array,
  by: { passphrase: string; repository: string },
): Promise<boolean> {
  return await openSlot(parseSlot(bytes, { id: "", path: "" }), by) !== undefined;
}

function readSlot(bytes: Uint8Array, about: { id: string; path: string }): StoredSlot {
  try {
    return parseSlot(bytes, about);
  } catch (error) {
    throw error instanceof RegrainError ? pointToRepair(error) : error;
  }
}

function parseSlot(bytes: Uint8Array, { id, path }: { id: string; path: string }): StoredSlot {
  const fields = Fields.parse(bytes, { path, code: "REPO_UNSUPPORTED" });
  if (fields.count("version") !== 1) fields.fail("version", "1");
  fields.text("kdf", /^scrypt$/);
  fields.text("cipher", /^aes-256-gcm$/);
  const slot = {
    id,
    label: fields.text("label"),
    created: fields.text("created"),
    n: fields.count("n", { least: 2 }),
    r: fields.count("r", { least: 1 }),
    p: fields.count("p", { least: 1, most: 16 }),
    salt: base64(fields, "salt"),
    nonce: base64(fields, "nonce"),
    wrapped: base64(fields, "wrapped"),
  };
  if (!Number.isInteger(Math.log2(slot.n))) fields.fail("n", "a power of two");
  const tries = slot.n * slot.r * slot.p / (SCRYPT.N * SCRYPT.r * SCRYPT.p);
  if (128 * slot.n * slot.r > MAX_SCRYPT_BYTES || tries > MAX_SCRYPT_TRIES) {
    throw new RegrainError(
      "LIMIT_EXCEEDED",
      "a key slot asks for more than 512 MiB of memory, or for more time",
      {
        path,
        hint: "no version of regrain made it: remove it from the store, and look who could write there",
      },
    );
  }
  return slot;
}

function base64(fields: Fields, name: string): Uint8Array<ArrayBuffer> {
  const text = fields.text(name, /^[A-Za-z0-9+/]{4,}={0,2}$/);
  try {
    return Uint8Array.fromBase64(text);
  } catch (error) {
    if (error instanceof SyntaxError) return fields.fail(name, "bytes in base64");
    throw error;
  }
}

function wrappingKey(
  passphrase: string,
  { n, r, p, salt }: { n: number; r: number; p: number; salt: Uint8Array<ArrayBuffer> },
  use: "encrypt" | "decrypt",
): Promise<CryptoKey> {
  return new Promise((resolve, reject) => {
    const options = { N: n, r, p, maxmem: 256 * n * r };
    scrypt(passphrase.normalize("NFKC"), salt, MASTER_KEY_BYTES, options, (error, key) => {
      if (error) reject(error);
      else resolve(crypto.subtle.importKey("raw", new Uint8Array(key), "AES-GCM", false, [use]));
    });
  });
}

function gcm(nonce: Uint8Array<ArrayBuffer>, repository: string): AesGcmParams {
  return { name: "AES-GCM", iv: nonce, additionalData: new TextEncoder().encode(`${repository}\nmaster`) };
}

/** @throws {RegrainError} `USAGE` for a repository that has no keys. */
export function requireKeys({ encryption }: RepositoryDescription, path: string): void {
  if (encryption !== "none") return;
  throw new RegrainError("USAGE", "the repository is not encrypted, and has no keys", {
    path,
    hint:
      "regrain repo init --encrypt makes one that is, and regrain repo copy --to copies snapshots into it",
  });
}
