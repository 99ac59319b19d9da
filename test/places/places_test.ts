/** What a name on the command line means: every argument for a disk, with every name that is no file's. */
import assert from "node:assert/strict";
import { leafCommands, refusalOf } from "../helpers/in_process.ts";
import { regrain, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

/** Names of what no command reads or writes, and what the refusal calls them. */
const ELSEWHERE: Record<string, RegExp> = {
  "nbd://host/disk": /an NBD export \(nbd:\/\/HOST\/EXPORT\)/,
  "nbds://host/disk": /an NBD export \(nbds:\/\/HOST\/EXPORT\)/,
  "nbd+unix:///disk?socket=/run/s": /an NBD export \(nbd\+unix:/,
  "nbd:localhost:10809": /an NBD export/,
  "vsphere://vc/web01": /a disk of vSphere/,
  "[datastore1] web01/web01.vmdk": /a path in a datastore/,
  "backup:/srv/vm.img": /a path on another machine, backup/,
  "root@backup:vm.img": /a path on another machine, root@backup/,
  "a:b": /a path on another machine, a \(HOST:PATH\)/,
  "vm-2026-11-28T10:00.img": /a path on another machine/,
  "s3://bucket/vms": /a repository, and no disk/,
  "file:///srv/vm.img": /a file by its address/,
  "https://host/vm.img": /a page of a server/,
  "rbd://pool/image": /an image in Ceph \(rbd:POOL\/IMAGE\)/,
  "rbd:pool/image": /an image in Ceph \(rbd:POOL\/IMAGE\)/,
  "iscsi://host/iqn/0": /an iSCSI disk/,
  "ssh://host/vm.img": /a file behind ssh/,
  "gluster://host/vm.img": /something behind gluster:\/\/, which regrain does not know/,
  "~/vm.img": /a path below a home folder, as a shell writes it/,
};

Deno.test("the hint names an NBD export as libnbd takes it, whatever way it was written", async () => {
  const addresses = {
    "NBD://host:10810/disk": "nbd://host:10810/disk",
    "Nbd+Unix:///disk?socket=/run/s": "'nbd+unix:///disk?socket=/run/s'",
    "nbd:localhost:10809": "nbd://localhost:10809/",
    "nbd:localhost:10809:exportname=disk": "nbd://localhost:10809/disk",
    "nbd:unix:/run/s": "'nbd+unix:///?socket=/run/s'",
    "nbd:unix:/run/s:exportname=disk": "'nbd+unix:///disk?socket=/run/s'",
  };
  for (const [name, address] of Object.entries(addresses)) {
    const { hint } = await refusalOf(["info", name]);
    assert.ok(hint!.includes(`nbdfuse vm.view ${address} & shows it`), `${name}: ${hint}`);
  }
});

/** An argument for a disk: the line with NAME in its place, and how it may be written. */
interface Argument {
  readonly line: readonly string[];
  readonly forms: string;
  /** Places that there are, and that it cannot be. */
  readonly not: readonly string[];
}

const IMAGE = { forms: "a path or repo:VM/DISK@latest", not: ["-", "null:"] };
const DELTA = { forms: "a path", not: ["-", "null:", "repo:web01/disk-0@latest"] };
const ARGUMENTS: readonly Argument[] = [
  { line: ["info", "NAME"], ...IMAGE },
  { line: ["map", "NAME"], ...IMAGE },
  { line: ["map", "--chain", "NAME"], ...IMAGE },
  { line: ["check", "NAME"], ...IMAGE },
  { line: ["compare", "NAME", "vm.img"], ...IMAGE },
  { line: ["compare", "vm.img", "NAME"], ...IMAGE },
  { line: ["inspect", "--no-open", "NAME"], ...IMAGE },
  {
    line: ["apply", "NAME", "vm.img"],
    forms: "a path or -",
    not: ["null:", "repo:web01/disk-0@latest"],
  },
  {
    line: ["apply", "vm-000001.vmdk", "NAME"],
    forms: "a path or null:",
    not: ["-", "repo:web01/disk-0@latest"],
  },
  { line: ["apply", "-", "NAME"], forms: "a path or null:", not: ["-", "repo:web01/disk-0@latest"] },
  { line: ["sync", "NAME", "vm.img"], forms: "a path, - or repo:VM/DISK@latest", not: ["null:"] },
  { line: ["sync", "vm.img", "NAME"], forms: "a path or null:", not: ["-", "repo:web01/disk-0@latest"] },
  {
    line: ["backup", "NAME", "--name", "web01/disk-0", "--repo", "repo"],
    forms: "a path, - or repo:VM/DISK@latest",
    not: ["null:"],
  },
  {
    line: ["backup", "--vm", "web01", "disk-0=NAME", "--repo", "repo"],
    forms: IMAGE.forms,
    not: ["null:"],
  },
  {
    line: ["backup", "--list", "list.txt", "--repo", "repo"],
    forms: IMAGE.forms,
    not: ["null:"],
  },
  { line: ["backup", "--delta", "NAME", "--name", "web01/disk-0", "--repo", "repo"], ...DELTA },
  {
    line: ["restore", "web01/disk-0@latest", "NAME", "--repo", "repo"],
    forms: "a path, - or null:",
    not: ["repo:web01/disk-0@latest"],
  },
  { line: ["restore", "web01/disk-0@latest", "new.img", "--apply", "NAME", "--repo", "repo"], ...DELTA },
];

async function inFolder(fn: () => Promise<void>): Promise<void> {
  const before = Deno.cwd();
  await withTempDir(async (folder) => {
    Deno.chdir(folder);
    try {
      await fn();
    } finally {
      Deno.chdir(before);
    }
  });
}

const namesHere = () => [...Deno.readDirSync(".")].map(({ name }) => name).sort();

/** The refusal of a name in the place of an argument; nothing may be made by it. */
async function refusedAs(name: string, { line }: Argument) {
  Deno.writeTextFileSync("list.txt", `web01/disk-0 '${name}'\n`);
  const there = namesHere();
  const error = await refusalOf(line.map((word) => word.replace("NAME", name)));
  assert.deepEqual([error.code, error.exit], ["USAGE", 2], `${line.join(" ")} ${name}: ${error.message}`);
  assert.deepEqual(namesHere(), there, "nothing was made");
  return error;
}

Deno.test("the table has every command with an argument for a disk", () => {
  // The two of diff are snapshots, by their names in the repository.
  const taking = [...leafCommands()].filter(([words, command]) =>
    words !== "diff" &&
    command.registeredArguments.some((each) => /^(IMAGE|A|B|DELTA|TARGET|SOURCE)$/.test(each.name()))
  );
  const known = new Set(ARGUMENTS.map(({ line }) => line[0]!));
  assert.deepEqual(taking.map(([words]) => words).sort(), [...known].sort());
});

Deno.test("every argument refuses every name of what is elsewhere, by name, with the forms that it takes", async () => {
  await inFolder(async () => {
    Deno.writeFileSync("vm.img", new Uint8Array(512));
    for (const argument of ARGUMENTS) {
      for (const [name, noun] of Object.entries(ELSEWHERE)) {
        const { message, hint } = await refusedAs(name, argument);
        assert.ok(message.replace("list.txt: line 1: ", "").startsWith(`${name} means `), message);
        assert.match(message, noun);
        assert.ok(hint!.includes(` is ${argument.forms}; a file of that name would be `), hint);
      }
    }
  });
});

Deno.test("every argument refuses the places that it cannot be, by name, with the forms that it takes", async () => {
  await inFolder(async () => {
    Deno.writeFileSync("vm.img", new Uint8Array(512));
    for (const argument of ARGUMENTS) {
      for (const name of argument.not) {
        const { message, hint } = await refusedAs(name, argument);
        assert.ok(message.replace("list.txt: line 1: ", "").startsWith(name), message);
        assert.ok(hint!.includes(` is ${argument.forms}; `), hint);
      }
    }
  });
});

Deno.test("a name in capitals, or without what belongs to it, is told how it is written", async () => {
  await inFolder(async () => {
    const image = ARGUMENTS[1]!;
    assert.match((await refusedAs("REPO:web01/disk-0@latest", image)).hint!, /^repo:web01\/disk-0@latest; /);
    assert.match(
      (await refusedAs("FILE:///srv/vm.img", image)).hint!,
      /^without the scheme: \/srv\/vm\.img; /,
    );
    assert.match((await refusedAs("NBD://h/x", image)).message, /an NBD export/);
  });
});

Deno.test("the refusal of another machine names the pipe that does the job, and never passes ssh a flag", async () => {
  await inFolder(async () => {
    const hintOf = async (line: readonly string[], name = "esx:/v/vm.vmdk") =>
      (await refusedAs(name, ARGUMENTS.find((each) => each.line.join() === line.join())!)).hint!;
    assert.match(await hintOf(["map", "NAME"]), /^scp esx:\/v\/vm\.vmdk \. copies it here; /);
    const apply = ["apply", "NAME", "vm.img"];
    assert.match(await hintOf(apply), /^ssh esx 'cat \/v\/vm\.vmdk' \| regrain apply - TARGET; /);
    const backup = ["backup", "NAME", "--name", "web01/disk-0", "--repo", "repo"];
    assert.match(
      await hintOf(backup),
      /^--from-command 'ssh esx '\\''dd if=\/v\/vm\.vmdk bs=4M'\\''' reads it; /,
    );
    const restore = ["restore", "web01/disk-0@latest", "NAME", "--repo", "repo"];
    assert.match(await hintOf(restore), /^TARGET - and \| ssh esx 'dd of=\/v\/vm\.vmdk bs=4M' writes it; /);
    const list = ["backup", "--list", "list.txt", "--repo", "repo"];
    assert.doesNotMatch(await hintOf(list, "-oProxyCommand=x:y"), /ssh/);
  });
});

Deno.test("./ decides for a file whose name looks like another place, as a hint says where there is one", async () => {
  await withTempDir((cwd) => {
    const names = ["a:b", "nbd:x", "null:", "repo:x", "[ds] x", "-", "-x.img", "vm.img"];
    for (const name of names) Deno.writeFileSync(`${cwd}/${name}`, new Uint8Array(1024));
    for (const name of names.slice(0, 5)) {
      const { hint } = regrainRefuses({ code: "USAGE", exit: 2 }, [
        "map",
        "--",
        name,
      ], {
        cwd,
        env: { REGRAIN_REPO: "" },
      });
      if (name === "repo:x") continue;
      const [, quoted, plain] = /^(?:'([^']+)'|(\S+)) is the file of that name here; /.exec(hint!)!;
      assert.equal(quoted ?? plain, `./${name}`);
    }
    const every = names.slice(0, 7).map((name) => `./${name}`);
    const { stdout } = regrainExits(0, ["info", "--json", ...every, "--", "-x.img"], { cwd });
    assert.deepEqual(
      JSON.parse(stdout).map(({ image }: { image: string }) => image),
      [...every, "-x.img"],
    );
    // Behind -- a name is no flag, and - is still the stream.
    assert.match(regrain(["map", "-x.img"], { cwd }).stderr, /unknown option '-x\.img'/);
    assert.match(
      regrainRefuses({ code: "USAGE", exit: 2 }, ["map", "--", "-"], { cwd }).message,
      /means a stream/,
    );
  });
});

Deno.test("compare warns when both names are one file, by whatever names", async () => {
  await withTempDir((cwd) => {
    Deno.writeFileSync(`${cwd}/vm.img`, new Uint8Array(1024));
    Deno.writeFileSync(`${cwd}/copy.img`, new Uint8Array(1024));
    Deno.symlinkSync("vm.img", `${cwd}/link.img`);
    assert.match(regrainExits(0, ["compare", "vm.img", "link.img"], { cwd }).stderr, /are one and the same/);
    assert.equal(regrainExits(0, ["compare", "vm.img", "copy.img"], { cwd }).stderr, "");
  });
});
