/** What a list of changes and a delta are against: where that is not the newest snapshot, no wrong disk comes of it. */
import assert from "node:assert/strict";
import { type BackupFlags, checkOrigin } from "../../cli/session/backup_flags.ts";
import { Rng } from "../../fixtures/mod.ts";
import { MIB } from "../../core-as/host/units.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { runBackup } from "../../cli/commands/backup.ts";
import { runForget } from "../../cli/commands/forget.ts";
import { openRepository } from "../../cli/session/open_repository.ts";
import { runRepoInit } from "../../cli/commands/repo.ts";
import { runRestore } from "../../cli/commands/restore.ts";
import { readSnapshots } from "../../cli/backup/snapshots/snapshots.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { withTempDir } from "../helpers/peers.ts";

const NAME = "vm/disk";
const SIZE = 6 * MIB;
const PARENT = "5eed0001";

type Flags = Partial<BackupFlags>;

/** A raw disk, deltas of it, and a repository, all in this process. */
class Field {
  readonly disk = new Rng(7).bytes(SIZE);
  private readonly common: { repo: string; quiet: true };

  private constructor(readonly folder: string) {
    this.common = { repo: `${folder}/repo`, quiet: true };
    this.write(0, 0);
  }

  static async make(folder: string): Promise<Field> {
    const field = new Field(folder);
    await runRepoInit({ ...field.common, chunkSize: "1M" });
    return field;
  }

  /** The guest writes a sector in a chunk. */
  write(chunk: number, seed: number): void {
    if (seed > 0) this.disk.set(new Rng(seed).bytes(512), chunk * MIB);
    Deno.writeFileSync(`${this.folder}/flat.img`, this.disk);
    Deno.writeTextFileSync(
      `${this.folder}/disk.vmdk`,
      descriptor(PARENT, "ffffffff", '1 "flat.img" 0', "FLAT"),
    );
  }

  /** Backs the disk up; with `changed`, by a list of what changed in these chunks. */
  async backUp(flags: Flags & { chunks?: readonly number[] } = {}): Promise<Snapshot> {
    const { chunks, ...rest } = flags;
    const list = `${this.folder}/list.json`;
    const areas = chunks?.map((chunk) => ({ start: chunk * MIB, length: 512 }));
    if (areas !== undefined) Deno.writeTextFileSync(list, JSON.stringify(areas));
    const changed = areas === undefined ? {} : { changed: list };
    const all = { ...this.common, name: NAME, progress: "none", ...changed, ...rest } as const;
    await runBackup(rest.delta === undefined ? `${this.folder}/disk.vmdk` : undefined, all);
    return (await this.snapshots()).at(-1)!;
  }

  async snapshots(): Promise<Snapshot[]> {
    const repository = await openRepository(this.common);
    try {
      const all = await Array.fromAsync(readSnapshots(repository));
      return all.flatMap(({ snapshot }) => snapshot ?? []);
    } finally {
      repository.close();
    }
  }

  async forget(id: string): Promise<void> {
    await runForget([id], this.common);
  }

  /** A run that fails since the repository cannot be written to. */
  async failingRun(chunks: readonly number[]): Promise<void> {
    const place = `${this.common.repo}/chunks`;
    Deno.renameSync(place, `${place}.away`);
    Deno.writeTextFileSync(place, "");
    await assert.rejects(this.backUp({ chunks }));
    Deno.removeSync(place);
    Deno.renameSync(`${place}.away`, place);
  }

  /** The newest manifest, empty as after a power loss. */
  loseManifest({ id, source }: Snapshot): void {
    Deno.writeFileSync(`${this.common.repo}/snaps/${source.key}/${id}.json`, new Uint8Array(0));
  }

  /** A COWD delta that writes one sector in a chunk: of the disk too, unless it is made of an older state. */
  delta(
    name: string,
    { chunk, seed, cid, parent }: { chunk: number; seed: number; cid: string; parent: string },
  ) {
    const sector = new Rng(seed).bytes(512);
    Deno.writeFileSync(`${this.folder}/${name}-delta.vmdk`, cowdOf(chunk, sector));
    const path = `${this.folder}/${name}.vmdk`;
    Deno.writeTextFileSync(path, descriptor(cid, parent, `1 "${name}-delta.vmdk"`, "VMFSSPARSE"));
    return path;
  }

  async assertRestores(snapshot: Snapshot, bytes: Uint8Array = this.disk): Promise<void> {
    const out = `${this.folder}/out.img`;
    await runRestore(`${NAME}@${snapshot.id}`, out, { ...this.common, progress: "none" });
    assert.ok(sameBytes(Deno.readFileSync(out), bytes as Uint8Array<ArrayBuffer>));
    Deno.removeSync(out);
  }
}

