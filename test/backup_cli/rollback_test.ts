/** A store that shows an older state than it did: what this host remembers of the newest snapshots. */
import assert from "node:assert/strict";
import {
  forgetNewest,
  type KnownRepository,
  recallRepository,
  rememberAfresh,
  rememberRepository,
} from "../../cli/backup/known_repositories.ts";
import { attachMemory, warnOfHidden, warnOfOlder } from "../../cli/session/newest_seen.ts";
import { Console } from "../../cli/ui/mod.ts";
import { regrainExits } from "../helpers/cli.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { withTempDir } from "../helpers/peers.ts";
import { backUpLetters, memoryRepository } from "./memory_repository.ts";
import { DISK, RepositoryFolder } from "./repository_folder.ts";

const ENCRYPT = ["--encrypt", "--chunk-size", "1M"];
const MISSED = /warning: .*this host remembers it as the newest/;

/** The same repository as another host sees it, which never opened it. */
function elsewhere(folder: string, env: Record<string, string> = {}): RepositoryFolder {
  return new RepositoryFolder(folder, "repo", { env: { XDG_STATE_HOME: `${folder}/elsewhere`, ...env } });
}

/** Takes a manifest away, as a store does that holds it back; what puts it back. */
function hide(repository: RepositoryFolder, id: string): () => void {
  const key = repository.keys("snaps/").find((each) => each.includes(id))!;
  const bytes = repository.read(key);
  repository.remove(key);
  return () => repository.write(key, bytes);
}

function restoreWords(folder: string): string[] {
  return ["restore", DISK, `${folder}/out`, "--force", "--progress", "none"];
}

for (
  const [what, env, flags] of [
    ["an unencrypted repository", {}, undefined],
    ["an encrypted repository", { REGRAIN_PASSPHRASE: "secret" }, ENCRYPT],
  ] as const
) {
  Deno.test(`E9: the newest snapshot of ${what} is missed when the store holds it back`, () =>
    withTempDir((folder) => {
      const repository = RepositoryFolder.create(folder, "repo", { env, ...flags && { flags } });
      repository.backUp("ab");
      const newest = repository.backUp("ac");
      const show = hide(repository, newest);
      // Deriving the key of an encrypted one takes long, and the way is the same.
      const others = flags === undefined ? [["snapshots", DISK], ["verify"]] : [];
      const commands = [["snapshots"], restoreWords(folder), ["verify", DISK], ...others];
      for (const words of commands) {
        const { stderr } = repository.run(words);
        assert.match(stderr, MISSED, words.join(" "));
        assert.ok(stderr.includes(`${DISK}@${newest} is not there`), stderr);
        assert.match(stderr, /another host removed it, or the store holds it back .*--replaced/);
        assert.equal(stderr.split(newest).length, 2, "it is said once");
        assert.doesNotMatch(
          elsewhere(folder, env).run(words).stderr,
          MISSED,
          "who never saw it misses nothing",
        );
      }
      show();
      assert.doesNotMatch(repository.run(restoreWords(folder)).stderr, MISSED);
      const again = hide(repository, newest);
      const backup = ["backup", `${folder}/image`, "--name", DISK, "--progress", "none"];
      assert.match(repository.run(backup).stderr, MISSED);
      again();
      assert.doesNotMatch(repository.run(["verify"]).stderr, MISSED);
    }));
}

Deno.test("E9: a disk whose snapshots are all held back is missed before it is not found", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const id = repository.backUp("ab");
    hide(repository, id);
    for (const words of [["snapshots", DISK], restoreWords(folder), ["verify", DISK]]) {
      const { stderr } = regrainExits(4, [...words, "--repo", repository.path]);
      assert.match(stderr, MISSED);
      assert.match(stderr, /there is no backup/);
    }
    assert.match(repository.run(["snapshots"]).stderr, new RegExp(`snapshot ${id} is not there`));
  }));

Deno.test("E9: this host does not miss what it forgets or prunes, and --replaced takes what another removed", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("ab");
    repository.backUp("ac", ["--tag", "keep"]);
    const third = repository.backUp("ad");
    repository.run(["forget", third, "--dry-run"]);
    const show = hide(repository, third);
    assert.match(repository.run(["snapshots"]).stderr, MISSED, "a dry run removes nothing");
    show();
    repository.run(["forget", third]);
    assert.doesNotMatch(repository.run(["snapshots"]).stderr, MISSED);
    repository.backUp("ae");
    repository.run(["prune", "--keep-tag", "keep"]);
    assert.doesNotMatch(repository.run(["verify"]).stderr, MISSED);
    const last = repository.backUp("af");
    hide(repository, last);
    assert.match(repository.run(["snapshots"]).stderr, MISSED);
    // The hint, followed once.
    assert.doesNotMatch(repository.run(["snapshots", "--replaced"]).stderr, MISSED);
    assert.doesNotMatch(repository.run(["snapshots"]).stderr, MISSED);
  }));

