/** A repository without this program: the script in its README.txt, zstd and sha256sum. */
import assert from "node:assert/strict";
import { MIB } from "../../core-as/host/units.ts";
import { ulid } from "../../core-as/host/repo/mod.ts";
import { readSnapshots } from "../../cli/backup/snapshots/snapshots.ts";
import { fullDisk, Rng } from "../../fixtures/mod.ts";
import { filesBelow, openRepository } from "../backup_faults/repositories.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { run, testWithPeers } from "../helpers/peers.ts";
import { type Backups, withBackups } from "./backups.ts";

const PEERS = ["sh", "zstd", "jq", "dd", "od", "truncate", "sha256sum"];

/** The script as it stands in the repository. */
function extractScript({ repo, folder }: Backups): string {
  const text = Deno.readTextFileSync(`${repo}/README.txt`);
  const path = `${folder}/restore.sh`;
  Deno.writeTextFileSync(path, text.slice(text.indexOf("#!/bin/sh")));
  return path;
}

/** Restores the newest snapshot by the script. */
function restoreByScript(backups: Backups): Uint8Array {
  const manifest = filesBelow(`${backups.repo}/snaps`).at(-1)!;
  const image = `${backups.folder}/by-script`;
  run("sh", [extractScript(backups), backups.repo, manifest, image]);
  const bytes = Deno.readFileSync(image);
  Deno.removeSync(image);
  return bytes;
}

/** Condemns everything of these kinds, as a collection does that was killed then. */
function condemn({ repo }: Backups, kinds: readonly string[]): void {
  const stems = (kind: string) =>
    kinds.includes(kind)
      ? filesBelow(`${repo}/${kind}`).map((path) => path.split("/").at(-1)!.replace(/\.zst$/, ""))
      : [];
  Deno.mkdirSync(`${repo}/gc`, { recursive: true });
  const list = { host: "test", chunks: stems("chunks"), maps: stems("maps") };
  Deno.writeTextFileSync(`${repo}/gc/${ulid(Date.now(), new Rng(7).bytes(10))}.json`, JSON.stringify(list));
}

testWithPeers(
  "the script in README.txt restores a disk with zeros, equal chunks and a short last one",
  PEERS,
  () =>
    withBackups((backups, folder) => {
      const disk = fullDisk({ seed: 41, capacitySectors: 6 * 2048 + 77 });
      disk.fill(0, MIB, 2 * MIB);
      disk.copyWithin(3 * MIB, 0, MIB);
      Deno.writeFileSync(`${folder}/disk`, disk);
      backups.backup(`${folder}/disk`);
      assert.ok(sameBytes(restoreByScript(backups), disk));
    }),
);

testWithPeers(
  "the script restores what a stream of an odd size made",
  PEERS,
  () =>
    withBackups(async (backups) => {
      const stream = new Rng(42).bytes(2 * MIB + 333);
      await backups.backupStream(stream, "--format", "raw");
      assert.ok(sameBytes(restoreByScript(backups), stream));
      await backups.backupStream(new Uint8Array(0), "--force");
      assert.equal(restoreByScript(backups).length, 0);
    }),
);

testWithPeers(
  "the script restores chunks and pages of later generations",
  PEERS,
  () =>
    withBackups((backups, folder) => {
      const disk = fullDisk({ seed: 43, capacitySectors: 3 * 2048 });
      Deno.writeFileSync(`${folder}/disk`, disk);
      backups.backup(`${folder}/disk`);
      const made = (kind: string, end: string) =>
        filesBelow(`${backups.repo}/${kind}`).filter((path) => path.endsWith(end));
      for (const generation of [1, 2]) {
        condemn(backups, ["chunks", "maps"]);
        assert.equal(backups.backup(`${folder}/disk`).stats.newChunks, 3);
        for (const list of filesBelow(`${backups.repo}/gc`)) Deno.removeSync(list);
        assert.equal(made("chunks", `.${generation}.zst`).length, 3);
      }
      // The page that lists the same chunks is the same: only its own name is another.
      condemn(backups, ["maps"]);
      for (const path of made("chunks", "")) if (!path.endsWith(".2.zst")) Deno.removeSync(path);
      const condemned = made("maps", "");
      backups.backup(`${folder}/disk`);
      for (const path of condemned) Deno.removeSync(path);
      assert.equal(made("maps", ".1.zst").length, 1);
      assert.ok(sameBytes(restoreByScript(backups), disk));
    }),
);

