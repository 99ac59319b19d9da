/** What a passphrase that was removed still opens, and who may read a passphrase. */
import assert from "node:assert/strict";
import { withTempDir } from "../helpers/peers.ts";
import { DISK, RepositoryFolder } from "./repository_folder.ts";

const ENCRYPT = ["--encrypt", "--chunk-size", "1M"];

function withPassphrase(
  folder: string,
  passphrase: string,
  env: Record<string, string> = {},
): RepositoryFolder {
  return new RepositoryFolder(folder, "repo", { env: { REGRAIN_PASSPHRASE: passphrase, ...env } });
}

Deno.test("E11: a removed passphrase with a kept slot opens no backup made after repo key rotate", async () => {
  await withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "one", REGRAIN_NEW_PASSPHRASE: "two" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ENCRYPT });
    const before = repository.backUp("ab");
    const kept = { slot: repository.read("keys/first.json"), description: repository.read("repo.json") };
    const [rotated] = repository.json(["repo", "key", "rotate"]);
    assert.deepEqual(rotated!.removed, ["first"]);
    assert.deepEqual(repository.keys("keys/"), [`keys/${rotated!.id}.json`]);
    const mine = withPassphrase(folder, "two");
    const after = mine.backUp("abc");
    assert.equal(
      mine.keys("chunks/").length,
      4,
      "what was stored before is found by its name, and used again",
    );
    mine.assertHolds(before, "ab");
    mine.assertHolds(after, "abc");
    mine.run(["verify", "--deep"]);
    // Who has the old slot and its passphrase, and may write the store, opens it with the old description.
    const state = { XDG_STATE_HOME: `${folder}/elsewhere` };
    mine.write("keys/first.json", kept.slot);
    const thief = withPassphrase(folder, "one", state);
    thief.refuses({ code: "REPO_REPLACED", exit: 12 }, ["snapshots"]);
    mine.write("repo.json", kept.description);
    thief.assertHolds(before, "ab");
    thief.refuses({ code: "SNAPSHOT_DAMAGED", exit: 4 }, ["restore", `${DISK}@${after}`, `${folder}/out`]);
    // A host that remembers does not fall back to the old key, even where its passphrase is the same.
    const { message } = withPassphrase(folder, "one").refuses({ code: "REPO_REPLACED", exit: 12 }, [
      "snapshots",
    ]);
    assert.match(message, /from before the key was rotated: it has 1 keys, and this host remembers 2/);
  });
});

Deno.test("E11: a passphrase file that other users can read is warned of, by each command that reads it", async () => {
  await withTempDir((folder) => {
    const file = `${folder}/passphrase`;
    Deno.writeTextFileSync(file, "one\n", { mode: 0o600 });
    Deno.chmodSync(file, 0o600);
    const repository = new RepositoryFolder(folder);
    const flags = ["--passphrase-file", file];
    assert.doesNotMatch(repository.run(["repo", "init", "--encrypt", ...flags]).stderr, /chmod/);
    Deno.chmodSync(file, 0o640);
    assert.match(repository.run(["snapshots", ...flags]).stderr, /mode 0640, .* chmod 600/);
    Deno.chmodSync(file, 0o600);
    assert.doesNotMatch(repository.run(["snapshots", ...flags]).stderr, /chmod/);
  });
});

Deno.test("B9: a lost repo.json and lost key slots come back from what repo key export wrote", async () => {
  await withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "one" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ENCRYPT });
    const id = repository.backUp("ab");
    const keyless = new RepositoryFolder(folder);
    const copy = `${folder}/keys.json`;
    keyless.run(["repo", "key", "export", copy]);
    assert.equal(Deno.statSync(copy).mode! & 0o777, 0o600);
    keyless.refuses({ code: "TARGET_UNSUITABLE", exit: 2 }, ["repo", "key", "export", copy]);
    const [description, slot] = [repository.read("repo.json"), repository.read("keys/first.json")];
    repository.remove("repo.json");
    repository.remove("keys/first.json");
    repository.remove("copies/repo.json");
    repository.remove("copies/keys/first.json");
    repository.refuses({ code: "REPO_MISSING", exit: 10 }, ["repo", "repair"]);
    assert.match(
      repository.refuses({ code: "REPO_MISSING", exit: 10 }, ["snapshots"]).hint!,
      /repo key import/,
    );
    keyless.run(["repo", "key", "import", copy]);
    assert.deepEqual([repository.read("repo.json"), repository.read("keys/first.json")], [description, slot]);
    repository.assertHolds(id, "ab");
    // A slot that was removed since the copy was made is not given back by it.
    Deno.renameSync(`${repository.path}/keys/first.json`, `${repository.path}/keys/other.json`);
    assert.match(keyless.run(["repo", "key", "import", copy]).stdout, /nothing is gone/);
    assert.deepEqual(repository.keys("keys/"), ["keys/other.json"]);
    const other = RepositoryFolder.create(folder, "other");
    other.refuses({ code: "REPO_MIXED", exit: 5 }, ["repo", "key", "import", copy]);
  });
});

