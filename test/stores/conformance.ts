/** What every object store must do: one suite, run over each. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { ObjectStore } from "../../core-as/host/repo/objects.ts";
import { MIB } from "../../core-as/host/units.ts";

import { withTempDir } from "../helpers/peers.ts";

export interface Subject {
  readonly store: ObjectStore;
  close(): void | Promise<void>;
}

export interface ConformanceOptions {
  /** Whether of many writers at once exactly one is told that it created the object. */
  readonly atomic: boolean;
}

type Check = (store: ObjectStore, options: ConformanceOptions) => Promise<void>;

const BIG_BYTES = 70 * MIB;
const MANY_KEYS = 1005;
const WRITERS = 8;
const ID = "0123456789abcdef".repeat(4);

/**
 * Runs the suite, a step each, and closes the subject whatever happens.
 *
 * @param open Makes an empty store below the folder, which is removed afterwards.
 */
export function conformance(
  t: Deno.TestContext,
  open: (folder: string) => Promise<Subject>,
  options: ConformanceOptions,
): Promise<void> {
  return withTempDir(async (folder) => {
    const subject = await open(folder);
    try {
      for (const [what, check] of Object.entries(CHECKS)) {
        await t.step(what, () => check(subject.store, options));
      }
    } finally {
      subject.store.close();
      await subject.close();
    }
  });
}

const CHECKS: Record<string, Check> = {
  "keys of every allowed shape": async (store) => {
    const keys = [
      "a",
      "repo.json",
      `chunks/01/${ID}.255.zst`,
      "A-Z_0.9/-x/_y/z..z/Q",
      `deep${"/d".repeat(20)}`,
    ];
    for (const [i, key] of keys.entries()) await store.put(`shape/${key}`, bytesOf(i + 1));
    for (const [i, key] of keys.entries()) {
      assert.deepEqual(await store.get(`shape/${key}`, 100), bytesOf(i + 1));
      assert.equal((await store.head(`shape/${key}`))?.sizeBytes, i + 1);
    }
    assert.deepEqual(await keysOf(store, "shape/"), keys.map((key) => `shape/${key}`).sort());
  },
  "an empty object": async (store) => {
    assert.equal(await store.put("empty", new Uint8Array(0)), "created");
    assert.deepEqual(await store.get("empty", 0), new Uint8Array(0));
    assert.equal((await store.head("empty"))?.sizeBytes, 0);
  },
  "70 MiB in one object": async (store) => {
    const bytes = new Uint8Array(BIG_BYTES);
    for (let i = 0; i < bytes.length; i += 4093) bytes[i] = i % 251;
    await store.put("big", bytes);
    const read = await store.get("big", BIG_BYTES);
    assert.ok(read !== undefined && Buffer.compare(read, bytes) === 0);
    await store.remove(["big"]);
  },
  "a part of a larger buffer": async (store) => {
    await store.put("part", bytesOf(100).subarray(10, 20));
    assert.deepEqual(await store.get("part", 10), bytesOf(100).slice(10, 20));
  },
  "an object that is replaced": async (store) => {
    await store.put("again", bytesOf(10));
    assert.equal(await store.put("again", bytesOf(3)), "created");
    assert.deepEqual(await store.get("again", 10), bytesOf(3));
  },
  "a second object of the same key, if absent": async (store) => {
    assert.equal(await store.put("once", bytesOf(3), { ifAbsent: true }), "created");
    assert.equal(await store.put("once", bytesOf(4), { ifAbsent: true }), "exists");
    assert.deepEqual(await store.get("once", 10), bytesOf(3));
  },
  "many writers of one key, if absent": async (store, { atomic }) => {
    for (let round = 0; round < 10; round++) {
      const key = `race/${round}`;
      const outcomes = await Promise.all(
        Array.from({ length: WRITERS }, () => store.put(key, bytesOf(1000), { ifAbsent: true })),
      );
      const created = outcomes.filter((outcome) => outcome === "created").length;
      if (atomic) assert.equal(created, 1, `${created} of ${WRITERS} created ${key}`);
      else assert.ok(created >= 1);
      assert.deepEqual(await store.get(key, 1000), bytesOf(1000));
    }
  },
  "lists of more than a page, by prefix": async (store) => {
    const keys = Array.from({ length: MANY_KEYS }, (_, i) => `many/${String(i).padStart(5, "0")}`);
    await inFlight(keys, (key) => store.put(key, bytesOf(1)));
    await store.put("many-more/x", bytesOf(1));
    assert.deepEqual(await keysOf(store, "many/"), keys);
    assert.deepEqual(await keysOf(store, "many"), ["many-more/x", ...keys]);
    assert.deepEqual(await keysOf(store, "many/0100"), keys.slice(1000));
    assert.deepEqual(await keysOf(store, "none/"), []);
    const all = await keysOf(store, "");
    assert.ok(keys.every((key) => all.includes(key)));
  },
  "what a listing says of an object": async (store) => {
    const beforeMs = Date.now();
    await store.put("info/x", bytesOf(77));
    for await (const { key, sizeBytes, modifiedMs } of store.list("info/")) {
      assert.deepEqual({ key, sizeBytes }, { key: "info/x", sizeBytes: 77 });
      assert.ok(Math.abs(modifiedMs - beforeMs) < 60_000);
    }
  },
  "removing many, and some that are gone": async (store) => {
    const keys = await keysOf(store, "many/");
    assert.equal(keys.length, MANY_KEYS);
    await store.remove([...keys, "many/gone", "never/there"]);
    assert.deepEqual(await keysOf(store, "many"), ["many-more/x"]);
    assert.equal(await store.get(keys[0]!, 10), undefined);
    await store.remove(keys.slice(0, 2));
    await store.remove(["many/gone"]);
    await store.remove([]);
  },
  "a key that was removed is free again": async (store) => {
    await store.put("free/x", bytesOf(1), { ifAbsent: true });
    await store.remove(["free/x"]);
    assert.equal(await store.put("free/x", bytesOf(2), { ifAbsent: true }), "created");
  },
  "what is absent": async (store) => {
    assert.equal(await store.get("absent", 10), undefined);
    assert.equal(await store.head("absent"), undefined);
    assert.equal(await store.get("absent/below/it", 10), undefined);
    assert.equal(await store.head("absent/below/it"), undefined);
  },
  "more than is believed": async (store) => {
    await store.put("large", bytesOf(100));
    await assert.rejects(store.get("large", 99), { code: "LIMIT_EXCEEDED" });
    assert.deepEqual(await store.get("large", 100), bytesOf(100));
  },
  "keys that lead outside": async (store) => {
    for (
      const key of [
        "../x",
        "a/../../x",
        "/etc/x",
        "a//b",
        "",
        ".",
        "..",
        "a/",
        "a\\b",
        "a\0b",
        ".hidden",
        "ä",
      ]
    ) {
      for (
        const act of [store.put(key, bytesOf(1)), store.get(key, 1), store.head(key), store.remove([key])]
      ) {
        await assert.rejects(act, /no key of an object/, JSON.stringify(key));
      }
    }
  },
};

function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + length) % 256);
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.sort();
}

async function inFlight<T>(items: readonly T[], fn: (item: T) => Promise<unknown>): Promise<void> {
  const left = items.values();
  await Promise.all(Array.from({ length: 32 }, async () => {
    for (const item of left) await fn(item);
  }));
}
