/** Words that a repository holds and a user gives: none of them reaches the terminal as it is. */
import assert from "node:assert/strict";
import { regrain } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { DISK, RepositoryFolder, resigned } from "./repository_folder.ts";

/** Sets the title, deletes the screen by one C1 character, writes backwards, begins a new line. */
const EVIL = "\u001b]0;owned\u0007\u009b2J\u202eevil\u007f\nhint: rm -rf /";
const SHOWN = "\\u001b]0;owned\\u0007\\u009b2J\\u202eevil\\u007f";
// deno-lint-ignore no-control-regex
const RAW = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

function withRepository(fn: (repository: RepositoryFolder) => void): Promise<void> {
  return withTempDir((folder) => fn(RepositoryFolder.create(folder)));
}

Deno.test("B12: an empty tag is no rule, and words with control characters are refused", () =>
  withRepository((repository) => {
    const id = repository.backUp("a");
    repository.backUp("b");
    const usage = { code: "USAGE", exit: 2 };
    for (const tag of ["", " ", "a\u001b[2J", "a\u202eb", "a\nb"]) {
      repository.refuses(usage, ["prune", "--keep-tag", tag]);
      repository.refuses(usage, ["backup", `${repository.folder}/image`, "--name", DISK, "--tag", tag]);
    }
    repository.refuses(usage, ["hold", id, "--reason", "why\u0007"]);
    for (const name of ["web01/\u009bdisk", "web01/\u200bdisk-0", "-x/disk-0", "--live"]) {
      repository.refuses(usage, ["backup", `${repository.folder}/image`, "--name", name]);
    }
    assert.equal(repository.keys("snaps/").length, 2);
  }));

Deno.test("B12: what a repository holds is escaped wherever it is shown, and in JSON means the same", () =>
  withRepository((repository) => {
    const id = repository.backUp("a");
    const key = repository.keys("snaps/")[0]!;
    const text = new TextDecoder().decode(repository.read(key));
    const planted = text.replace(/"tags":\[\]/, `"tags":[${JSON.stringify(EVIL)}]`)
      .replace(/"host":"[^"]*"/, `"host":${JSON.stringify(EVIL)}`)
      .replace(/"tool":"[^"]*"/, `"tool":${JSON.stringify(EVIL)}`);
    assert.notEqual(planted, text);
    repository.write(key, resigned(planted));
    const hold = { version: 1, reason: EVIL, since: EVIL, host: EVIL };
    repository.write(`holds/${id}.json`, JSON.stringify(hold));
    const list = repository.run(["snapshots", "--color", "always"]).stdout;
    assert.ok(list.includes("\u001b[1mweb01/disk-0\u001b[0m"), "colours of its own stay");
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(list.replaceAll(/\x1b\[\d+m/g, ""), RAW);
    assert.ok(list.includes(SHOWN), list);
    assert.doesNotMatch(list, /^hint:/m);
    const { stdout } = repository.run(["snapshots", "--json"]);
    assert.doesNotMatch(stdout, RAW);
    const { tags, host, held } = JSON.parse(stdout.split("\n")[0]!);
    assert.deepEqual([tags, host, held.reason], [[EVIL], EVIL, EVIL]);
    for (
      const args of [
        ["prune", "--dry-run", "--keep-tag", "x"],
        ["repo", "stats"],
        ["info", `repo:${DISK}`],
        ["restore", "web01/none@\u001b[2J", `${repository.folder}/\u009bx`],
      ]
    ) {
      const ran = regrain([...args, "--repo", repository.path, "-v"]);
      assert.doesNotMatch(ran.stdout + ran.stderr, RAW, args.join(" "));
    }
  }));

Deno.test("B12: a message is cut at 4 KiB, as text and as JSON, and a wrong flag is escaped", () => {
  const long = `/tmp/${"x".repeat(20_000)}\u001b[2J`;
  for (const flags of [[], ["--json"]]) {
    const { stderr } = regrain(["info", long, ...flags]);
    assert.ok(stderr.length < 10_000, `${stderr.length} characters`);
    assert.match(stderr, /more characters/);
    assert.doesNotMatch(stderr, RAW);
  }
  assert.doesNotMatch(regrain(["info", "--\u001b[2J"]).stderr, RAW);
});