testWithPeers(
  "the script does not take a page that is missing, or another one, for zeros",
  PEERS,
  () =>
    withBackups((backups, folder) => {
      Deno.writeFileSync(`${folder}/disk`, fullDisk({ seed: 46, capacitySectors: 2048 }));
      backups.backup(`${folder}/disk`);
      const [page] = filesBelow(`${backups.repo}/maps`);
      const [chunk] = filesBelow(`${backups.repo}/chunks`);
      Deno.copyFileSync(chunk!, page!);
      assert.throws(() => restoreByScript(backups));
      Deno.removeSync(page!);
      Deno.removeSync(`${folder}/by-script`);
      assert.throws(() => restoreByScript(backups));
    }),
);

testWithPeers(
  "the script restores a disk of three pages, of which one is zeros",
  PEERS,
  () =>
    withBackups((backups, folder) => {
      const image = `${folder}/disk`;
      const sizeBytes = 2 * 1024 * MIB + 5 * MIB + 512;
      const places = [0, 700 * MIB, 1023 * MIB + 4096, 2 * 1024 * MIB, sizeBytes - 512];
      Deno.writeFileSync(image, new Uint8Array(0));
      Deno.truncateSync(image, sizeBytes);
      for (const at of places) writeAt(image, at, new Rng(at % 997 + 1).bytes(512));
      backups.backup(image);
      const manifest = filesBelow(`${backups.repo}/snaps`).at(-1)!;
      const { snapshot } = JSON.parse(Deno.readTextFileSync(manifest));
      assert.deepEqual(snapshot.pages.map((page: unknown) => page === null), [false, true, false]);
      run("sh", [extractScript(backups), backups.repo, manifest, `${folder}/by-script`]);
      run("cmp", [image, `${folder}/by-script`]);
      assert.ok(
        (Deno.statSync(`${folder}/by-script`).blocks ?? 0) * 512 <= places.length * MIB,
        "is not sparse",
      );
    }),
);

function writeAt(path: string, at: number, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(bytes);
}

testWithPeers(
  "the script does not restore a chunk that is not what its name says",
  PEERS,
  () =>
    withBackups((backups, folder) => {
      Deno.writeFileSync(`${folder}/disk`, fullDisk({ seed: 44, capacitySectors: 2 * 2048 }));
      backups.backup(`${folder}/disk`);
      const [one, other] = filesBelow(`${backups.repo}/chunks`);
      Deno.copyFileSync(one!, other!);
      assert.throws(() => restoreByScript(backups));
    }),
);

testWithPeers(
  "chunks unpack by zstd, and their SHA-256 is their name",
  ["sh", "zstd", "sha256sum"],
  () =>
    withBackups(async (backups, folder) => {
      Deno.writeFileSync(`${folder}/disk`, fullDisk({ seed: 45, capacitySectors: 5 * 2048 + 1 }));
      backups.backup(`${folder}/disk`);
      const paths = [...filesBelow(`${backups.repo}/chunks`), ...filesBelow(`${backups.repo}/maps`)];
      assert.equal(paths.length, 7);
      for (const path of paths) {
        const sum = run("sh", ["-c", `zstd -qdc "$0" | sha256sum`, path]).slice(0, 64);
        assert.ok(path.endsWith(`/${sum}.zst`), path);
      }
      for await (const { snapshot } of readSnapshots(await openRepository(backups.repo))) {
        assert.equal(snapshot!.stats.chunks, 6);
      }
    }),
);
