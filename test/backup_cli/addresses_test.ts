/** Every command on a repository, with every address that other tools take: refused by name, and nothing is made. */
import assert from "node:assert/strict";
import { leafCommands, refusalOf } from "../helpers/in_process.ts";
import { withTempDir } from "../helpers/peers.ts";

const ADDRESSES = [
  ...[
    "sftp:root@nas:/backups",
    "sftp://nas/backups",
    "ssh://nas/backups",
    "root@nas:/backups",
    "nas:backups",
  ],
  ...["rest:http://nas:8000/", "http://nas/bucket/vms", "b2:bucket:path", "azure:container:/", "gs:bucket:/"],
  ...["gs://bucket/vms", "swift:container:/", "rclone:remote:path", "S3://bucket/vms", "s3:bucket/vms"],
  ...[
    "s3:https://s3.example.com/bucket",
    "s3://",
    "s3:///vms",
    "file:///srv/vms",
    "nfs://nas/vms",
    "nbd://nas",
  ],
  ...["~/backups", "~root/backups", ":s3:bucket/vms", "s3://minio.lan:9000/bucket", "s3:nas:9000/bucket"],
  ...["vsphere://vc/vm", "null:", "repo:web01/disk-0@latest", "[datastore1] vms", "unheard-of:x"],
];

/** What each command needs to get as far as its repository. `AT` is the address. */
const COMMANDS: Record<string, readonly string[]> = {
  info: ["repo:web01/disk-0@latest", "--repo", "AT"],
  map: ["repo:web01/disk-0@latest", "--repo", "AT"],
  check: ["repo:web01/disk-0@latest", "--repo", "AT"],
  compare: ["repo:web01/disk-0@latest", "vm.img", "--repo", "AT"],
  inspect: ["--no-open", "--repo", "AT"],
  sync: ["repo:web01/disk-0@latest", "new.img", "--repo", "AT"],
  backup: ["vm.img", "--name", "web01/disk-0", "--repo", "AT"],
  restore: ["web01/disk-0@latest", "new.img", "--repo", "AT"],
  snapshots: ["--repo", "AT"],
  verify: ["--repo", "AT"],
  prune: ["--keep-last", "1", "--repo", "AT"],
  hold: ["web01/disk-0@latest", "--repo", "AT"],
  release: ["web01/disk-0@latest", "--repo", "AT"],
  diff: ["web01/disk-0@2026", "web01/disk-0@latest", "--repo", "AT"],
  forget: ["01JDAAAAAAAAAAAAAAAAAAAAAA", "--repo", "AT"],
  gc: ["--repo", "AT"],
  "repo init": ["--repo", "AT"],
  "repo info": ["--repo", "AT"],
  "repo active": ["--repo", "AT"],
  "repo check": ["--repo", "AT"],
  "repo repair": ["--repo", "AT"],
  "repo stats": ["--repo", "AT"],
  "repo copy": ["--to", "other", "--repo", "AT"],
  "repo import": ["old", "--name", "web01/disk-0", "--repo", "AT"],
  "repo key add": ["--new-passphrase-file", "new.txt", "--repo", "AT"],
  "repo key remove": ["first", "--repo", "AT"],
  "repo key export": ["keys.json", "--repo", "AT"],
  "repo key import": ["keys.json", "--repo", "AT"],
  "repo key rotate": ["--new-passphrase-file", "new.txt", "--repo", "AT"],
  "repo key list": ["--repo", "AT"],
};

/** Where an address is not that of `--repo`. */
const OTHERS: readonly (readonly string[])[] = [
  ["repo", "copy", "--to", "AT", "--repo", "first"],
  ["repo", "import", "AT", "--name", "web01/disk-0", "--repo", "old"],
];

async function inEmptyFolder(fn: () => Promise<void>): Promise<void> {
  const before = Deno.cwd();
  await withTempDir(async (folder) => {
    Deno.chdir(folder);
    try {
      Deno.writeTextFileSync("new.txt", "a new passphrase");
      Deno.writeTextFileSync("keys.json", "{}");
      const there = namesHere();
      await fn();
      assert.deepEqual(namesHere(), there, "nothing was made");
    } finally {
      Deno.chdir(before);
    }
  });
}

const namesHere = () => [...Deno.readDirSync(".")].map(({ name }) => name).sort();

Deno.test("B13: the table has every command that takes --repo", () => {
  const taking = [...leafCommands()].filter(([, command]) =>
    command.options.some(({ long }) => long === "--repo")
  );
  assert.deepEqual(taking.map(([words]) => words).sort(), Object.keys(COMMANDS).sort());
});

Deno.test("B13: every command refuses every address that is no store's, by name, with the accepted forms", async () => {
  await inEmptyFolder(async () => {
    const lines = [
      ...Object.entries(COMMANDS).map(([words, args]) => [...words.split(" "), ...args]),
      ...OTHERS,
    ];
    for (const line of lines) {
      for (const address of ADDRESSES) {
        const { code, exit, message, hint } = await refusalOf(
          line.map((word) => word === "AT" ? address : word),
        );
        assert.deepEqual([code, exit], ["USAGE", 2], `${line.join(" ")} ${address}: ${message}`);
        assert.ok(message.startsWith(`${address} is no address of a repository`), message);
        assert.match(hint!, /a repository is a folder, or s3:\/\/bucket\/prefix/);
      }
    }
  });
});
