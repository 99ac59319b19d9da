/** Repositories with something that cannot be read: what is whole comes out, and what is not is named. */
import assert from "node:assert/strict";
import { assertFileHolds, sameBytes, sha256 } from "../helpers/bytes.ts";
import { regrainCommand, regrainExits } from "../helpers/cli.ts";
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

Deno.test("B8: while a manifest is unreadable gc removes nothing, and prints the forget line that works", () =>
  withRepository((repository) => {
    repository.backUp("abc");
    const spoiled = repository.backUp("def");
    const kept = repository.backUp("abcg");
    repository.write(repository.keys("snaps/").find((key) => key.includes(spoiled))!, "");
    const before = repository.keys("chunks/");
    const { hint } = repository.refuses({ code: "SNAPSHOT_DAMAGED", exit: 4 }, ["gc"]);
    assert.deepEqual(repository.keys("chunks/"), before);
    const [, words] = /: regrain (forget .*)$/.exec(hint!)!;
    assert.deepEqual(words!.split(" "), ["forget", spoiled, "--repo", repository.path]);
    const dry = regrainExits(0, [...words!.split(" "), "--dry-run"]);
    assert.match(dry.stdout, /which cannot be read, would be removed\n1 snapshot would be removed, 0 kept/);
    regrainExits(0, words!.split(" "));
    repository.run(["gc"]);
    // Of d, e and f half of the last is cut off; nobody else has them.
    assert.equal(repository.keys("chunks/").length, before.length - 3);
    repository.assertHolds(kept, "abcg");
  }));

Deno.test("B8: forget leaves what is held, damaged or not, and refuses an id that is not there", () =>
  withRepository((repository) => {
    const first = repository.backUp("a");
    const second = repository.backUp("b");
    for (const id of [first, second]) repository.run(["hold", id]);
    repository.flip(repository.keys("snaps/").find((key) => key.includes(second))!);
    const { stderr } = repository.run(["forget", first, second], 3);
    assert.match(stderr, new RegExp(`is held, and stays: regrain release ${second}`));
    assert.equal(repository.keys("snaps/").length, 2);
    repository.run(["release", second]);
    const lines = repository.json(["forget", first, second.slice(0, 20)], 3);
    assert.deepEqual(lines.slice(0, 2).map(({ id, fate, isDamaged }) => ({ id, fate, isDamaged })), [
      { id: first, fate: "held", isDamaged: false },
      { id: second, fate: "removed", isDamaged: true },
    ]);
    assert.equal(repository.keys("snaps/").length, 1);
    repository.refuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ["forget", first, second]);
    repository.refuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ["forget", "latest"]);
    assert.equal(repository.keys("snaps/").length, 1);
  }));

Deno.test("F4: a flat VMDK with zeros for what is damaged does not get the CID of the disk, and is taken back", () =>
  withRepository((repository) => {
    const { folder } = repository;
    repository.backUp("abc.d");
    const vmdk = `${folder}/vm.vmdk`;
    repository.run(["restore", DISK, vmdk, "--format", "vmdk-flat"]);
    const text = Deno.readTextFileSync(vmdk).replace("CID=fffffffe", "CID=aaaa0001");
    Deno.writeTextFileSync(vmdk, text);
    repository.run(["backup", vmdk, "--name", "vm/flat"]);
    repository.flip(chunkKey(WHOLE, 1));
    const before = WHOLE.slice().fill(7, CHUNK - 5000, 3 * CHUNK);
    Deno.writeFileSync(`${folder}/vm-flat.vmdk`, before);
    const args = ["--damaged", "zeros", "--verify"];
    const undo = `${folder}/vm.undo`;
    const inPlace = ["restore", "vm/flat", vmdk, "--delta", "--undo", undo, ...args];
    assert.match(
      repository.run(inPlace, 3).stderr,
      /a new one, since this is not the disk that was backed up/,
    );
    assertFileHolds(`${folder}/vm-flat.vmdk`, without(WHOLE, 1));
    assert.doesNotMatch(Deno.readTextFileSync(vmdk), /^CID=aaaa0001$/m);
    regrainExits(0, ["apply", undo, vmdk]);
    assertFileHolds(`${folder}/vm-flat.vmdk`, before);
    assert.equal(Deno.readTextFileSync(vmdk), text);
    repository.run(["restore", "vm/flat", `${folder}/new.vmdk`, "--format", "vmdk-flat", ...args], 3);
    assert.match(Deno.readTextFileSync(`${folder}/new.vmdk`), /^CID=fffffffe$/m);
    assertFileHolds(`${folder}/new-flat.vmdk`, without(WHOLE, 1));
  }));

Deno.test("what was found damaged is told of until a verification has healed it, and not for ever", () =>
  withRepository((repository) => {
    const told = /found damaged before: 1 chunk, stored anew/;
    const backup = () => repository.run(["backup", `${repository.folder}/image`, "--name", DISK]).stderr;
    repository.backUp("abc.d");
    repository.flip(chunkKey(WHOLE, 1));
    repository.run(["verify", "--deep"], 1);
    assert.match(backup(), told);
    repository.run(["verify"]);
    assert.doesNotMatch(backup(), told);
    repository.run(["verify", "--deep"]);
  }));