for (
  const [what, env, flags] of [
    ["an unencrypted repository", {}, undefined],
    ["an encrypted repository", { REGRAIN_PASSPHRASE: "secret" }, ENCRYPT],
  ] as const
) {
  Deno.test(`E9: what another host forgot of ${what} is not missed, and gc goes on`, () =>
    withTempDir((folder) => {
      const repository = RepositoryFolder.create(folder, "repo", { env, ...flags && { flags } });
      repository.backUp("ab");
      const newest = repository.backUp("ac");
      const put = hide(repository, newest);
      repository.refuses({ code: "REPO_REPLACED", exit: 12 }, ["gc"]);
      put();
      elsewhere(folder, env).run(["forget", newest]);
      const records = repository.keys("forgotten/");
      assert.equal(records.length, 1);
      // A record that is not one of this snapshot, or not of somebody with the key, counts for nothing.
      const record = repository.read(records[0]!);
      // Where nothing is encrypted nobody can prove anything, and its name says it all.
      for (const wrong of flags === undefined ? [] : [`{"version":1,"id":"${newest}"}`, ""]) {
        repository.write(records[0]!, wrong);
        assert.match(repository.run(["snapshots"]).stderr, MISSED);
        repository.refuses({ code: "REPO_REPLACED", exit: 12 }, ["gc"]);
      }
      repository.write(records[0]!, record);
      assert.doesNotMatch(repository.run(restoreWords(folder)).stderr, MISSED);
      assert.match(repository.run(["gc"]).stdout, /2 objects removed/);
      assert.doesNotMatch(repository.run(["repo", "check"]).stdout, /stray/);
    }));
}

Deno.test("E9: what another host pruned is not missed while a newer snapshot is there", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const first = repository.backUp("ab");
    const other = elsewhere(folder);
    const newer = other.backUp("ac");
    other.run(["prune", "--keep-last", "1"]);
    assert.deepEqual(repository.keys("snaps/").map((key) => key.includes(first)), [false]);
    assert.deepEqual(repository.keys("forgotten/"), []);
    assert.doesNotMatch(repository.run(["verify"]).stderr, MISSED);
    repository.run(["gc"]);
    // The newer one is remembered in its place.
    hide(repository, newer);
    assert.match(repository.run(["snapshots"]).stderr, MISSED);
    repository.refuses({ code: "REPO_REPLACED", exit: 12 }, ["gc"]);
  }));

Deno.test("E9: a disk has one record of what was forgotten, of the newest", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const [first, second, third] = ["ab", "ac", "ad"].map((letters) => repository.backUp(letters));
    repository.run(["forget", second!]);
    assert.deepEqual(repository.keys("forgotten/"), [], "a newer one is there");
    repository.run(["forget", third!]);
    repository.run(["forget", first!]);
    assert.deepEqual(repository.keys("forgotten/").map((key) => key.includes(third!)), [true]);
    const later = repository.backUp("ae");
    repository.run(["forget", later]);
    assert.deepEqual(repository.keys("forgotten/").map((key) => key.includes(later)), [true]);
  }));

Deno.test("gc removes nothing where the newest snapshot of a disk is gone, until --replaced says so", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("ab");
    const newest = repository.backUp("ac");
    // An older version records nothing.
    hide(repository, newest);
    const before = repository.keys("chunks/");
    assert.match(repository.run(["gc", "--dry-run"]).stderr, MISSED);
    const { message, hint } = repository.refuses({ code: "REPO_REPLACED", exit: 12 }, ["gc"]);
    assert.ok(message.includes(`${DISK}@${newest} is not there`), message);
    assert.match(hint!, /--replaced remembers what is there now/);
    assert.deepEqual(repository.keys("chunks/"), before);
    // The hint, followed once.
    repository.run(["gc", "--replaced"]);
    assert.equal(repository.keys("chunks/").length, before.length - 1);
    repository.run(["gc"]);
  }));

Deno.test("E9: a restored VM whose disk has a newer snapshot that is held back is warned of", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    Deno.writeFileSync(`${folder}/a`, new Uint8Array(1024));
    repository.run(["backup", "--vm", "web01", `disk-0=${folder}/a`, "--progress", "none"]);
    hide(repository, repository.backUp("ab"));
    const { stderr } = repository.run(["restore", "web01@latest", `${folder}/vm/`, "--progress", "none"]);
    assert.match(stderr, MISSED);
    // By its id alone, which names no disk.
    const [, id] = /(\w{26})\.json$/.exec(repository.keys("snaps/")[0]!)!;
    assert.match(repository.run(["verify", id!]).stderr, MISSED);
  }));

