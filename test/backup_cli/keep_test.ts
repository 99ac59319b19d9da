/** `regrain snapshots`, `hold`, `release`, `prune` and `gc`, one after the other as people use them. */
import assert from "node:assert/strict";
import { withTempDir } from "../helpers/peers.ts";
import { DISK, RepositoryFolder } from "./repository_folder.ts";

const ULID = "[0-9A-HJKMNP-TV-Z]{26}";

function ids(repository: RepositoryFolder, disk = DISK): string[] {
  return repository.json(["snapshots", disk]).filter(({ type }) => type === "snapshot").map(({ id }) =>
    id as string
  );
}

Deno.test("snapshots lists by disk, with totals, tags and holds; --json ends in a summary", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    assert.equal(repository.run(["snapshots"]).stdout, "");
    const first = repository.backUp("ab.d", ["--tag", "weekly"]);
    repository.backUp("abcd");
    const other = repository.backUp("xy", [], "db/disk-1");
    repository.run(["hold", `${DISK}@${first}`, "--reason", "before the upgrade"]);
    const { stdout } = repository.run(["snapshots"]);
    assert.match(stdout, /^db\/disk-1 {2}1\.5 MiB, 1 snapshot\n/);
    assert.match(stdout, /^web01\/disk-0 {2}3\.5 MiB, 2 snapshots$/m);
    assert.match(stdout, new RegExp(`^  ${first} .* full +weekly held \\(before the upgrade\\)$`, "m"));
    assert.match(stdout, /^2 disks, 3 snapshots, [\d.]+ [KM]iB stored by them$/m);
    const lines = repository.json(["snapshots"]);
    assert.deepEqual(lines.map(({ type }) => type), ["snapshot", "snapshot", "snapshot", "summary"]);
    assert.equal((lines[0]!.held as { reason: string }).reason, "before the upgrade");
    assert.equal(lines[1]!.held, null);
    assert.deepEqual([lines[3]!.disks, lines[3]!.snapshots, lines[3]!.damaged], [2, 3, 0]);
    assert.deepEqual(ids(repository, "db/disk-1"), [other]);
    repository.refuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ["snapshots", "nobody"]);
  });
});

Deno.test("prune removes what no rule keeps, says why the rest stays, and gc frees the chunks", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const [first, second, third] = ["ab.d", "abce", "fgce"].map((chunks) => repository.backUp(chunks));
    const other = repository.backUp("ab", [], "db/disk-1");
    repository.run(["hold", first!]);
    const shown = repository.run(["prune", "--keep-last", "1", "--dry-run"]).stdout;
    assert.match(shown, new RegExp(`^web01/disk-0 +${first} .* keep +held$`, "m"));
    assert.match(shown, new RegExp(`^web01/disk-0 +${second} .* remove +no rule$`, "m"));
    assert.match(shown, new RegExp(`^web01/disk-0 +${third} .* keep +last$`, "m"));
    assert.match(shown, /^1 snapshot would be removed, 3 kept$/m);
    assert.equal(ids(repository).length, 3);
    const { stderr } = repository.run(["prune", "--keep-last", "1"]);
    assert.match(stderr, /regrain gc/);
    assert.deepEqual(ids(repository), [first, third]);
    repository.run(["release", `${DISK}@${first}`]);
    const lines = repository.json(["prune", DISK, "--keep-daily", "1"]);
    assert.deepEqual(lines.at(-1)!.ids, [first]);
    assert.match(repository.run(["gc"]).stdout, /removed/);
    repository.assertHolds(third!, "fgce");
    repository.assertHolds(other, "ab", "db/disk-1");
    repository.run(["verify", "--deep"]);
    assert.equal(repository.keys("chunks/").length, 6, "a b (also cut short), and f g c e");
  });
});

Deno.test("prune refuses without a rule, keeps tags, the newest sound one, and what is damaged", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    for (const flags of [[], ["--keep-last", "0"]]) {
      repository.refuses({ code: "USAGE", exit: 2 }, ["prune", ...flags]);
    }
    repository.refuses({ code: "USAGE", exit: 2 }, ["prune", "--keep-last", "many"]);
    const tagged = repository.backUp("a", ["--tag", "release"]);
    const spoiled = repository.backUp("b");
    const newest = repository.backUp("c");
    const key = repository.keys("snaps/").find((each) => each.includes(spoiled))!;
    repository.flip(key);
    const { stdout, stderr } = repository.run(["prune", "--keep-tag", "release"]);
    assert.match(stdout, new RegExp(`${tagged} .* keep +tag release`));
    assert.match(stdout, new RegExp(`${spoiled} .* keep +damaged, left alone`));
    assert.match(stdout, new RegExp(`${newest} .* keep +newest sound one`));
    assert.match(stderr, new RegExp(`warning: .*${key.replaceAll(/[./]/g, "\\$&")}`));
    assert.equal(repository.keys("snaps/").length, 3);
  });
});

Deno.test("prune by a tag that no snapshot has removes nothing, and the hint says how it is meant", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const ids = ["a", "b", "c"].map((letters) => repository.backUp(letters, ["--tag", "release"]));
    for (const flags of [["--dry-run"], []]) {
      const { message, hint } = repository.refuses({ code: "USAGE", exit: 2 }, [
        ...["prune", "--keep-tag", "relaese"],
        ...flags,
      ]);
      assert.match(
        message,
        /no snapshot of "web01\/disk-0" has the tag "relaese".*all but the newest would go/,
      );
      assert.match(hint!, /--keep-last 1/);
    }
    assert.equal(repository.keys("snaps/").length, 3);
    repository.run(["prune", "--keep-tag", "relaese", "--keep-last", "1"]);
    assert.deepEqual(repository.keys("snaps/").map((key) => key.slice(-31, -5)), ids.slice(-1));
  });
});

