/** The recipe of the README, run line by line: an ESX host that is a folder, and a volume that is a loop device. */
import assert from "node:assert/strict";
import {
  baseDisk,
  baseFiles,
  buildCowd,
  dataGrains,
  deltaFiles,
  overlay,
  sequence,
} from "../fixtures/mod.ts";
import { assertFileHolds } from "./helpers/bytes.ts";
import { testWithPeers, withLoop, withTempDir } from "./helpers/peers.ts";

const README = Deno.readTextFileSync(new URL("../README.md", import.meta.url));
const MAIN = new URL("../cli/main.ts", import.meta.url).pathname;
const SECTORS = 8192;

/** Commands on backups. */
const BACKUPS = [
  ...["backup", "restore", "snapshots", "diff", "verify"],
  ...["prune", "hold", "release", "gc", "repo"],
];

/** Shell lines of a chapter, in order. */
function recipe(chapter: string): string[] {
  const start = README.indexOf(`\n## ${chapter}\n`);
  const text = README.slice(start, README.indexOf("\n## ", start + 1));
  return [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)]
    .flatMap(([, block]) => block!.split("\n").map((line) => line.trim()).filter((line) => line !== ""));
}

/** The VM as it stands on the host: a base, and what the guest wrote since the snapshot. */
function writeHost(folder: string): { before: Uint8Array; after: Uint8Array } {
  const link = {
    capacitySectors: SECTORS,
    grainSectors: 1,
    seed: 8,
    grains: dataGrains(sequence({ from: 50, count: 3000 })),
  };
  const files = {
    ...baseFiles({ capacitySectors: SECTORS }),
    ...deltaFiles({ kind: "cowd", bytes: buildCowd(link).bytes, capacitySectors: SECTORS }),
  };
  Deno.mkdirSync(`${folder}/vmfs/volumes/ds/vm`, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) {
    const renamed = name.replace(/^disk/, "vm");
    const content = name.endsWith("-flat.vmdk") || name.endsWith("-delta.vmdk")
      ? bytes
      : new TextEncoder().encode(new TextDecoder().decode(bytes).replaceAll("disk", "vm"));
    Deno.writeFileSync(`${folder}/vmfs/volumes/ds/vm/${renamed}`, content);
  }
  const before = baseDisk(SECTORS);
  return { before, after: overlay(before, link) };
}

testWithPeers("the migration recipe of the README moves a VM, and takes it back", [
  "bash",
  "gzip",
  "root-loop",
], () =>
  withTempDir(async (folder) => {
    const { before, after } = writeHost(folder);
    const image = `${folder}/volume`;
    Deno.writeFileSync(image, new Uint8Array(SECTORS * 512));
    const lines = recipe("Moving a VM");
    await withLoop(image, async (device) => {
      const run = async (line: string) => {
        const script = [
          `regrain() { "${Deno.execPath()}" run --quiet -A "${MAIN}" "$@"; }`,
          `ssh() { shift; bash -c "\${*//\\/vmfs/${folder}/vmfs}"; }`,
          `scp() { cp \${1#esx:} "$2"; }`,
          "set -o pipefail",
          line.replaceAll("/dev/vg0/vm", device).replace(/(scp 'esx:)/, `$1${folder}`),
        ].join("\n");
        const { code, stderr } = await new Deno.Command("bash", {
          args: ["-c", script],
          cwd: folder,
          stdin: "null",
        })
          .output();
        assert.equal(code, 0, `${line}\n${new TextDecoder().decode(stderr)}`);
      };
      const applied = lines.findIndex((line) => line.includes("apply - "));
      assert.ok(lines.length >= 5 && applied > 0, "the recipe is not where it was");
      for (const line of lines.slice(0, applied)) await run(line);
      assertFileHolds(device, after);
      await run("regrain apply vm.undo /dev/vg0/vm");
      assertFileHolds(device, before);
      await run(lines[applied]!);
      assertFileHolds(device, after);
    });
  }));

Deno.test("every command that the README shows is one that there is, with flags that it has", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["run", "--quiet", "-A", MAIN, "man"] })
    .output();
  const manual = new TextDecoder().decode(stdout).replaceAll("\\-", "-");
  const shown = [...README.matchAll(/\bregrain (?!stands)([a-z]+)([^`\n|#]*)/g)];
  assert.ok(shown.length > 15);
  const known = [
    "info",
    "map",
    "check",
    "apply",
    "compare",
    "inspect",
    "completion",
    "man",
    "help",
    ...BACKUPS,
  ];
  for (const [text, command, rest] of shown) {
    if (!/^(--|[A-Z-]|vm|man)/.test(rest!.trim()) && rest!.trim() !== "") continue;
    assert.ok(known.includes(command!), `the README shows: ${text}`);
    for (const [flag] of rest!.matchAll(/--[a-z-]+/g)) assert.ok(manual.includes(flag), `${text}: ${flag}`);
  }
});
