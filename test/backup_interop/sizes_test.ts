/** Disks of every size that is at an edge, in repositories of every kind. */
import assert from "node:assert/strict";
import { MIB } from "../../core-as/host/units.ts";
import { planStream } from "../../cli/backup/make/origins.ts";
import { Rng } from "../../fixtures/mod.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { backUpBytes, bytesOf, memoryRepository } from "../backup_faults/repositories.ts";
import { withBackups } from "./backups.ts";

const GIB = 1024 * MIB;

/** Random bytes with zeros between, and at both ends of a chunk. */
function streamOf(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 4096; at < sizeBytes; at += 700_001) {
    const length = Math.min(3000, sizeBytes - at);
    bytes.set(new Rng(at).bytes(length), at);
  }
  if (sizeBytes > 0) bytes[sizeBytes - 1] = 1;
  return bytes;
}

/** Gives bytes in pieces of odd sizes, as a pipe does. */
function pipeOf(bytes: Uint8Array): (into: Uint8Array) => number {
  let at = 0;
  return (into) => {
    const piece = bytes.subarray(at, at + Math.min(into.length, 65_521));
    into.set(piece);
    at += piece.length;
    return piece.length;
  };
}

for (const chunkMib of [1, 64]) {
  for (const master of [undefined, new Rng(1).bytes(32)]) {
    const chunkBytes = chunkMib * MIB;
    const kind = `chunks of ${chunkMib} MiB${master === undefined ? "" : ", encrypted"}`;

    Deno.test(`streams of odd sizes are restored byte for byte: ${kind}`, async () => {
      const repository = await memoryRepository({ chunkBytes, master });
      const sizes = [0, 1, 511, 513, 4096, chunkBytes - 1, chunkBytes, chunkBytes + 1, chunkBytes + 777];
      for (const sizeBytes of sizes) {
        const bytes = streamOf(sizeBytes);
        const plan = () => Promise.resolve(planStream(pipeOf(bytes)));
        const { snapshot } = await backUpBytes(repository, new Uint8Array(0), { plan });
        assert.equal(snapshot.sizeBytes, sizeBytes);
        assert.equal(snapshot.change.method, "stream");
        assert.ok(sameBytes(await bytesOf(repository, snapshot), bytes), `${sizeBytes} bytes`);
      }
    });
  }
}

for (const encrypt of [false, true]) {
  const kind = encrypt ? "an encrypted repository" : "a plain repository";

  Deno.test(`what standard input gives is backed up to its last byte: ${kind}`, () =>
    withBackups(async (backups) => {
      for (const sizeBytes of [0, 513, 3 * MIB + 777]) {
        const bytes = streamOf(sizeBytes);
        // An empty stream is refused unless it is forced, one that ends inside a sector until it is said to be a disk.
        const flags = sizeBytes === 0 ? ["--force"] : ["--format", "raw"];
        const summary = await backups.backupStream(bytes, ...flags);
        assert.deepEqual([summary.sizeBytes, summary.change.method], [sizeBytes, "stream"]);
        assert.ok(sameBytes(backups.restored(), bytes), `${sizeBytes} bytes`);
      }
    }, { encrypt }));

  Deno.test(`disks that end at the edge of a chunk and of a page are restored: ${kind}`, () =>
    withBackups((backups, folder) => {
      // With chunks of 1 MiB, 1 GiB is one page of the map.
      for (const sizeBytes of [512, MIB, MIB + 512, ...encrypt ? [] : [GIB], GIB + 512]) {
        const image = `${folder}/disk-${sizeBytes}`;
        writeSparse(image, sizeBytes);
        const name = ["--name", `vm/${sizeBytes}`];
        const { stats, change } = backups.backup(image, ...name);
        assert.equal(change.method, "full");
        assert.ok(stats.chunks <= 3 && stats.readBytes <= 3 * MIB, "holes were read");
        backups.restore(`vm/${sizeBytes}`, `${folder}/restored`);
        assertSameSparse(image, `${folder}/restored`);
        assert.equal(backups.backup(image, ...name).stats.newChunks, 0);
        Deno.removeSync(`${folder}/restored`);
        Deno.removeSync(image);
      }
    }, { encrypt }));
}

/** Data at the beginning, in the middle and in the last sector. */
function writeSparse(path: string, sizeBytes: number): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  file.truncateSync(sizeBytes);
  const middle = Math.floor(sizeBytes / 2 / 4096) * 4096;
  for (const at of [0, middle, sizeBytes - 512]) {
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(new Rng(at % 1000 + 1).bytes(512));
  }
}

/** Compares size, data, and that the copy takes about as little space. */
function assertSameSparse(expected: string, found: string): void {
  const [due, is] = [Deno.statSync(expected), Deno.statSync(found)];
  assert.equal(is.size, due.size);
  assert.ok((is.blocks ?? 0) <= (due.blocks ?? 0) + 16, `${is.blocks} blocks, and ${due.blocks} are due`);
  using a = Deno.openSync(expected);
  using b = Deno.openSync(found);
  const pieces = [new Uint8Array(8 * MIB), new Uint8Array(8 * MIB)] as const;
  for (;;) {
    const [one, two] = [a.readSync(pieces[0]), b.readSync(pieces[1])];
    assert.equal(one, two);
    if (one === null) return;
    assert.ok(sameBytes(pieces[0].subarray(0, one), pieces[1].subarray(0, one)), `${expected} differs`);
  }
}