Deno.test("E9: where Deno may not remember, the newest snapshot is not missed, and -v says so", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("ab");
    hide(repository, repository.backUp("ac"));
    const words = ["snapshots", "--repo", repository.path, "-v"];
    const { stderr } = regrainExits(0, words, { permissions: [`--allow-read=${repository.path}`] });
    assert.doesNotMatch(stderr, /warning/);
    assert.match(stderr, /this host remembers no repositories/);
  }));

const [OLDER, NEWER] = ["01JDSTXYZ0AAAAAAAAAAAAAAAA", "01JDSTXYZ1AAAAAAAAAAAAAAAA"];

function known(newest: Record<string, string>, id = "01JDSTXYZ0BBBBBBBBBBBBBBBB"): KnownRepository {
  const identity = { address: "/repo", id, encryption: "none", authenticated: false, keys: 0 } as const;
  return { ...identity, newest: new Map(Object.entries(newest)) };
}

Deno.test("E9: the newest snapshot that is remembered of a disk only rises, whoever writes last", () =>
  withTempDir(async (folder) => {
    const file = { folder: `${folder}/state`, path: `${folder}/state/one.json` };
    const newest = async () => Object.fromEntries((await recallRepository(file.path))!.newest);
    await rememberRepository(file, known({ "a-1": NEWER, "b-2": OLDER }));
    await rememberRepository(file, known({ "a-1": OLDER, "c-3": OLDER }));
    assert.deepEqual(await newest(), { "a-1": NEWER, "b-2": OLDER, "c-3": OLDER });
    await rememberRepository(file, known({}));
    assert.deepEqual(await newest(), { "a-1": NEWER, "b-2": OLDER, "c-3": OLDER });
    assert.equal(Deno.statSync(file.path).mode! & 0o777, 0o600);
    await forgetNewest(file, new Set([NEWER]));
    assert.deepEqual(await newest(), { "b-2": OLDER, "c-3": OLDER });
    await rememberRepository(file, known({ "d-4": OLDER }, "01JDSTXYZ0CCCCCCCCCCCCCCCC"));
    assert.deepEqual(await newest(), { "d-4": OLDER }, "those of another repository do not stay");
    await rememberAfresh(file, known({}, "01JDSTXYZ0CCCCCCCCCCCCCCCC"));
    assert.deepEqual(await newest(), {});
    // As versions wrote it that remembered no snapshots.
    assert.ok(!("newest" in JSON.parse(Deno.readTextFileSync(file.path))));
    const text = Deno.readTextFileSync(file.path);
    for (const wrong of ['{"../a": "01JDSTXYZ0AAAAAAAAAAAAAAAA"}', '{"a-1": "latest"}', "[]", '"x"']) {
      Deno.writeTextFileSync(file.path, text.replace("{", `{"newest": ${wrong},`));
      await assert.rejects(() => recallRepository(file.path), { code: "REPO_UNSUPPORTED" });
    }
  }));

/** Lists everything, and says of some manifests that they are gone. */
class WithholdingStore extends MemoryStore {
  withheld = "none";

  override async get(...args: Parameters<MemoryStore["get"]>) {
    return args[0].includes(this.withheld) ? undefined : await super.get(...args);
  }
}

class RecordingConsole extends Console {
  readonly warnings: string[] = [];

  override warn(line: string): void {
    this.warnings.push(line);
  }
}

Deno.test("E9: a newest snapshot that is listed and not handed out is missed, too", async () => {
  const store = new WithholdingStore();
  const repository = await memoryRepository(store);
  const older = await backUpLetters(repository, "ab");
  const newest = await backUpLetters(repository, "ac");
  const disks = new Map([[newest.source.key, newest.source.name]]);
  const file = { path: undefined, why: "of a test" } as const;
  attachMemory(repository, {
    file,
    known: known({ [newest.source.key]: newest.id }),
    replaced: "--replaced",
  });
  const console = new RecordingConsole({});
  assert.equal((await warnOfHidden(repository, { console, disks })).size, 0);
  store.withheld = newest.id;
  assert.deepEqual([...await warnOfHidden(repository, { console, disks })], [newest.id]);
  // Lists one state to who looks after it, and another one right after.
  const isSaid = (id: string) => id === older.id;
  warnOfOlder(repository, older, { console, isSaid });
  warnOfOlder(repository, newest, { console, isSaid });
  warnOfOlder(repository, older, { console, isSaid: () => true });
  assert.equal(console.warnings.length, 2);
  for (const line of console.warnings) assert.ok(line.includes(`web01/disk-0@${newest.id} is not there`));
});