Deno.test("B9: an export from before a rotation, and one into a folder of another name, put nothing back", async () => {
  await withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "one" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ENCRYPT });
    const id = repository.backUp("ab");
    const [older, newer] = [`${folder}/older.json`, `${folder}/newer.json`];
    repository.run(["repo", "key", "export", older]);
    repository.run(["repo", "key", "rotate", "--keep-passphrase"]);
    repository.run(["repo", "key", "export", newer]);
    const slots = [...repository.keys("keys/"), ...repository.keys("copies/keys/")];
    for (const key of slots) repository.remove(key);
    repository.refuses({ code: "REPO_KEY", exit: 12 }, ["repo", "key", "export", `${folder}/none.json`]);
    repository.refuses({ code: "REPO_MIXED", exit: 5 }, ["repo", "key", "import", older]);
    repository.remove("repo.json");
    repository.refuses({ code: "REPO_MIXED", exit: 5 }, ["repo", "key", "import", older]);
    repository.run(["repo", "key", "import", newer]);
    repository.assertHolds(id, "ab");
    const mistyped = new RepositoryFolder(folder, "repro");
    Deno.mkdirSync(mistyped.path);
    mistyped.refuses({ code: "REPO_MISSING", exit: 10 }, ["repo", "key", "import", newer]);
    assert.deepEqual([...Deno.readDirSync(mistyped.path)], []);
  });
});

Deno.test("E11: repo key rotate refuses a new passphrase beside --keep-passphrase", async () => {
  await withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "one" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ENCRYPT });
    const both = ["repo", "key", "rotate", "--keep-passphrase", "--new-passphrase-file", `${folder}/new`];
    Deno.writeTextFileSync(`${folder}/new`, "two\n", { mode: 0o600 });
    repository.refuses({ code: "USAGE", exit: 2 }, both);
  });
});

Deno.test("B20: the same passphrase in a second slot is said", async () => {
  await withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "one", REGRAIN_NEW_PASSPHRASE: "one" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ENCRYPT });
    assert.match(repository.run(["repo", "key", "add"]).stderr, /key slot first has the same passphrase/);
  });
});

Deno.test("B20: an encrypted repository says that there is no script for it, and promises none", async () => {
  await withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "one" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ENCRYPT });
    const text = new TextDecoder().decode(repository.read("README.txt"));
    assert.match(text, /There is no script for it: shells have no AES-GCM/);
    assert.doesNotMatch(text, /#!\/bin\/sh/);
    const manual = Deno.readTextFileSync(new URL("../../docs/backups.md", import.meta.url));
    assert.match(manual, /An encrypted one has no such script/);
  });
});

Deno.test("B9: an unwrapped key opens the repository by a new passphrase where all slots are lost", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder, "repo", {
      env: { REGRAIN_PASSPHRASE: "one" },
      flags: ENCRYPT,
    });
    const id = repository.backUp("ab");
    const key = `${folder}/key.json`;
    const exporting = (file: string) => ["repo", "key", "export", "--unwrapped", file];
    const keyless = new RepositoryFolder(folder);
    keyless.refuses({ code: "REPO_KEY", exit: 12 }, exporting(key));
    repository.refuses({ code: "USAGE", exit: 2 }, exporting("-"));
    assert.match(repository.run(exporting(key)).stderr, /whoever reads this file can read every backup/);
    assert.equal(Deno.statSync(key).mode! & 0o777, 0o600);
    repository.refuses({ code: "TARGET_UNSUITABLE", exit: 2 }, exporting(key));
    Deno.symlinkSync(`${folder}/elsewhere`, `${folder}/link`);
    repository.refuses({ code: "TARGET_UNSUITABLE", exit: 2 }, exporting(`${folder}/link`));

    for (const name of ["keys", "copies", "repo.json"]) {
      Deno.removeSync(`${repository.path}/${name}`, { recursive: true });
    }
    const importing = ["repo", "key", "import", key];
    assert.match(keyless.refuses({ code: "REPO_KEY", exit: 12 }, importing).hint!, /--new-passphrase-file/);
    assert.deepEqual(repository.keys("repo.json"), [], "nothing is put back before there is a passphrase");
    const renewed = new RepositoryFolder(folder, "repo", { env: { REGRAIN_PASSPHRASE: "two" } });
    const importer = new RepositoryFolder(folder, "repo", { env: { REGRAIN_NEW_PASSPHRASE: "two" } });
    assert.match(importer.run(importing).stdout, /put back: repo\.json\nkey slot \w{26} /);
    renewed.assertHolds(id, "ab");
    repository.refuses({ code: "REPO_KEY", exit: 12 }, ["snapshots"]);
  });
});

Deno.test("B9: an unwrapped key of another repository, of before a rotation, or damaged is refused", async () => {
  await withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "one", REGRAIN_NEW_PASSPHRASE: "two" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ENCRYPT });
    const key = `${folder}/key.json`;
    const importing = ["repo", "key", "import", key];
    repository.run(["repo", "key", "export", "--unwrapped", key]);
    const text = Deno.readTextFileSync(key);
    const { master } = JSON.parse(text);
    const digit = master[0] === "A" ? "B" : "A";
    Deno.writeTextFileSync(key, text.replace(`"${master}"`, `"${digit}${master.slice(1)}"`));
    repository.refuses({ code: "REPO_UNSUPPORTED", exit: 4 }, importing);
    Deno.writeTextFileSync(key, text);
    const plain = RepositoryFolder.create(folder, "plain", { flags: ["--chunk-size", "1M"] });
    const into = new RepositoryFolder(folder, "plain", { env: { REGRAIN_NEW_PASSPHRASE: "two" } });
    into.refuses({ code: "REPO_MIXED", exit: 5 }, importing);
    plain.refuses({ code: "USAGE", exit: 2 }, ["repo", "key", "export", "--unwrapped", `${folder}/none`]);
    repository.run(["repo", "key", "rotate", "--keep-passphrase"]);
    const slots = repository.keys("keys/");
    repository.refuses({ code: "REPO_MIXED", exit: 5 }, importing);
    assert.deepEqual(repository.keys("keys/"), slots);
    const wrapped = `${folder}/wrapped.json`;
    repository.run(["repo", "key", "export", wrapped]);
    repository.refuses({ code: "USAGE", exit: 2 }, ["repo", "key", "import", wrapped, "--label", "x"]);
  });
});
