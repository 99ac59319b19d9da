import assert from "node:assert/strict";
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { PutOptions } from "../../../core-as/host/repo/mod.ts";
import {
  backUpLetters,
  CHUNK,
  fillChunk,
  memoryRepository,
} from "../../../test/backup_cli/memory_repository.ts";
import { MemoryStore } from "../../../test/helpers/memory_store.ts";
import { hold } from "../keep/holds.ts";
import { InlineLanes } from "../lanes.ts";
import { prune } from "../keep/prune.ts";
import type { Repository } from "../repository.ts";
import { choose } from "../snapshots/choose.ts";
import { verify, type VerifyResult } from "./verify.ts";
import type { VerifyMode } from "./verify_notes.ts";

/** A store that reads some chunks wrongly for a while, and may refuse to be written. */
class FlakyStore extends MemoryStore {
  /** Reads of chunks that are wrong yet to come. */
  wrongReads = 0;
  isReadOnly = false;
  /** Called before every listing. */
  onList: (prefix: string) => void = () => undefined;

  override async get(key: string, maxBytes: number) {
    const bytes = await super.get(key, maxBytes);
    if (key.startsWith("chunks/") && bytes !== undefined && this.wrongReads-- > 0) {
      bytes[bytes.length >> 1]! ^= 1;
    }
    return bytes;
  }

  override put(key: string, bytes: Uint8Array, options?: PutOptions) {
    if (this.isReadOnly) {
      return Promise.reject(new RegrainError("STORE_DENIED", "is not allowed", { path: key }));
    }
    return super.put(key, bytes, options);
  }

  override list(prefix: string) {
    this.onList(prefix);
    return super.list(prefix);
  }
}

async function verifyAll(
  repository: Repository,
  mode: VerifyMode,
  onNotice: (sentence: string) => void = assert.fail,
): Promise<VerifyResult> {
  const { snapshots } = await choose(repository, [], assert.fail);
  const lanes = await InlineLanes.open(repository.laneSetup);
  return await verify(repository, snapshots, { mode, lanes, onNotice });
}

for (const wrongReads of [1, 2]) {
  Deno.test(`verify() does not judge a chunk that is good after ${wrongReads} wrong reads`, async () => {
    const store = new FlakyStore();
    const repository = await memoryRepository(store);
    await backUpLetters(repository, "a");
    store.wrongReads = wrongReads;
    const { findings, hitSnapshots } = await verifyAll(repository, "deep");
    assert.deepEqual(findings.map(({ kind }) => kind), ["transient"]);
    assert.deepEqual(hitSnapshots, []);
    assert.ok(![...store.objects.keys()].some((key) => key.startsWith("damaged/")));
  });
}

Deno.test("verify() judges a chunk that is wrong three times", async () => {
  const store = new FlakyStore();
  const repository = await memoryRepository(store);
  const { id } = await backUpLetters(repository, ".a");
  store.wrongReads = 3;
  const { findings, hitSnapshots } = await verifyAll(repository, "deep");
  const [finding] = findings;
  assert.ok(finding !== undefined && "places" in finding);
  assert.deepEqual(finding.places.map(({ offsetBytes, lengthBytes }) => [offsetBytes, lengthBytes]), [[
    CHUNK,
    CHUNK,
  ]]);
  assert.deepEqual(hitSnapshots, [id]);
});

Deno.test("verify() ends with the store's error, and says nothing of chunks it could not read", async () => {
  const store = new FlakyStore();
  const repository = await memoryRepository(store);
  await backUpLetters(repository, "ab");
  store.get = (key) => Promise.reject(new RegrainError("STORE_FAILED", "does not answer", { path: key }));
  await assert.rejects(verifyAll(repository, "deep"), { code: "STORE_FAILED" });
});

Deno.test("verify() reports damage although it may not mark it", async () => {
  const store = new FlakyStore();
  const repository = await memoryRepository(store);
  await backUpLetters(repository, "a");
  store.isReadOnly = true;
  store.wrongReads = 3;
  const notices: string[] = [];
  const { hitSnapshots } = await verifyAll(repository, "deep", (sentence) => notices.push(sentence));
  assert.equal(hitSnapshots.length, 1);
  assert.match(notices.join("\n"), /^could not mark a chunk: .*is not allowed$/);
});

