/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { nativeCodec } from "../../../cli/backup/codec.ts";
import type { Repository } from "../../../cli/backup/repository.ts";
import { Core, type CoreExports, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import { parseContentKey } from "../../../core-as/host/repo/mod.ts";
import { backUpLetters, CHUNK, memoryRepository } from "../../../test/backup_cli/memory_repository.ts";
import { MemoryStore } from "../../../test/helpers/memory_store.ts";
import { checkAsync, fc } from "../../../test/helpers/property.ts";
import {
  type Answers,
  NEW_DATA,
  NEW_ZEROS,
  type Request,
  type Told,
  UNCHANGED,
} from "../../shared/protocol.ts";
import { Session } from "../session.ts";

const module = new WebAssembly.Module(
  Deno.readFileSync(new URL("../../../core-as/core.wasm", import.meta.url)),
);
const newCore = () => new Core(new WebAssembly.Instance(module).exports as unknown as CoreExports);
const SECTORS = CHUNK / 512;

/** A session over the store of a repository. */
class Asking {
  readonly told: Told[] = [];
  private readonly session: Session;
  private lastId = 0;

  constructor({ store }: Pick<Repository, "store">) {
    const means = { objects: () => store, codec: () => Promise.resolve(nativeCodec()) };
    this.session = new Session(newCore, (told) => this.told.push(told), means);
  }

  async ask<T extends Request["type"]>(request: Extract<Request, { type: T }>): Promise<Answers[T]> {
    const id = ++this.lastId;
    await this.session.receive({ ...request, id });
    const told = this.told.find((each) => "id" in each && each.id === id);
    assert.ok(told && "id" in told);
    if (told.ok) return told.answer as Answers[T];
    throw Object.assign(new Error(told.trouble.message), { code: told.trouble.code });
  }

  list() {
    return this.ask({ type: "open-repository", place: { label: "memory", folder: 1 } });
  }

  async changes(chunks: number): Promise<number[]> {
    const cells = { fromSector: 0, sectorsPerCell: SECTORS, cells: chunks };
    return [...(await this.ask({ type: "changes", ...cells })).changes];
  }
}

Deno.test("the changes of a snapshot are those that the two disks have, chunk by chunk", async () => {
  const letters = fc.array(fc.constantFrom(".", ".", "a", "b"), { minLength: 1, maxLength: 12 })
    .map((all) => all.join(""));
  await checkAsync(
    fc.asyncProperty(letters, letters, async (before, after) => {
      const repository = await memoryRepository();
      const older = await backUpLetters(repository, before);
      const newer = await backUpLetters(repository, after);
      const page = new Asking(repository);
      const { snapshots } = await page.list();
      assert.deepEqual(snapshots.map(({ id, against }) => [id, against]), [
        [newer.id, older.id],
        [older.id, undefined],
      ]);
      await page.ask({ type: "open-snapshot", snapshot: newer.id });
      await page.ask({ type: "difference", against: older.id });
      const expected = [...after].map((letter, i) =>
        before[i] === letter ? UNCHANGED : letter === "." ? NEW_ZEROS : NEW_DATA
      );
      assert.deepEqual(await page.changes(after.length), expected);
      await page.ask({ type: "difference", against: undefined });
      assert.deepEqual(await page.changes(after.length), expected.map(() => NEW_DATA));
    }),
    { runs: 15 },
  );
});

function sectorOf({ offsetBytes }: { offsetBytes: number | undefined }): number | undefined {
  return offsetBytes === undefined ? undefined : offsetBytes / SECTOR_SIZE;
}

Deno.test("next and previous go from change to change of the two snapshots", async () => {
  const repository = await memoryRepository();
  const older = await backUpLetters(repository, "aaaaaa");
  const newer = await backUpLetters(repository, "abaa.a");
  const page = new Asking(repository);
  await page.list();
  await page.ask({ type: "open-snapshot", snapshot: newer.id });
  await page.ask({ type: "difference", against: older.id });
  const next = async (sector: number, backwards: boolean) =>
    sectorOf(await page.ask({ type: "next", view: 0, fromBytes: sector * SECTOR_SIZE, backwards }));
  assert.deepEqual([await next(0, false), await next(SECTORS, false)], [SECTORS, 4 * SECTORS]);
  assert.deepEqual([await next(4 * SECTORS, false), await next(5 * SECTORS, true)], [undefined, 4 * SECTORS]);
});

Deno.test("a chunk that is damaged, swapped or gone is found by reading, and where it stands twice", async () => {
  const store = new MemoryStore();
  const repository = await memoryRepository(store);
  await backUpLetters(repository, "a");
  const [bad] = [...store.objects.keys()].filter((key) => key.startsWith("chunks/"));
  const { id } = await backUpLetters(repository, "ba.a");
  const whole = store.objects.get(bad!)!;
  const flipped = whole.bytes.slice();
  flipped[flipped.length >> 1]! ^= 1;
  const other = [...store.objects.keys()].find((key) => key.startsWith("chunks/") && key !== bad)!;
  for (const bytes of [flipped, whole.bytes.slice(0, 9), store.objects.get(other)!.bytes, undefined]) {
    if (bytes) store.objects.set(bad!, { ...whole, bytes });
    else store.objects.delete(bad!);
    const page = new Asking(repository);
    await page.list();
    await page.ask({ type: "open-snapshot", snapshot: id });
    const cells = { fromSector: 0, sectorsPerCell: SECTORS, cells: 4 };
    const damageOf = async () => [...(await page.ask({ type: "tile", view: 0, ...cells })).damage];
    assert.deepEqual(await damageOf(), [0, 0, 0, 0]);
    const checked = await page.ask({ type: "check-chunks" });
    assert.deepEqual([checked.doneChunks, checked.damagedChunks, checked.finished], [3, 2, true]);
    const { findings } = await page.ask({ type: "findings" });
    assert.deepEqual(findings.map(({ offsetBytes }) => offsetBytes), [CHUNK, 3 * CHUNK]);
    const of = { view: 0 } as const;
    const read = (chunk: number) =>
      page.ask({ type: "bytes", of, offsetBytes: chunk * CHUNK, lengthBytes: 512 });
    const code = bytes ? "CHUNK_DAMAGED" : "CHUNK_MISSING";
    await assert.rejects(() => read(1), { code });
    assert.equal((await read(0)).bytes[0], "b".codePointAt(0)! % 251 + 1);
    assert.deepEqual(await damageOf(), [0, 1, 0, 1]);
  }
});

Deno.test("what a verification has marked is damaged before it is read, unless it was healed", async () => {
  const store = new MemoryStore();
  const repository = await memoryRepository(store);
  const { id } = await backUpLetters(repository, "ab");
  const [key] = [...store.objects.keys()].filter((each) => each.startsWith("chunks/"));
  const { id: chunk } = parseContentKey(key!)!;
  store.objects.set(`damaged/${chunk}.json`, { bytes: new Uint8Array(2), modifiedMs: 0 });
  const damageOf = async () => {
    const page = new Asking(repository);
    await page.list();
    await page.ask({ type: "open-snapshot", snapshot: id });
    return (await page.ask({ type: "findings" })).counts.damage;
  };
  assert.equal(await damageOf(), 1);
  const object = store.objects.get(key!)!;
  store.objects.delete(key!);
  store.objects.set(key!.replace(".zst", ".1.zst"), object);
  assert.equal(await damageOf(), 0);
});

Deno.test("two pages of a map that are equal are not read to compare them", async () => {
  const repository = await memoryRepository();
  const older = await backUpLetters(repository, `${"a".padEnd(1024, ".")}b`);
  const newer = await backUpLetters(repository, `${"a".padEnd(1024, ".")}c`);
  const page = new Asking(repository);
  await page.list();
  await page.ask({ type: "open-snapshot", snapshot: newer.id });
  const { pagesRead, pages, runs } = await page.ask({ type: "difference", against: older.id });
  assert.deepEqual([pagesRead, pages, runs.length], [1, 2, 1]);
});
