import assert from "node:assert/strict";
import { nativeCodec } from "../../../cli/backup/codec.ts";
import { contentId, ENVELOPE_BYTES, MASTER_KEY_BYTES, RepositoryKeys, unseal } from "./sealing.ts";

const REPOSITORY = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const KEY = "chunks/01/a.enc";
const PLAIN = new TextEncoder().encode("what a disk holds, more or less");
const codec = nativeCodec();

function keysOf(seed: number, repository = REPOSITORY): Promise<RepositoryKeys> {
  return RepositoryKeys.derive(new Uint8Array(MASTER_KEY_BYTES).fill(seed), repository);
}

Deno.test("what was encrypted opens for the same repository, key and place only", async () => {
  const keys = await keysOf(1);
  const sealed = await keys.encrypt(KEY, PLAIN);
  assert.equal(sealed.length, PLAIN.length + ENVELOPE_BYTES);
  assert.deepEqual(await (await keysOf(1)).decrypt(KEY, sealed), PLAIN);
  assert.equal(await keys.decrypt("chunks/01/b.enc", sealed), undefined);
  assert.equal(await (await keysOf(2)).decrypt(KEY, sealed), undefined);
  assert.equal(await (await keysOf(1, REPOSITORY.replace("1", "2"))).decrypt(KEY, sealed), undefined);
});

Deno.test("what was encrypted does not open with a bit flipped, or cut short, anywhere", async () => {
  const keys = await keysOf(1);
  const sealed = await keys.encrypt(KEY, PLAIN);
  for (let at = 0; at < sealed.length; at++) {
    const changed = sealed.slice();
    changed[at]! ^= 0x10;
    assert.equal(await keys.decrypt(KEY, changed), undefined, `byte ${at}`);
    assert.equal(await keys.decrypt(KEY, sealed.slice(0, at)), undefined, `${at} bytes`);
  }
});

Deno.test("the same bytes are never encrypted to the same ones", async () => {
  const keys = await keysOf(1);
  assert.notDeepEqual(await keys.encrypt(KEY, PLAIN), await keys.encrypt(KEY, PLAIN));
});

Deno.test("ids are SHA-256, and keyed in an encrypted repository", async () => {
  const abc = new TextEncoder().encode("abc");
  const plain = await contentId(abc, undefined);
  assert.equal(plain, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const keyed = [await keysOf(1), await keysOf(2), await keysOf(1, "another")];
  const ids = [plain, ...await Promise.all(keyed.map((keys) => contentId(abc, keys)))];
  assert.equal(new Set(ids).size, 4);
  assert.equal(await contentId(abc, await keysOf(1)), ids[1]);
});

Deno.test("unseal() gives the plain bytes, and tells in which way they are not what was stored", async () => {
  for (const keys of [undefined, await keysOf(1)]) {
    const means = { codec, keys };
    const id = await contentId(PLAIN, keys);
    const due = { key: KEY, path: "p", id, plainBytes: PLAIN.length };
    const seal = async (plain: Uint8Array<ArrayBuffer>) => {
      const packed = codec.compress(plain);
      return keys === undefined ? packed : await keys.encrypt(KEY, packed);
    };
    const refused = async (stored: Uint8Array<ArrayBuffer>, changes: Partial<typeof due>, what: RegExp) => {
      await assert.rejects(unseal(stored, { ...due, ...changes }, means), {
        code: "CHUNK_DAMAGED",
        path: "p",
        message: what,
      });
    };
    const stored = await seal(PLAIN);
    assert.deepEqual(await unseal(stored, due, means), PLAIN);
    await refused(await seal(PLAIN.slice().reverse()), {}, /hash/);
    await refused(stored, { plainBytes: PLAIN.length + 1 }, /does not unpack to/);
    await refused(stored, { plainBytes: PLAIN.length - 1 }, /does not unpack to/);
    await refused(
      stored.slice(0, -1),
      {},
      keys === undefined ? /unpack|hash/ : /not encrypted for this place/,
    );
    await refused(
      new Uint8Array(0),
      {},
      keys === undefined ? /does not unpack/ : /not encrypted for this place/,
    );
    // A bomb: a gigabyte of zeros in a few kilobytes is not unpacked to find out.
    await refused(await seal(new Uint8Array(64 * 1024 * 1024)), {}, /does not unpack to/);
  }
});