Deno.test("hold and release take an id, or a place in time, and refuse what is not there", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const id = repository.backUp("a");
    assert.match(repository.run(["hold", id.slice(0, 20)]).stdout, new RegExp(`^${DISK}@${id} is held`));
    assert.match(repository.run(["release", `${DISK}@latest`]).stdout, /is held no more/);
    assert.match(repository.run(["release", DISK]).stdout, new RegExp(`${ULID} was not held`));
    repository.refuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ["hold", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]);
    repository.refuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ["release", `${DISK}@2001-01-01T00:00:00Z`]);
    repository.refuses({ code: "USAGE", exit: 2 }, ["hold", id, "--reason", "x".repeat(1001)]);
  });
});

Deno.test("B19: prune says whose days it counted, and counts those of --timezone", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const id = repository.backUp("a");
    const rule = ["prune", "--dry-run", "--keep-daily", "3"];
    assert.match(repository.run(rule).stderr, /a day is one of UTC; --timezone/);
    assert.doesNotMatch(repository.run(["prune", "--dry-run", "--keep-last", "3"]).stderr, /UTC/);
    const named = repository.run([...rule, "--timezone", "+05:30"]);
    assert.doesNotMatch(named.stderr, /UTC/);
    assert.match(named.stdout, new RegExp(`${id} .* \\+05:30 +keep +daily`));
    assert.equal(repository.json(rule).at(-1)!.timezone, "UTC");
    assert.equal(repository.json([...rule, "--timezone", "Asia/Tokyo"]).at(-1)!.timezone, "Asia/Tokyo");
    const { hint } = repository.refuses({ code: "USAGE", exit: 2 }, [...rule, "--timezone", "Berlin"]);
    assert.match(hint!, /Europe\/Berlin/);
  });
});

Deno.test("B23: when a snapshot was created is called so in every list, with the same time in JSON", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("a");
    const { created } = repository.json(["snapshots"])[0]!;
    const [line] = repository.json(["prune", "--dry-run", "--keep-last", "1"]);
    assert.equal(line!.created, created);
    assert.equal(line!.made, undefined);
    for (const args of [["snapshots"], ["prune", "--dry-run", "--keep-last", "1"]]) {
      const { stdout } = repository.run(args);
      assert.match(stdout, /id +created \(UTC\)/);
      assert.ok(stdout.includes((created as string).slice(0, 19).replace("T", " ")));
    }
  });
});

Deno.test("B16: snapshots shows what its filters mean, and says when that is none of those there are", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const first = repository.backUp("a", ["--tag", "weekly"]);
    const second = repository.backUp("b");
    const other = repository.backUp("x", ["--tag", "release"], "web01/disk-1");
    const found = (...flags: string[]) =>
      repository.json(["snapshots", ...flags]).slice(0, -1).map(({ id }) => id as string).sort();
    assert.deepEqual(found("web01"), [first, second, other].sort());
    assert.deepEqual(found("--tag", "weekly", "--tag", "release"), [first, other].sort());
    assert.deepEqual(found("--host", Deno.hostname(), DISK), [first, second].sort());
    const none = repository.run(["snapshots", "--until", "2001-01-01"]);
    assert.deepEqual([none.stdout, /no snapshot of 3 is meant/.test(none.stderr)], ["", true]);
    repository.refuses({ code: "SNAPSHOT_MISSING", exit: 4 }, ["snapshots", "web"]);
    repository.refuses({ code: "USAGE", exit: 2 }, ["snapshots", "--from", "yesterday"]);
    assert.deepEqual(repository.json(["prune", "--keep-within", "1d"]).at(-1)!.removed, 0);
    repository.refuses({ code: "USAGE", exit: 2 }, ["prune", "--keep-within", "soon"]);
  });
});

Deno.test("B16: --passphrase-command opens a repository if it ends well, and half an answer is none", async () => {
  await withTempDir((folder) => {
    const command = ["--passphrase-command", "printf 'open sesame\\n'; echo asked >&2"];
    const repository = RepositoryFolder.create(folder, "repo", {
      flags: ["--encrypt", "--chunk-size", "1M", ...command],
      env: { REGRAIN_PASSPHRASE: "" },
    });
    const refused = (line: string, ...more: string[]) =>
      repository.refuses({ code: "REPO_KEY", exit: 12 }, [
        "snapshots",
        "--passphrase-command",
        line,
        ...more,
      ]);
    Deno.writeTextFileSync(`${folder}/passphrase`, "open sesame\n");
    repository.run(["snapshots", "--passphrase-file", `${folder}/passphrase`]);
    assert.match(repository.run(["snapshots", ...command]).stderr, /^asked$/m);
    assert.match(refused("printf 'open sesame'; exit 3").message, /ended with exit status 3/);
    assert.match(refused("true").message, /writes no passphrase/);
    refused("echo open");
    const both = ["snapshots", "--passphrase-file", `${folder}/passphrase`, ...command];
    repository.refuses({ code: "USAGE", exit: 2 }, both);
  });
});
