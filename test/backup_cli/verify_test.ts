/** `regrain verify`: what it finds, what it marks, and how damage heals. */
import assert from "node:assert/strict";
import { withTempDir } from "../helpers/peers.ts";
import { CHUNK, DISK, type Line, RepositoryFolder } from "./repository_folder.ts";

function ofType(lines: readonly Line[], type: string): Line[] {
  return lines.filter((line) => line.type === type);
}

Deno.test("verify names the snapshots and places that a damaged chunk hits, and marks it", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const first = repository.backUp("a.ax");
    const [hit] = repository.keys("chunks/");
    const second = repository.backUp("a.bx");
    const other = repository.backUp("cccc", [], "db/disk-1");
    repository.flip(hit!);
    assert.equal(repository.json(["verify"]).at(-1)!.damaged, 0, "the listing cannot tell");
    const lines = repository.json(["verify", "--deep"], 1);
    const [damage] = ofType(lines, "damage");
    const places = damage!.places as { snapshot: string; offsetBytes: number; lengthBytes: number }[];
    assert.deepEqual(new Set(places.map(({ snapshot }) => snapshot)), new Set([first, second]));
    for (const { offsetBytes, lengthBytes } of places) {
      assert.equal(lengthBytes, offsetBytes === 3 * CHUNK ? CHUNK / 2 : CHUNK);
    }
    assert.deepEqual(repository.keys("damaged/"), [`damaged/${damage!.stem}.json`]);
    assert.deepEqual(lines.at(-1)!.hitSnapshots, [first, second]);
    assert.equal(repository.json(["verify", "db/disk-1", "--deep"]).at(-1)!.damaged, 0);
    repository.assertHolds(other, "cccc", "db/disk-1");
    const { stdout } = repository.run(["verify"], 1);
    assert.match(stdout, new RegExp(`${DISK}@${first}: `), "what is marked is read again, even quickly");
  });
});

Deno.test("verify reads a chunk once, however many snapshots need it, and --sample all of them in turn", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("abcdefgh.jkl");
    repository.backUp("abcdefgh.jkm");
    const chunks = repository.keys("chunks/").length;
    assert.equal(chunks, 12);
    for (const mode of ["--deep", "--restore-test"]) {
      assert.equal(repository.json(["verify", mode]).at(-1)!.readChunks, chunks);
    }
    assert.equal(repository.json(["verify"]).at(-1)!.readChunks, 0);
    const runs = [1, 2, 3].map(() => repository.json(["verify", "--sample", "34%"]).at(-1)!);
    assert.deepEqual(runs.map(({ slice }) => (slice as { index: number }).index), [0, 1, 2]);
    assert.equal(runs.reduce((sum, { readChunks }) => sum + (readChunks as number), 0), chunks);
    assert.ok(runs.every(({ readChunks }) => (readChunks as number) < chunks), "a sample is not all");
    assert.equal(repository.keys("verify/").length, 6);
  });
});

Deno.test("damage heals: the next backup stores the chunk anew, and old snapshots read it after verify", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const first = repository.backUp("abc");
    repository.flip(repository.keys("chunks/")[0]!);
    repository.run(["verify", "--deep"], 1);
    assert.match(repository.run(["repo", "check"]).stdout, /^notice: marked: /m);
    const second = repository.backUp("abc");
    assert.equal(repository.keys("chunks/").length, 4);
    repository.assertHolds(second, "abc");
    repository.assertNotRestored({ code: "CHUNK_DAMAGED", exit: 4 }, `${DISK}@${first}`);
    const lines = repository.json(["verify"]);
    assert.equal(ofType(lines, "healed").length, 1);
    assert.match(repository.run(["repo", "check"]).stdout, /^notice: healed: /m);
    assert.equal(repository.keys("chunks/").length, 3);
    repository.assertHolds(first, "abc");
    // A collection must know by the mark that the first snapshot needs the other generation, even when it is alone.
    repository.remove(repository.keys("snaps/").find((key) => key.includes(second))!);
    repository.run(["gc", "--replaced"]);
    repository.assertHolds(first, "abc");
    assert.deepEqual(ofType(repository.json(["verify", "--restore-test"]), "damage"), []);
  });
});

