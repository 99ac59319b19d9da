/** Many disks in one run: the list, what one that fails does to the others, and the one key. */
import assert from "node:assert/strict";
import { parseBackupList } from "../../cli/session/disk_list.ts";
import { runBackupList } from "../../cli/commands/backup_list.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { withTempDir } from "../helpers/peers.ts";
import { diskOf, RepositoryFolder } from "./repository_folder.ts";

Deno.test("B22: a list has a name and a source a line, quoted as in a shell, and says which line is wrong", () => {
  const text = "\ufeff# nightly\r\n\n  web01/disk-0\t/vms/web01.vmdk  \r\n" +
    `'web 02/disk-0' "/vms/\\"a\\" b.img"\n  # off: web03/disk-0 /x\ndb/d#1 /vms/it\\'s\\ '$x'.img\n`;
  assert.deepEqual(parseBackupList(text, "list"), [
    { name: "web01/disk-0", source: "/vms/web01.vmdk" },
    { name: "web 02/disk-0", source: '/vms/"a" b.img' },
    { name: "db/d#1", source: "/vms/it's $x.img" },
  ]);
  for (
    const [bad, what] of [
      ["", /names no disk/],
      ["a/0 /x\na/1\n", /line 2: 1 word, and a name and a source are due/],
      ["a/0 /x y", /line 1: 3 words/],
      ["a/0 '/x", /line 1: a quote that is not closed/],
      ["a/0 -", /line 1: standard input/],
      ["a/0 ''", /line 1: the source is empty/],
      ["a/0 /x\n\na/0 /y", /line 3: a\/0 is named in line 1 already/],
      ["a@b /x", /line 1: "a@b" is no name for a disk/],
    ] as const
  ) assert.throws(() => parseBackupList(bad, "list"), { code: "USAGE", message: what });
});

Deno.test("B22: --list backs up every disk in one run, goes on after one that fails, and exits 3", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const [first, second] = [diskOf("ab"), diskOf("c.d")];
    Deno.writeFileSync(`${folder}/a b.img`, first);
    Deno.writeFileSync(`${folder}/c.img`, second);
    const list = `${folder}/disks`;
    Deno.writeTextFileSync(
      list,
      `web01/disk-0 '${folder}/a b.img'\nweb01/gone ${folder}/gone.img\n# x\nweb01/disk-1 ${folder}/c.img\n`,
    );
    const lines = repository.json(["backup", "--list", list, "--tag", "nightly"], 3);
    const disks = lines.filter(({ type }) => type === "disk");
    assert.deepEqual(disks.map(({ name, status, code }) => [name, status, code]), [
      ["web01/disk-0", "done", undefined],
      ["web01/gone", "failed", "NOT_FOUND"],
      ["web01/disk-1", "done", undefined],
    ]);
    const { type, status, done, failed, names } = lines.at(-1)!;
    assert.deepEqual([type, status, done, failed, names], ["summary", "incomplete", 2, 1, ["web01/gone"]]);
    for (const [i, bytes] of [[0, first], [1, second]] as const) {
      repository.run(["restore", `web01/disk-${i}`, `${folder}/out${i}`]);
      assertFileHolds(`${folder}/out${i}`, bytes);
    }
    const { stdout, stderr } = repository.run(["backup", "--list", list], 3);
    assert.match(stdout, /^2 disks backed up, .*; 1 failed: web01\/gone$/m);
    assert.match(stderr, /warning: web01\/gone is not backed up \(NOT_FOUND\)/);
    Deno.writeTextFileSync(list, `web01/gone ${folder}/gone.img\n`);
    const none = repository.json(["backup", "--list", list], 4).at(-1)!;
    assert.deepEqual([none.status, none.done, none.failed], ["failed", 0, 1]);
    Deno.writeTextFileSync(list, `web01/disk-0 '${folder}/a b.img'\n`);
    assert.equal(repository.json(["backup", "--list", list]).at(-1)!.status, "done");
    for (const flags of [["--name", "a/b"], [`${folder}/c.img`], ["--size", "1G"], ["--changed", "x"]]) {
      repository.refuses({ code: "USAGE", exit: 2 }, ["backup", "--list", list, ...flags]);
    }
    const { hint } = repository.refuses({ code: "USAGE", exit: 2 }, ["backup", `${folder}/c.img`]);
    assert.match(hint!, /--name web01\/disk-0; --list FILE/);
  }));

Deno.test("B22: of an encrypted repository the key is derived once, however many disks the list has", () =>
  withTempDir(async (folder) => {
    const secret = `${folder}/secret`;
    Deno.writeTextFileSync(secret, "correct horse\n");
    const flags = ["--encrypt", "--passphrase-file", secret];
    const repository = RepositoryFolder.create(folder, "repo", { flags });
    const count = 4;
    let text = "";
    for (let i = 0; i < count; i++) {
      Deno.writeFileSync(`${folder}/${i}.img`, diskOf("a"));
      text += `vm/disk-${i} ${folder}/${i}.img\n`;
    }
    Deno.writeTextFileSync(`${folder}/disks`, text);
    // A key slot is read wherever a key is derived.
    const [slot] = repository.keys("keys/");
    let reads = 0;
    const { open, openSync, readFile, readFileSync } = Deno;
    const counted = <T extends (...args: never[]) => unknown>(real: T) =>
      ((...args: Parameters<T>) => {
        if (String(args[0]).endsWith(slot!)) reads++;
        return real(...args);
      }) as T;
    Object.assign(Deno, {
      open: counted(open),
      openSync: counted(openSync),
      readFile: counted(readFile),
      readFileSync: counted(readFileSync),
    });
    try {
      const run = { repo: repository.path, passphraseFile: secret, quiet: true, progress: "none" as const };
      assert.equal(await runBackupList(`${folder}/disks`, run), 0);
    } finally {
      Object.assign(Deno, { open, openSync, readFile, readFileSync });
    }
    assert.equal(repository.keys("snaps/").length, count);
    assert.equal(reads, 1);
  }));
