/** Repositories with something that cannot be read: what is whole comes out, and what is not is named. */
import assert from "node:assert/strict";
import { assertFileHolds, sameBytes, sha256 } from "../helpers/bytes.ts";
import { regrainCommand } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { CHUNK, DISK, diskOf, RepositoryFolder } from "./repository_folder.ts";

const WHOLE = diskOf("abc.d");

function withRepository(fn: (repository: RepositoryFolder) => void | Promise<void>): Promise<void> {
  return withTempDir(async (folder) => await fn(RepositoryFolder.create(folder)));
}

/** The object of the chunk at this place of the disk. */
function chunkKey(disk: Uint8Array, index: number): string {
  const id = sha256(disk.subarray(index * CHUNK, (index + 1) * CHUNK));
  return `chunks/${id.slice(0, 2)}/${id}.zst`;
}

/** The disk with zeros in these chunks. */
function without(disk: Uint8Array<ArrayBuffer>, ...chunks: readonly number[]): Uint8Array<ArrayBuffer> {
  const rest = disk.slice();
  for (const index of chunks) rest.fill(0, index * CHUNK, (index + 1) * CHUNK);
  return rest;
}

Deno.test("B7: --damaged zeros restores all but the bad chunks, lists their bytes, and ends with exit 3", () =>
  withRepository((repository) => {
    repository.backUp("abc.d");
    repository.flip(chunkKey(WHOLE, 1));
    const out = `${repository.folder}/out`;
    const { hint } = repository.refuses({ code: "CHUNK_DAMAGED", exit: 4 }, ["restore", DISK, out]);
    assert.match(hint!, /--damaged zeros/);
    assert.ok(hint!.includes(`${out}.part`), hint);
    repository.remove(chunkKey(WHOLE, 2));
    // It holds chunks that were whole then, and would be carried on with.
    Deno.removeSync(`${out}.part`);
    const summary = repository.json(["restore", DISK, out, "--damaged", "zeros"], 3).at(-1)!;
    assert.equal(summary.status, "incomplete");
    const [stretch, ...others] = summary.damaged as { start: number; length: number; reason: string }[];
    assert.deepEqual([stretch!.start, stretch!.length, others], [CHUNK, 2 * CHUNK, []]);
    assertFileHolds(out, without(WHOLE, 1, 2));
    // What stood there before does not show through.
    Deno.writeFileSync(out, new Uint8Array(WHOLE.length).fill(7));
    const { stderr } = repository.run(["restore", DISK, out, "--delta", "--damaged", "zeros"], 3);
    assert.match(stderr, /warning: bytes 1,048,576 to 3,145,727 are zeros: /);
    assertFileHolds(out, without(WHOLE, 1, 2));
  }));

Deno.test("B7: a pipe gets zeros for what is damaged; a damaged page of the map is all that it stands for", () =>
  withRepository((repository) => {
    repository.backUp("abc.d");
    const args = ["restore", DISK, "-", "--repo", repository.path, "--progress", "none"];
    const [page] = repository.keys("maps/");
    const bytes = repository.read(page!);
    repository.flip(page!);
    const blind = regrainCommand([...args, "--damaged", "zeros"]).outputSync();
    assert.equal(blind.code, 3);
    assert.ok(sameBytes(blind.stdout, new Uint8Array(WHOLE.length)));
    repository.write(page!, bytes);
    repository.remove(chunkKey(WHOLE, 0));
    const { code, stdout, stderr } = regrainCommand([...args, "--damaged", "zeros"]).outputSync();
    assert.equal(code, 3);
    assert.match(new TextDecoder().decode(stderr), /bytes 0 to 1,048,575 are zeros/);
    assert.ok(sameBytes(stdout, without(WHOLE, 0)));
    assert.equal(regrainCommand(args).outputSync().code, 4);
  }));

Deno.test("B7: a chunk that a later backup stored anew is taken from there, and no zeros are needed", () =>
  withRepository((repository) => {
    const id = repository.backUp("abc.d");
    repository.flip(chunkKey(WHOLE, 1));
    repository.run(["verify", "--deep"], 1);
    repository.backUp("abc.d");
    const out = `${repository.folder}/out`;
    const { damaged } = repository.json(["restore", `${DISK}@${id}`, out, "--damaged", "zeros"]).at(-1)!;
    assert.deepEqual(damaged, []);
    assertFileHolds(out, WHOLE);
  }));

Deno.test("B7: repo copy leaves a damaged snapshot out, copies those after it, and ends with exit 3", () =>
  withRepository((repository) => {
    repository.backUp("abc.d", [], "web01/first");
    repository.backUp("ef", [], "web01/second");
    repository.backUp("efg", [], "web01/second");
    repository.flip(chunkKey(WHOLE, 1));
    const other = RepositoryFolder.create(repository.folder, "other");
    const lines = repository.json(["repo", "copy", "--to", other.path], 3);
    assert.equal((lines[0]!.damage as { code: string }).code, "CHUNK_DAMAGED");
    const { copied, there, leftOut } = lines.at(-1)!;
    assert.deepEqual({ copied, there, leftOut }, { copied: 2, there: 0, leftOut: 1 });
    other.assertHolds("latest", "efg", "web01/second");
    const again = repository.run(["repo", "copy", "--to", other.path], 3);
    assert.match(again.stderr, /web01\/first@\w+ is not copied: .*--damaged zeros/);
    assert.match(again.stdout, /0 snapshots copied, 0 B stored; 2 were there already; 1 damaged, left out/);
  }));