function descriptor(cid: string, parent: string, extent: string, type: string): string {
  const [, ...names] = extent.split(" ");
  const kind = type === "FLAT" ? "monolithicFlat" : "vmfsSparse";
  const hint = parent === "ffffffff" ? "" : 'parentFileNameHint="disk.vmdk"\n';
  return `# Disk DescriptorFile\nversion=1\nCID=${cid}\nparentCID=${parent}\ncreateType="${kind}"\n${hint}` +
    `RW ${SIZE / 512} ${type} ${names.join(" ")}\n`;
}

/** COWD: header, one directory of two tables of 4096 entries, and one grain of a sector. */
function cowdOf(chunk: number, sector: Uint8Array): Uint8Array {
  const sectors = SIZE / 512;
  const tables = Math.ceil(sectors / 4096);
  const bytes = new Uint8Array((4 + 1 + tables * 32 + 1) * 512);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("COWD"));
  [1, 3, sectors, 1, 4, tables, bytes.length / 512].forEach((value, i) =>
    view.setUint32(4 + i * 4, value, true)
  );
  const at = chunk * 2048;
  const table = Math.floor(at / 4096);
  const first = 5;
  view.setUint32(4 * 512 + table * 4, first, true);
  view.setUint32(first * 512 + (at % 4096) * 4, first + 32, true);
  bytes.set(sector, (first + 32) * 512);
  return bytes;
}

function fieldTest(name: string, fn: (field: Field) => Promise<void>): void {
  Deno.test(name, () => withTempDir(async (folder) => fn(await Field.make(folder))));
}

fieldTest(
  "B2: after a run that failed, a list reads the whole disk, unless --since says what it is against",
  async (field) => {
    const first = await field.backUp();
    field.write(1, 11);
    await field.failingRun([1]);
    field.write(4, 12);
    const whole = await field.backUp({ chunks: [4] });
    assert.equal(whole.change.method, "full");
    assert.match(
      whole.change.reason!,
      new RegExp(`began after the newest snapshot, ${first.id}, and failed; --since ${first.id}`),
    );
    await field.assertRestores(whole);

    field.write(2, 13);
    await field.failingRun([2]);
    field.write(5, 14);
    const told = await field.backUp({ chunks: [2, 5], since: whole.id.toLowerCase() });
    assert.deepEqual([told.change.method, told.stats.readBytes], ["changed-areas", 2 * MIB]);
    await field.assertRestores(told);
  },
);

fieldTest(
  "B2: where the newest manifest cannot be read, a list reads the whole disk, whatever --since says",
  async (field) => {
    const first = await field.backUp();
    field.write(1, 21);
    const second = await field.backUp({ changeId: "52 de/2" });
    field.loseManifest(second);
    field.write(4, 22);
    for (const flags of [{}, { since: first.id }, { since: second.id }, { since: "52 de/2" }]) {
      const whole = await field.backUp({ chunks: [4], ...flags });
      assert.match(whole.change.reason!, new RegExp(`the newest snapshot, ${second.id}, cannot be built on`));
      await field.assertRestores(whole);
      await field.forget(whole.id);
    }
  },
);

fieldTest("B2: a change id is kept, and says what the next list is against", async (field) => {
  const first = await field.backUp({ changeId: "52 de c0/4" });
  assert.equal(first.changeId, "52 de c0/4");
  field.write(1, 31);
  const second = await field.backUp({ chunks: [1], since: "52 de c0/4", changeId: "52 de c0/5" });
  assert.deepEqual([second.change, second.stats.readBytes], [
    { method: "changed-areas", reason: undefined },
    MIB,
  ]);
  field.write(2, 32);
  // Since the one before the newest, since everything, since a moment that nobody knows.
  for (const since of ["52 de c0/4", first.id, "*", "52 aa/9"]) {
    const whole = await field.backUp({ chunks: [2], since });
    assert.ok(
      whole.change.reason!.includes(`they are since ${JSON.stringify(since)}, and the newest`),
      since,
    );
    await field.assertRestores(whole);
    await field.forget(whole.id);
  }
});

Deno.test("B2: what is no moment of the disk is refused as --since", () => {
  for (const since of ["", " ".repeat(300)]) {
    const flags = { name: "vm/disk", changed: "list.json", since };
    assert.throws(() => checkOrigin("disk.img", flags), {
      code: "USAGE",
      message: /is no moment of the disk/,
    });
  }
});

fieldTest("B2: a list after a snapshot that was removed since reads the whole disk", async (field) => {
  await field.backUp();
  field.write(1, 41);
  const second = await field.backUp();
  await field.forget(second.id);
  field.write(2, 42);
  const whole = await field.backUp({ chunks: [2] });
  assert.match(
    whole.change.reason!,
    new RegExp(`backup ${second.id} began after .* and its snapshot is gone`),
  );
  await field.assertRestores(whole);
});

