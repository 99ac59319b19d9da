/** Objects of a repository tampered with: each fault has its name, and nothing appears under the target's. */
import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { withTempDir } from "../helpers/peers.ts";
import { CHUNK, RepositoryFolder, resigned } from "./repository_folder.ts";

const DAMAGED = { code: "CHUNK_DAMAGED", exit: 4 };
const MISSING = { code: "CHUNK_MISSING", exit: 4 };
const MANIFEST = { code: "SNAPSHOT_DAMAGED", exit: 4 };

/** A repository with two snapshots of a disk, and copies of it that may be spoiled. */
async function withSpoiled(
  cases: Record<string, (repository: RepositoryFolder, ids: { first: string; second: string }) => void>,
): Promise<void> {
  await withTempDir((folder) => {
    const sound = RepositoryFolder.create(folder);
    const first = sound.backUp("ab.c");
    const second = sound.backUp("abdc");
    for (const [name, spoil] of Object.entries(cases)) {
      spoil(sound.copyTo(name.replaceAll(" ", "-")), { first, second });
      Deno.removeSync(`${folder}/${name.replaceAll(" ", "-")}`, { recursive: true });
      for (const left of ["restored", "restored.part"]) removeIfThere(`${folder}/${left}`);
    }
    sound.assertHolds(first, "ab.c");
  });
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

Deno.test("a chunk that is not what was stored is refused, and found by verify --deep", async () => {
  await withSpoiled({
    "a flipped bit"(repository) {
      repository.flip(repository.keys("chunks/")[0]!);
      repository.assertNotRestored(DAMAGED);
      repository.run(["verify", "--deep"], 1);
    },
    "cut short"(repository) {
      const key = repository.keys("chunks/")[1]!;
      repository.write(key, repository.read(key).subarray(0, 1000));
      repository.assertNotRestored(DAMAGED);
      // Its size tells already.
      repository.run(["verify"], 1);
    },
    "swapped with another"(repository) {
      const [a, b] = repository.keys("chunks/");
      const bytes = repository.read(a!);
      repository.write(a!, repository.read(b!));
      repository.write(b!, bytes);
      repository.assertNotRestored(DAMAGED);
      repository.run(["verify", "--restore-test"], 1);
    },
    "missing"(repository) {
      for (const key of repository.keys("chunks/")) repository.remove(key);
      repository.assertNotRestored(MISSING);
      const lines = repository.json(["verify"], 1);
      assert.equal(lines.filter(({ type }) => type === "damage").length, 4);
    },
    "a zstd bomb"(repository) {
      const bomb = zstdCompressSync(new Uint8Array(256 * CHUNK));
      assert.ok(bomb.length < CHUNK);
      for (const key of repository.keys("chunks/")) repository.write(key, bomb);
      repository.assertNotRestored(DAMAGED);
      repository.run(["verify", "--deep"], 1);
    },
    "larger than any chunk"(repository) {
      for (const key of repository.keys("chunks/")) repository.write(key, new Uint8Array(3 * CHUNK));
      repository.assertNotRestored({ code: "LIMIT_EXCEEDED", exit: 4 });
      repository.run(["verify"], 1);
    },
  });
});

Deno.test("a page of a map that is not what was stored is refused, and found by verify --quick", async () => {
  await withSpoiled({
    "a flipped bit"(repository) {
      for (const key of repository.keys("maps/")) repository.flip(key);
      repository.assertNotRestored(MANIFEST);
      repository.run(["verify", "--quick"], 1);
    },
    "swapped with another"(repository) {
      const [a, b] = repository.keys("maps/");
      const bytes = repository.read(a!);
      repository.write(a!, repository.read(b!));
      repository.write(b!, bytes);
      repository.assertNotRestored(MANIFEST);
      repository.run(["verify"], 1);
    },
    "missing"(repository) {
      for (const key of repository.keys("maps/")) repository.remove(key);
      repository.assertNotRestored(MISSING);
      const [damage] = repository.json(["verify"], 1);
      assert.equal(damage!.kind, "page");
    },
  });
});

Deno.test("a manifest that is not what was written is refused; the one before is taken, with a warning", async () => {
  await withSpoiled({
    "a flipped bit"(repository, { second }) {
      repository.flip(keyOf(repository, second));
      repository.assertNotRestored(MANIFEST, `web01/disk-0@${second}`);
      assert.match(repository.run(["snapshots"], 1).stdout, /damaged/);
      repository.run(["verify"], 1);
      repository.run(["repo", "check"], 1);
      const { stderr } = repository.run(["restore", "web01/disk-0", `${repository.folder}/restored`]);
      assert.match(stderr, /passed over/);
    },
    "both"(repository, { first, second }) {
      for (const id of [first, second]) repository.flip(keyOf(repository, id));
      repository.assertNotRestored({ code: "SNAPSHOT_MISSING", exit: 4 });
    },
    "from a newer version"(repository, { second }) {
      const key = keyOf(repository, second);
      const text = new TextDecoder().decode(repository.read(key));
      repository.write(key, resigned(text.replace('"version":1', '"version":2')));
      repository.assertNotRestored({ code: "REPO_UNSUPPORTED", exit: 4 }, `web01/disk-0@${second}`);
    },
    "under another name"(repository, { first, second }) {
      repository.write(keyOf(repository, second), repository.read(keyOf(repository, first)));
      repository.assertNotRestored({ code: "REPO_MIXED", exit: 5 }, `web01/disk-0@${second}`);
    },
  });
});

Deno.test("a repository of a newer version is refused, and an empty folder is none", async () => {
  await withSpoiled({
    "newer"(repository) {
      const text = new TextDecoder().decode(repository.read("repo.json"));
      repository.write("repo.json", text.replace('"version": 1', '"version": 2'));
      for (const command of ["snapshots", "verify", "gc"]) {
        repository.refuses({ code: "REPO_UNSUPPORTED", exit: 4 }, [command]);
      }
      repository.assertNotRestored({ code: "REPO_UNSUPPORTED", exit: 4 });
    },
    "no description"(repository) {
      repository.remove("repo.json");
      repository.assertNotRestored({ code: "REPO_MISSING", exit: 10 });
    },
  });
});

Deno.test("objects of another repository are refused", async () => {
  await withTempDir((folder) => {
    const [one, other] = ["one", "other"].map((name) => RepositoryFolder.create(folder, name));
    const id = one!.backUp("ab");
    other!.backUp("ab");
    const key = keyOf(one!, id);
    other!.write(key, one!.read(key));
    other!.assertNotRestored({ code: "REPO_MIXED", exit: 5 }, `web01/disk-0@${id}`);
  });
});

Deno.test("an encrypted repository opens with its passphrase alone, and takes no object from elsewhere", async () => {
  await withTempDir((folder) => {
    const options = { env: { REGRAIN_PASSPHRASE: "correct" }, flags: ["--encrypt", "--chunk-size", "1M"] };
    const one = RepositoryFolder.create(folder, "one", options);
    const other = RepositoryFolder.create(folder, "other", options);
    const id = one.backUp("ab");
    one.assertHolds(id, "ab");
    const wrong = new RepositoryFolder(folder, "one", { env: { REGRAIN_PASSPHRASE: "wrong" } });
    wrong.assertNotRestored({ code: "REPO_KEY", exit: 12 });
    wrong.refuses({ code: "REPO_KEY", exit: 12 }, ["snapshots"]);
    new RepositoryFolder(folder, "one", { env: { REGRAIN_PASSPHRASE: "" } })
      .refuses({ code: "REPO_KEY", exit: 12 }, ["verify"]);
    for (const key of one.keys("snaps/")) other.write(key, one.read(key));
    other.run(["snapshots"], 1);
    // A chunk under another one's name, although both are of this repository.
    const [a, b] = one.keys("chunks/");
    one.write(a!, one.read(b!));
    one.assertNotRestored(DAMAGED);
  });
});

function keyOf(repository: RepositoryFolder, id: string): string {
  return repository.keys("snaps/").find((key) => key.includes(id))!;
}
