/** Commands on qcow2 images, as a user runs them: exit status, messages and hints. */
import assert from "node:assert/strict";
import { buildQcow2, expectedQcow2, type Files, QCOW2_CASES, type Qcow2Spec } from "../../fixtures/mod.ts";
import { regrain } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

const FILLED = new Uint8Array(4096).fill(7);
const SPEC: Qcow2Spec = {
  clusterBits: 12,
  sizeBytes: 8 * 4096,
  clusters: new Map([[0, { is: "data", bytes: FILLED }], [1, { is: "packed", bytes: FILLED }]]),
};

async function write(folder: string, files: Files): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(`${folder}/${name}`, bytes);
}

Deno.test("info, map, check, compare and backup take a qcow2 on another image", () =>
  withTempDir(async (folder) => {
    const { make, leaf, expected } = QCOW2_CASES.find(({ name }) => name === "qcow2-on-qcow2")!;
    await write(folder, { ...make(), "right.img": expected() });
    const run = (...args: string[]) => regrain(args, { cwd: folder });
    const info = run("info", leaf);
    assert.equal(info.code, 0, info.stderr);
    assert.match(info.stdout, /format +qcow2/);
    assert.match(info.stdout, /parent base\.disk/);
    assert.match(info.stdout, /unknown: "base\.disk" is what the header names as its parent/);
    assert.doesNotMatch(info.stdout, /apply/);
    const map = JSON.parse((run("map", "--json", leaf)).stdout);
    assert.ok(map.runs.some(({ fileOffset }: { fileOffset?: number }) => fileOffset !== undefined));
    assert.equal((run("check", "--chain", leaf)).code, 0);
    const compared = run("compare", "--strict", leaf, "right.img");
    assert.equal(compared.code, 0, compared.stderr + compared.stdout);
    assert.match(compared.stderr, /nothing tells whether that was written to since/);
    assert.equal((run("repo", "init", "--repo", "r")).code, 0);
    const backup = run("backup", leaf, "--repo", "r", "--name", "a/one");
    assert.equal(backup.code, 0, backup.stderr);
    const back = run("compare", "repo:a/one@latest", "right.img", "--repo", "r");
    assert.equal(back.code, 0, back.stderr + back.stdout);
  }));

Deno.test("a backing file outside of the folder is refused, and the hint's flag follows it", () =>
  withTempDir(async (folder) => {
    await Deno.mkdir(`${folder}/vm`);
    await Deno.mkdir(`${folder}/store`);
    const below = new Uint8Array(8192).fill(3);
    const spec = { ...SPEC, backing: { name: "../store/base.img", format: "raw" } };
    await write(folder, {
      "store/base.img": below,
      "vm/disk.qcow2": buildQcow2(spec).bytes,
      "right.img": expectedQcow2(spec, below),
    });
    const compare = (...flags: string[]) =>
      regrain(["compare", "vm/disk.qcow2", "right.img", "--json", ...flags], { cwd: folder });
    const refused = compare();
    assert.equal(refused.code, 4, refused.stdout);
    assert.match(refused.stderr, /"code":"OUTSIDE_FOLDER".*--search store.*--allow-outside/);
    assert.equal((compare("--search", "store")).code, 0);
    assert.equal((compare("--allow-outside")).code, 0);
  }));

Deno.test("a qcow2 is no delta and no target, and the name alone never makes one", () =>
  withTempDir(async (folder) => {
    await write(folder, {
      "disk.qcow2": buildQcow2(SPEC).bytes,
      "disk.img": buildQcow2(SPEC).bytes,
      "t.img": FILLED,
    });
    const run = (...args: string[]) => regrain([...args, "--json"], { cwd: folder });
    assert.match((run("apply", "disk.qcow2", "t.img")).stderr, /"code":"NOT_A_DISK".*qcow2/);
    assert.equal((run("apply", "--format", "qcow2", "disk.qcow2", "t.img")).code, 2);
    const other = run("compare", "disk.img", "disk.qcow2");
    assert.equal(other.code, 1, other.stderr);
    assert.match(other.stderr, /--format qcow2 reads it as one/);
    assert.equal((run("compare", "--format", "qcow2", "disk.img", "disk.qcow2")).code, 0);
  }));