fieldTest(
  "B2: a delta is refused where the newest manifest cannot be read; --force lays it over",
  async (field) => {
    await field.backUp();
    const one = field.delta("disk-000001", { chunk: 1, seed: 51, cid: "11111111", parent: PARENT });
    const second = await field.backUp({ delta: one });
    field.loseManifest(second);
    // A delta that says itself that it is against the one before: that the lost one was made in between stays true.
    const two = field.delta("other-000001", { chunk: 3, seed: 52, cid: "22222222", parent: PARENT });
    for (const since of [undefined, second.id]) {
      await assert.rejects(
        field.backUp({ delta: two, since }),
        (error: Error & { code?: string; hint?: string }) => {
          assert.equal(error.code, "WRONG_BASE");
          assert.match(error.message, new RegExp(`${second.id}, cannot be built on`));
          assert.match(error.hint!, /regrain backup DISK --name vm\/disk; --force lays it over all the same/);
          return true;
        },
      );
    }
    const forced = await field.backUp({ delta: two, force: true });
    field.disk.set(new Rng(52).bytes(512), 3 * MIB);
    await field.assertRestores(forced);
  },
);

fieldTest(
  "B2: after a run that failed, a delta is laid that tells what it is against, by its CID or by --since",
  async (field) => {
    const first = await field.backUp();
    await field.failingRun([0]);
    const unchanged = field.delta("disk-000001", { chunk: 1, seed: 61, cid: PARENT, parent: PARENT });
    await assert.rejects(field.backUp({ delta: unchanged }), {
      code: "WRONG_BASE",
      hint: new RegExp(`--since ${first.id} says that it was made against that snapshot`),
    });
    const told = await field.backUp({ delta: unchanged, since: first.id });
    field.disk.set(new Rng(61).bytes(512), MIB);
    await field.assertRestores(told);

    await field.failingRun([0]);
    const named = field.delta("disk-000002", { chunk: 2, seed: 62, cid: "66666666", parent: PARENT });
    field.disk.set(new Rng(62).bytes(512), 2 * MIB);
    await field.assertRestores(await field.backUp({ delta: named }));
  },
);

fieldTest("B2: a run that is refused before it stored anything leaves no sign behind", async (field) => {
  const first = await field.backUp();
  const active = `${field.folder}/repo/active`;
  const signs = () =>
    [...Deno.readDirSync(active)].flatMap(({ name }) => [...Deno.readDirSync(`${active}/${name}`)]).length;
  const before = signs();
  const wrong = field.delta("other-000001", { chunk: 3, seed: 65, cid: "77777777", parent: "99999999" });
  await assert.rejects(field.backUp({ delta: wrong }), { code: "WRONG_BASE" });
  await assert.rejects(field.backUp({ delta: wrong, since: "52 aa/9" }), { code: "WRONG_BASE" });
  await assert.rejects(field.backUp({ delta: wrong, name: "vm/none" }), { code: "SNAPSHOT_MISSING" });
  assert.equal(signs(), before);
  // Neither a CID of its own nor --since says what this one is against.
  const undecided = field.delta("disk-000001", { chunk: 1, seed: 66, cid: PARENT, parent: PARENT });
  field.disk.set(new Rng(66).bytes(512), MIB);
  const laid = await field.backUp({ delta: undecided });
  assert.equal(laid.parent, first.id);
  await field.assertRestores(laid);
  field.write(2, 67);
  const listed = await field.backUp({ chunks: [2] });
  assert.equal(listed.change.method, "changed-areas");
  await field.assertRestores(listed);
});

fieldTest(
  "B2: a delta against another snapshot than the newest, as --since says, is refused",
  async (field) => {
    const first = await field.backUp();
    const second = await field.backUp();
    const delta = field.delta("disk-000001", { chunk: 1, seed: 71, cid: "11111111", parent: PARENT });
    await assert.rejects(field.backUp({ delta, since: first.id }), {
      code: "WRONG_BASE",
      message: new RegExp(`they are since "${first.id}", and the newest snapshot is ${second.id}`),
    });
    field.disk.set(new Rng(71).bytes(512), MIB);
    await field.assertRestores(await field.backUp({ delta, since: second.id }));
  },
);

fieldTest(
  "B2: --since without changes, letters of several snapshots and ids that are none are refused",
  async (field) => {
    const { id } = await field.backUp();
    await field.backUp();
    await assert.rejects(field.backUp({ since: id }), { code: "USAGE" });
    await assert.rejects(field.backUp({ chunks: [0], since: id.slice(0, 4) }), {
      code: "USAGE",
      message: /2 snapshots of the disk begin with --since/,
    });
    for (const changeId of ["*", "", " 5", "x".repeat(257), "\u001b[2J"]) {
      await assert.rejects(field.backUp({ changeId }), { code: "USAGE" });
    }
  },
);
