/** The recipe for a target that is a qcow2 image: nbdfuse shows it as a raw file, and that is applied to. */
import assert from "node:assert/strict";
import { caseNamed, type FixtureCase, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { run, testWithPeers, withTempDir } from "../helpers/peers.ts";
import { PROGRAM } from "../helpers/program.ts";

const PEERS = ["bash", "timeout", "nbdfuse", "qemu-nbd", "qemu-img", "root-mount", "fuse"];
const MAX_SECONDS = 60;

const CREATE = "qemu-img create -f qcow2 vm.qcow2 40G";
const ATTACH = [
  "touch vm.view",
  "nbdfuse vm.view [ qemu-nbd -f qcow2 vm.qcow2 ] &",
  "until [ -s vm.view ]; do sleep 0.1; done",
];
const COPY =
  "ssh esx 'dd if=/vmfs/volumes/ds/vm/vm-flat.vmdk bs=4M' | dd of=vm.view bs=4M iflag=fullblock conv=notrunc,fsync";
const APPLY = "regrain apply --undo vm.undo --verify vm-000001.vmdk vm.view";
const TAKE_BACK = "regrain apply vm.undo vm.view";
const DETACH = "umount vm.view && wait";

/** Runs lines of the recipe as one script; an ESX host is a folder here, and the VM's files those of a fixture. */
async function follow(
  folder: string,
  fixture: FixtureCase,
  lines: readonly string[],
): Promise<{ code: number; said: string }> {
  const script = [
    // Whatever fails, the image must not stay mounted.
    "trap 'umount vm.view 2>&- || wait' EXIT",
    "set -e -o pipefail",
    `regrain() { "${Deno.execPath()}" run --quiet -A "${PROGRAM}" "$@"; }`,
    `ssh() { shift; bash -c "$*"; }`,
    ...lines,
  ].join("\n")
    .replace("40G", String(fixture.capacitySectors * 512))
    .replace("/vmfs/volumes/ds/vm/vm-flat.vmdk", fixture.base!.flat!)
    .replaceAll("vm-000001.vmdk", fixture.leaf);
  const { code, stderr } = await new Deno.Command("timeout", {
    args: [String(MAX_SECONDS), "bash", "-c", script],
    cwd: folder,
    stdin: "null",
    stdout: "null",
  }).output();
  return { code, said: `${lines.join("\n")}\n${new TextDecoder().decode(stderr)}` };
}

async function followWell(folder: string, fixture: FixtureCase, lines: readonly string[]): Promise<void> {
  const { code, said } = await follow(folder, fixture, lines);
  assert.equal(code, 0, said);
}

/** What qemu-img reads in the image, which must be sound. */
function assertImageHolds(folder: string, expected: Uint8Array): void {
  run("qemu-img", ["check", "-q", `${folder}/vm.qcow2`]);
  const raw = `${folder}/converted.img`;
  run("qemu-img", ["convert", "-O", "raw", `${folder}/vm.qcow2`, raw]);
  assertFileHolds(raw, expected);
}

/** Data, zeros to punch, and data that is zeros; an end that is no multiple of qcow2's clusters. */
const FIXTURES = [
  "cowd-zero-grains",
  "cowd-data-grains-full-of-zeros",
  "cowd-last-table-partial",
  "sesparse-all-four-kinds",
];

for (const name of FIXTURES) {
  testWithPeers(
    `${name}: the recipe for qcow2 moves a VM into one, and takes it back`,
    PEERS,
    () =>
      withTempDir(async (folder) => {
        const fixture = caseNamed(name);
        await writeCase(fixture, folder);
        const before = Deno.readFileSync(`${folder}/${fixture.base!.flat}`);
        await followWell(folder, fixture, [CREATE, ...ATTACH, COPY, DETACH]);
        assertImageHolds(folder, before);
        await followWell(folder, fixture, [...ATTACH, APPLY, DETACH]);
        assertImageHolds(folder, fixture.expected!());
        await followWell(folder, fixture, [...ATTACH, TAKE_BACK, DETACH]);
        assertImageHolds(folder, before);
      }),
  );
}

// nbdfuse turns a punched hole into a trim, reports success, and the old data may stay.
testWithPeers(
  "zeros reach an image behind FUSE, in every mode",
  PEERS,
  () =>
    withTempDir(async (folder) => {
      const fixture = caseNamed("sesparse-all-four-kinds");
      await writeCase(fixture, folder);
      for (const sparse of ["auto", "always", "never"]) {
        const apply = `regrain apply --verify --sparse ${sparse} vm-000001.vmdk vm.view`;
        await followWell(folder, fixture, [CREATE, ...ATTACH, COPY, DETACH]);
        await followWell(folder, fixture, [...ATTACH, apply, DETACH]);
        assertImageHolds(folder, fixture.expected!());
      }
    }),
);

Deno.test("docs/moving-a-vm.md shows this recipe", () => {
  const page = Deno.readTextFileSync(new URL("../../docs/moving-a-vm.md", import.meta.url));
  const lines = new Set(page.split("\n").map((line) => line.trim()));
  assert.deepEqual([CREATE, ...ATTACH, COPY, APPLY, DETACH].filter((line) => !lines.has(line)), []);
});
