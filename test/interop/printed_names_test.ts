/** Names out of images, file names, and what a server or a command says: none reaches the terminal as it is. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { buildDescriptor } from "../../fixtures/mod.ts";
import { regrain, regrainCommand, regrainExits } from "../helpers/cli.ts";
import { peer, withTempDir } from "../helpers/peers.ts";
import { PROGRAM } from "../helpers/program.ts";

/** Sets the title, deletes the screen by one C1 character, writes backwards. */
const EVIL = "\u001b]0;owned\u0007\u009b2J\u202eevil\u2066\u007f";
const SHOWN = String.raw`\u001b]0;owned\u0007\u009b2J\u202eevil\u2066\u007f`;
// deno-lint-ignore no-control-regex
const RAW = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const SECTORS = 2048;

interface Planted {
  readonly folder: string;
  readonly leaf: string;
  readonly base: string;
}

/** A delta and a base whose texts and file names are hostile, and one whose extent and parent are not there. */
function plant(folder: string): Planted {
  const [leaf, base] = [join(folder, `${EVIL}-000001.vmdk`), join(folder, `${EVIL}.vmdk`)];
  const extents = [{ sectors: SECTORS, type: "VMFS" as const, file: `${EVIL}-flat.vmdk` }];
  Deno.writeFileSync(base, buildDescriptor({ createType: "vmfs", extents, cid: "1" }));
  Deno.writeFileSync(join(folder, `${EVIL}-flat.vmdk`), new Uint8Array(SECTORS * 512).fill(7));
  const delta = buildDescriptor({
    createType: "vmfsSparse",
    parentCid: "1",
    parentFileNameHint: `/else/${EVIL}/none.vmdk`,
    extents: [{ sectors: SECTORS, type: "VMFS", file: `${EVIL}-flat.vmdk` }],
  });
  Deno.writeFileSync(leaf, delta);
  Deno.writeTextFileSync(
    join(folder, "vm.vmx"),
    `displayName = "${EVIL}"\nscsi0:0.fileName = "${EVIL}.vmdk"\n`,
  );
  return { folder, leaf, base };
}

Deno.test("E7: names in descriptors, file names and a VM's name are escaped in text, and as \\uXXXX in JSON", () =>
  withTempDir((folder) => {
    const { leaf, base } = plant(folder);
    const commands = [
      ["info", base],
      ["info", leaf],
      ["info", folder],
      ["check", leaf, "--all"],
      ["map", base],
      ["compare", base, leaf],
      ["diff", base, leaf],
      ["apply", "--dry-run", leaf, base],
      ["apply", leaf, join(folder, `${EVIL}.none`)],
      ["restore", `${EVIL}@latest`, base, "--repo", join(folder, EVIL)],
    ];
    let shown = 0;
    for (const args of commands) {
      for (const flags of [["-v"], ["--json"]]) {
        const { code, stdout, stderr } = regrain([...args, ...flags]);
        assert.notEqual(code, 70, stderr);
        assert.doesNotMatch(stdout + stderr, RAW, `${args[0]} ${flags}`);
        if ((stdout + stderr).includes(SHOWN)) shown++;
      }
    }
    assert.ok(shown >= 2 * commands.length - 2, `the names are shown by ${shown}`);
    const { extents: [extent] } = JSON.parse(regrainExits(0, ["info", base, "--json"]).stdout);
    assert.equal(extent.path, join(folder, `${EVIL}-flat.vmdk`), "in JSON it is the same name");
  }));

Deno.test("E7: the command that is printed for hostile file names works in a shell as it is printed", () =>
  withTempDir((folder) => {
    plant(folder);
    const { stdout } = regrain(["info", folder]);
    const line = stdout.split("\n").map((each) => each.trim()).find((each) => each.startsWith("dd if="));
    assert.ok(line, stdout);
    const script = `dd() { printf '%s\\0' "$@"; }; ${line}`;
    const { stdout: words } = new Deno.Command("bash", { args: ["-c", script] }).outputSync();
    assert.equal(new TextDecoder().decode(words).split("\0")[0], `if=${join(folder, `${EVIL}-flat.vmdk`)}`);
  }));

