import assert from "node:assert/strict";
import { MemoryStore } from "../../test/helpers/memory_store.ts";
import { ServedObjects } from "./served_objects.ts";

const ID = "ab".repeat(32);
const CHUNK = `chunks/ab/${ID}.zst`;
const MANIFEST = "snaps/web01-disk-0-00000000/01M7YPDMG0STR1QKMBTYN40BKC.json";
const KEYS = ["repo.json", CHUNK, `maps/ab/${ID}.2.zst`, MANIFEST, `damaged/${ID}.json`];
const OTHERS = ["README.txt", "keys/one.json", "secret.txt", "active/x/intent.json"];

function served(): ServedObjects {
  const objects = new Map(
    [...KEYS, ...OTHERS].map((key) => [key, { bytes: new TextEncoder().encode(key), modifiedMs: 1 }]),
  );
  return new ServedObjects(new MemoryStore({ objects }), []);
}

function ask(path: string, headers: Record<string, string> = {}, method = "GET") {
  return served().answer(path, { method, url: "", headers: new Headers(headers) });
}

Deno.test("objects that the page reads are served, byte for byte", async () => {
  for (const key of KEYS) assert.equal(await (await ask(`object/${key}`))?.text(), key);
  const part = await ask(`object/${CHUNK}`, { range: "bytes=7-8" });
  assert.deepEqual([part?.status, await part?.text()], [206, "ab"]);
  assert.equal(part?.headers.get("content-range"), `bytes 7-8/${CHUNK.length}`);
  assert.equal((await ask(`object/${CHUNK}`, { range: "bytes=9999-" }))?.status, 416);
  assert.equal((await ask(`object/${CHUNK}`, { range: "bytes=1-2,4-5" }))?.status, 400);
  const head = await ask(`object/${CHUNK}`, {}, "HEAD");
  assert.deepEqual([head?.headers.get("content-length"), await head?.text()], [`${CHUNK.length}`, ""]);
});

Deno.test("nothing else of the repository is served, and nothing beside it", async () => {
  const paths = [
    ...OTHERS,
    "../secret.txt",
    "chunks/../secret.txt",
    "chunks%2fab",
    "",
    "repo.json/",
    `/${CHUNK}`,
  ];
  for (const key of paths) assert.equal(await ask(`object/${key}`), undefined, key);
  assert.equal(await ask(`object/chunks/cd/${ID}.zst`), undefined, "another folder than its name says");
  assert.equal(await ask("repo.json"), undefined);
});

Deno.test("manifests, marks and generations are listed, and nothing else is", async () => {
  const keysOf = async (prefix: string) =>
    ((await (await ask(`list/${prefix}`))?.json()) as { key: string }[]).map(({ key }) => key);
  assert.deepEqual(await keysOf("snaps/"), [MANIFEST]);
  assert.deepEqual(await keysOf("damaged/"), [`damaged/${ID}.json`]);
  assert.deepEqual(await keysOf(`chunks/ab/${ID}`), [CHUNK]);
  for (const prefix of ["", "keys/", "chunks/", "active/", "../"]) {
    assert.equal(await ask(`list/${prefix}`), undefined, prefix);
  }
});