Deno.test("verify() calls a chunk damaged still when the object that is in the way may not be removed", async () => {
  const store = new FlakyStore();
  const repository = await memoryRepository(store);
  const first = await backUpLetters(repository, "a");
  const [key] = [...store.objects.keys()].filter((each) => each.startsWith("chunks/"));
  const whole = store.objects.get(key!)!;
  const spoiled = { ...whole, bytes: new Uint8Array(whole.bytes.length) };
  store.objects.set(key!, spoiled);
  store.objects.set(key!.replace(".zst", ".1.zst"), whole);
  store.remove = () => Promise.reject(new RegrainError("STORE_DENIED", "is not allowed", { path: "memory" }));
  const notices: string[] = [];
  const { findings, hitSnapshots } = await verifyAll(
    repository,
    "deep",
    (sentence) => notices.push(sentence),
  );
  assert.deepEqual(findings.map(({ kind }) => kind), ["chunk"]);
  assert.deepEqual(hitSnapshots, [first.id]);
  assert.match(notices.join(), /could not remove a damaged chunk/);
  store.remove = MemoryStore.prototype.remove;
  assert.deepEqual((await verifyAll(repository, "quick")).findings.map(({ kind }) => kind), ["healed"]);
  assert.deepEqual((await verifyAll(repository, "deep")).findings, []);
  assert.deepEqual(
    await repository.readChunk((await repository.readPage(first, 0)).get(0)!, CHUNK),
    filled("a"),
  );
});

function filled(letter: string): Uint8Array {
  const plain = new Uint8Array(CHUNK);
  fillChunk(letter, plain);
  return plain;
}

Deno.test("verify() finds no fault with what was pruned and collected while it looked", async () => {
  const store = new FlakyStore();
  const repository = await memoryRepository(store);
  const doomed = await backUpLetters(repository, "ab");
  await backUpLetters(repository, "a.");
  let isOver = false;
  store.onList = (prefix) => {
    // After the manifests were read, and before the chunks are looked for.
    if (prefix !== "chunks/" || isOver) return;
    isOver = true;
    const other = [...store.objects.keys()].filter((key) =>
      key.includes(doomed.id) || key.startsWith("chunks/")
    );
    for (const key of other.slice(1)) store.objects.delete(key);
    for (const key of store.objects.keys()) if (key.includes(doomed.id)) store.objects.delete(key);
  };
  const { findings } = await verifyAll(repository, "quick");
  const places = findings.flatMap((finding) => "places" in finding ? finding.places : []);
  assert.ok(places.every(({ snapshot }) => snapshot.id !== doomed.id));
});

Deno.test("verify() in restore mode sees a manifest whose pages are another disk's", async () => {
  const repository = await memoryRepository();
  const one = await backUpLetters(repository, "ab");
  const other = await backUpLetters(repository, "cd", "db/disk-1");
  const forged = { ...one, pages: other.pages };
  const lanes = await InlineLanes.open(repository.laneSetup);
  const options = { lanes, onNotice: assert.fail };
  const deep = await verify(repository, [forged], { ...options, mode: "deep" });
  assert.deepEqual(deep.findings, []);
  const restored = await verify(repository, [forged], { ...options, mode: "restore" });
  assert.deepEqual(restored.findings.map(({ kind }) => kind), ["disk"]);
  const sound = await verify(repository, [one, other], { ...options, mode: "restore" });
  assert.deepEqual(sound.findings, []);
});

Deno.test("prune() leaves a snapshot that is held at the last moment", async () => {
  const store = new FlakyStore();
  const repository = await memoryRepository(store);
  const first = await backUpLetters(repository, "a");
  await backUpLetters(repository, "b");
  await hold(repository, first.id);
  const sign = store.objects.get(`holds/${first.id}.json`)!;
  store.objects.delete(`holds/${first.id}.json`);
  let listings = 0;
  store.onList = (prefix) => {
    if (prefix === "holds/" && ++listings === 2) store.objects.set(`holds/${first.id}.json`, sign);
  };
  const notices: string[] = [];
  const report = await prune(repository, {
    policy: { last: 1 },
    onNotice: (sentence) => notices.push(sentence),
  });
  assert.deepEqual(report.removed, []);
  assert.match(notices.join(), new RegExp(`^snapshot ${first.id} was held a moment ago`));
  assert.equal((await repository.listSnapshots()).length, 2);
});