Deno.test("E7: a name of a megabyte is cut in messages and in lines of results", () =>
  withTempDir((folder) => {
    const leaf = join(folder, "vm-000001.vmdk");
    const long = "x".repeat(1_000_000);
    const extents = [{ sectors: SECTORS, type: "VMFS" as const, file: "vm-flat.vmdk" }];
    Deno.writeFileSync(join(folder, "vm-flat.vmdk"), new Uint8Array(SECTORS * 512));
    const spec = { createType: "vmfs", parentCid: "1", parentFileNameHint: `/y/${long}`, extents } as const;
    Deno.writeFileSync(leaf, buildDescriptor(spec));
    for (const args of [["info", leaf], ["info", folder], ["map", leaf], ["apply", leaf, `${leaf}.img`]]) {
      const { code, stdout, stderr } = regrain(args);
      assert.notEqual(code, 70, stderr.slice(0, 1000));
      assert.ok(stdout.length + stderr.length < 100_000, `${args[0]}: ${stdout.length + stderr.length}`);
    }
    const { stderr } = regrain(["apply", leaf, `${leaf}.img`, "--json"]);
    for (const line of stderr.trim().split("\n")) assert.ok(line.length < 50_000 && JSON.parse(line));
  }));

Deno.test("E7: what a store answers is escaped and cut", () =>
  withTempDir(async () => {
    const body = `<Error><Code>Owned${EVIL}</Code><Message>${EVIL}${"z".repeat(200_000)}</Message></Error>`;
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      () => new Response(body, { status: 403, headers: { "x-amz-request-id": "a\u009bb" } }),
    );
    const args = ["snapshots", "--repo", "s3://bucket/x", "--path-style", "--region", "us-east-1"];
    const endpoint = `http://127.0.0.1:${server.addr.port}`;
    const env = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };
    for (const flags of [[], ["--json"]]) {
      const ran = await regrainCommand([...args, "--endpoint", endpoint, ...flags], { env }).output();
      const stderr = new TextDecoder().decode(ran.stderr);
      assert.equal(ran.code, 7, stderr.slice(0, 2000));
      assert.doesNotMatch(stderr, RAW);
      assert.ok(stderr.includes("owned"), "the server's own words are shown");
      assert.ok(stderr.length < 20_000, `${stderr.length}`);
    }
  }));

Deno.test("E7: what the command of --from-command and that of --hook-done write to stderr is escaped", () =>
  withTempDir((folder) => {
    const repo = join(folder, "repo");
    regrainExits(0, ["repo", "init", "--repo", repo]);
    const said = "printf '\\033]0;owned\\007\\302\\2332J\\342\\200\\256evil\\n' >&2";
    const write = `${said}; head -c 1048576 /dev/zero`;
    const args = ["backup", "--name", "web01/disk-0", "--repo", repo, "--from-command", write, "--force"];
    const hook = `${said}; ${said.replace(" >&2", "")}; (sleep 30 >&2 &)`;
    const plain = regrainExits(0, [...args, "--hook-done", hook]);
    assert.doesNotMatch(plain.stdout + plain.stderr, RAW);
    const lines = plain.stderr.split("\n").filter((line) => line.includes(String.raw`\u009b2J\u202eevil`));
    assert.equal(lines.length, 3, plain.stderr);
    const json = regrainExits(0, [...args, "--json", "--hook-done", hook]);
    assert.doesNotMatch(json.stdout + json.stderr, RAW);
    const objects = json.stderr.trim().split("\n").map((line) => JSON.parse(line));
    const messages = objects.filter(({ type }) => type === "output").map(({ message }) => message);
    assert.deepEqual(messages, Array(3).fill("\u001b]0;owned\u0007\u009b2J\u202eevil"));
  }));

Deno.test("E7: the hook gets a message that a script can print", () =>
  withTempDir((folder) => {
    const [repo, told] = [join(folder, "repo"), join(folder, "told")];
    regrainExits(0, ["repo", "init", "--repo", repo]);
    const args = ["backup", join(folder, EVIL), "--name", "web01/disk-0", "--repo", repo];
    regrain([...args, "--hook-done", `printf %s "$REGRAIN_MESSAGE" > '${told}'`]);
    const text = Deno.readTextFileSync(told);
    assert.ok(text.includes(SHOWN), text);
    assert.doesNotMatch(text, RAW);
  }));

Deno.test({
  name: "E7: a terminal that is written to directly gets no more than one that is not",
  ignore: peer("script") === undefined,
  fn: () =>
    withTempDir((folder) => {
      const { base } = plant(folder);
      const link = join(folder, "link.vmdk");
      Deno.symlinkSync(base, link);
      const command = `${Deno.execPath()} run -A ${PROGRAM} info --color always ${link}`;
      const args = ["-qec", command, "/dev/null"];
      const output = new Deno.Command("script", { args, stdin: "null" }).outputSync();
      // deno-lint-ignore no-control-regex
      const text = new TextDecoder().decode(output.stdout).replaceAll(/\x1b\[\d+m|\r\n/g, "");
      assert.doesNotMatch(text, RAW);
    }),
});