Deno.test("a chunk that is gone heals by the next backup too, and nothing need be removed", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const first = repository.backUp("abc");
    repository.remove(repository.keys("chunks/")[0]!);
    repository.run(["verify"], 1);
    repository.backUp("abc");
    assert.deepEqual(repository.json(["verify"]).map(({ type }) => type), ["summary"]);
    repository.assertHolds(first, "abc");
    // The mark stays, so that a collection leaves the other generation alone; prune counts both as sound.
    assert.equal(repository.keys("damaged/").length, 1);
    assert.ok(!repository.run(["prune", "--keep-last", "2", "--dry-run"]).stdout.includes("doubtful"));
  });
});

Deno.test("prune lets a snapshot that lacks a chunk take no sound one's place", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const sound = repository.backUp("abc");
    const hit = repository.backUp("abd");
    repository.remove(newest(repository));
    repository.run(["verify"], 1);
    const { stdout } = repository.run(["prune", "--keep-last", "1"]);
    assert.match(stdout, new RegExp(`${sound} .* keep +last$`, "m"));
    assert.match(stdout, new RegExp(`${hit} .* keep +last \\(doubtful\\)$`, "m"));
  });
});

/** The chunk that was stored last. */
function newest(repository: RepositoryFolder): string {
  const time = (key: string) => Deno.statSync(`${repository.path}/${key}`).mtime!.getTime();
  return repository.keys("chunks/").toSorted((a, b) => time(b) - time(a))[0]!;
}

Deno.test("a chunk that was marked and is whole again loses its mark", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("abc");
    const key = repository.keys("chunks/")[0]!;
    const whole = repository.read(key);
    repository.remove(key);
    assert.equal(ofType(repository.json(["verify"], 1), "damage").length, 1);
    assert.equal(repository.keys("damaged/").length, 1);
    repository.write(key, whole);
    assert.equal(ofType(repository.json(["verify"]), "fine-again").length, 1);
    assert.deepEqual(repository.keys("damaged/"), []);
  });
});

Deno.test("a page of a map that is gone is stored anew by a backup that reads the disk", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const first = repository.backUp("a.c");
    repository.flip(repository.keys("maps/")[0]!);
    const [damage] = ofType(repository.json(["verify"], 1), "damage");
    const [place] = damage!.places as { offsetBytes: number; lengthBytes: number }[];
    assert.equal(damage!.kind, "page");
    assert.match(damage!.reason as string, /maps\/[0-9a-f]{2}\//, "it says which object");
    assert.deepEqual([place!.offsetBytes, place!.lengthBytes], [0, 2.5 * CHUNK]);
    repository.remove(repository.keys("maps/")[0]!);
    repository.backUp("a.c");
    repository.run(["verify"]);
    repository.assertHolds(first, "a.c");
  });
});

Deno.test("a page of a map that is damaged is stored anew, and old snapshots read it after verify", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const first = repository.backUp("a.c");
    repository.flip(repository.keys("maps/")[0]!);
    repository.run(["verify"], 1);
    assert.equal(repository.keys("damaged/").length, 1);
    const second = repository.backUp("a.c");
    assert.equal(repository.keys("maps/").length, 2, "the damaged one, and the next generation of it");
    repository.assertHolds(second, "a.c");
    assert.equal(ofType(repository.json(["verify"]), "healed").length, 1);
    assert.equal(repository.keys("maps/").length, 1);
    repository.run(["gc"]);
    repository.assertHolds(first, "a.c");
  });
});

Deno.test("verify refuses shares that are none, two modes at once, and disks that are not there", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    for (const share of ["0%", "101%", "2", "-1%", "0.001%"]) {
      repository.refuses({ code: "USAGE", exit: 2 }, ["verify", `--sample=${share}`]);
    }
    repository.refuses({ code: "USAGE", exit: 2 }, ["verify", "--deep", "--quick"]);
    repository.refuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ["verify", "nobody/disk-0"]);
    repository.refuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ["verify", "nobody/disk-0@latest"]);
  });
});
