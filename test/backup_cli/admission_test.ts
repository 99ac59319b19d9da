/** Who decides whether a repository is encrypted, and which one it is: not the store. */
import assert from "node:assert/strict";
import { regrain, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { DISK, RepositoryFolder } from "./repository_folder.ts";

const KEY = { REGRAIN_PASSPHRASE: "secret" };
const ENCRYPT = ["--encrypt", "--chunk-size", "1M"];
const PLAIN = { code: "REPO_UNENCRYPTED", exit: 12 };
const OTHER = { code: "REPO_REPLACED", exit: 12 };

function encrypted(folder: string, name = "repo", env: Record<string, string> = {}): RepositoryFolder {
  return RepositoryFolder.create(folder, name, { env: { ...KEY, ...env }, flags: ENCRYPT });
}

/** The same folder seen from a host that never opened it. */
function elsewhere(folder: string, name = "repo", env: Record<string, string> = KEY): RepositoryFolder {
  return new RepositoryFolder(folder, name, { env: { XDG_STATE_HOME: `${folder}/elsewhere`, ...env } });
}

/** What somebody who can write the store does to have plain text. */
function callPlain(repository: RepositoryFolder): void {
  const text = new TextDecoder().decode(repository.read("repo.json"));
  repository.write("repo.json", text.replace('"hmac-sha256"', '"sha256"').replace('"aes-256-gcm"', '"none"'));
}

Deno.test("E1: a repository that was made to call itself unencrypted takes no backup", async () => {
  await withTempDir((folder) => {
    const repository = encrypted(folder);
    repository.backUp("ab");
    callPlain(repository);
    Deno.writeFileSync(`${folder}/image`, new Uint8Array(1024));
    const backup = ["backup", `${folder}/image`, "--name", DISK];
    const before = repository.keys("chunks/");
    repository.refuses(OTHER, backup);
    const stranger = elsewhere(folder);
    const { hint } = stranger.refuses(PLAIN, backup);
    assert.match(hint!, /--unencrypted/);
    const keyless = elsewhere(folder, "repo", {});
    keyless.refuses(PLAIN, backup);
    repository.remove("keys/first.json");
    assert.match(keyless.refuses(PLAIN, backup).message, /copies\/keys\/first\.json is of an encrypted/);
    repository.remove("copies/keys/first.json");
    assert.match(keyless.refuses(PLAIN, backup).message, /\.enc is of an encrypted repository/);
    assert.deepEqual(repository.keys("chunks/"), before, "nothing was stored");
  });
});

Deno.test("E1: an unencrypted repository in the place of an encrypted one restores nothing", async () => {
  await withTempDir((folder) => {
    const mine = encrypted(folder);
    mine.backUp("ab");
    const theirs = RepositoryFolder.create(folder, "theirs");
    const id = theirs.backUp("xy");
    Deno.renameSync(mine.path, `${folder}/kept`);
    Deno.renameSync(theirs.path, mine.path);
    mine.assertNotRestored(OTHER);
    mine.refuses(OTHER, ["verify", "--deep"]);
    mine.refuses(OTHER, ["snapshots"]);
    const stranger = elsewhere(folder);
    stranger.assertNotRestored(PLAIN);
    // Each hint, followed once.
    assert.match(mine.refuses(PLAIN, ["snapshots", "--replaced"]).hint!, /^--unencrypted/);
    mine.run(["snapshots", "--replaced", "--unencrypted"]);
    mine.run(["restore", `${DISK}@${id}`, `${folder}/out`, "--unencrypted"]);
    mine.refuses(PLAIN, ["snapshots"]);
    new RepositoryFolder(folder).run(["snapshots"]);
  });
});

Deno.test("E1: this host remembers which repository is at an address, and whether it is encrypted", async () => {
  await withTempDir((folder) => {
    const env = { XDG_STATE_HOME: `${folder}/state` };
    const one = RepositoryFolder.create(folder, "repo", { env });
    const file = `${folder}/state/regrain/repositories`;
    const [entry] = [...Deno.readDirSync(file)];
    const known = JSON.parse(Deno.readTextFileSync(`${file}/${entry!.name}`));
    assert.deepEqual([known.address, known.encryption], [Deno.realPathSync(one.path), "none"]);
    assert.equal(Deno.statSync(`${file}/${entry!.name}`).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(file).mode! & 0o777, 0o700);
    const two = RepositoryFolder.create(folder, "two", { env });
    Deno.renameSync(one.path, `${folder}/old`);
    Deno.renameSync(two.path, one.path);
    const { message, hint } = one.refuses(OTHER, ["snapshots"]);
    assert.match(message, new RegExp(`this host remembers ${known.id} here`));
    assert.match(hint!, /--replaced/);
    one.run(["snapshots", "--replaced"]);
    one.run(["snapshots"]);
    // What is made here takes the place of what was there.
    Deno.removeSync(one.path, { recursive: true });
    RepositoryFolder.create(folder, "repo", { env }).run(["snapshots"]);
  });
});

Deno.test("E1: where nothing can be remembered is a warning, and where Deno may not, none", async () => {
  await withTempDir((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    const unwritable = RepositoryFolder.create(folder, "repo", { env: { XDG_STATE_HOME: `${folder}/file` } });
    assert.match(unwritable.run(["snapshots"]).stderr, /cannot be (read|written), so/);
    const args = ["snapshots", "--repo", unwritable.path, "-v"];
    const { stderr } = regrainExits(0, args, { permissions: [`--allow-read=${unwritable.path}`] });
    assert.doesNotMatch(stderr, /warning/);
    assert.match(stderr, /this host remembers no repositories/);
  });
});

Deno.test("E1: repo copy refuses an unencrypted repository on either side", async () => {
  await withTempDir((folder) => {
    const plain = RepositoryFolder.create(folder, "plain");
    plain.backUp("ab");
    const other = RepositoryFolder.create(folder, "other");
    const secret = encrypted(folder, "secret");
    secret.backUp("cd");
    const copy = (
      from: RepositoryFolder,
      to: RepositoryFolder,
    ) => ["repo", "copy", "--repo", from.path, "--to", to.path, "--progress", "none"];
    assert.match(regrainRefuses(PLAIN, copy(plain, other), { env: KEY }).hint!, /^--unencrypted/);
    const to = regrainRefuses(PLAIN, copy(plain, other), { env: { REGRAIN_TO_PASSPHRASE: "x" } });
    assert.match(to.hint!, /^--to-unencrypted/);
    assert.match(regrainRefuses(PLAIN, copy(secret, other), { env: KEY }).hint!, /^--to-unencrypted/);
    assert.deepEqual(other.keys("chunks/"), []);
    regrainExits(0, [...copy(secret, other), "--to-unencrypted"], { env: KEY });
    assert.equal(other.keys("snaps/").length, 1);
  });
});

Deno.test("E1: what is changed in the repo.json of an encrypted repository is found by its key", async () => {
  await withTempDir((folder) => {
    const repository = encrypted(folder);
    const id = repository.backUp("ab");
    const text = new TextDecoder().decode(repository.read("repo.json"));
    repository.write("repo.json", text.replace('"atomic"', '"ignored"'));
    assert.match(repository.refuses(OTHER, ["snapshots"]).message, /does not have the repository's key/);
    elsewhere(folder).refuses(OTHER, ["snapshots"]);
    repository.write("repo.json", text.replace(/,\s*"mac": "\w+"/, ""));
    assert.match(repository.refuses(OTHER, ["snapshots"]).message, /has no MAC/);
    // An older version made none: a host that does not know better opens it.
    elsewhere(folder).assertHolds(id, "ab");
  });
});

Deno.test("E1: repo init with a passphrase wants --encrypt, and says what a lost passphrase means", async () => {
  await withTempDir((folder) => {
    const repository = new RepositoryFolder(folder, "repo", { env: KEY });
    const { hint } = repository.refuses({ code: "USAGE", exit: 2 }, ["repo", "init"]);
    assert.match(hint!, /--encrypt; or --unencrypted/);
    assert.equal(regrain(["repo", "info", "--repo", repository.path]).code, 10, "nothing was made");
    assert.match(
      repository.run(["repo", "init", "--encrypt"]).stderr,
      /without a passphrase .* no one can help/,
    );
    const plain = new RepositoryFolder(folder, "plain", { env: KEY });
    plain.run(["repo", "init", "--unencrypted"]);
    plain.refuses(PLAIN, ["snapshots"]);
  });
});
