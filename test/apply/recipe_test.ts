/** The recipe that moves a VM, run line by line: an ESX host that is a folder, and a volume that is a loop device. */
import assert from "node:assert/strict";
import {
  baseDisk,
  baseFiles,
  buildCowd,
  dataGrains,
  deltaFiles,
  overlay,
  sequence,
} from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";
import { PROGRAM } from "../helpers/program.ts";

const PAGES = ["README.md", "docs/moving-a-vm.md"] as const;
type Page = typeof PAGES[number];
const SECTORS = 8192;

/** Shell lines of the chapter "Moving a VM" of a page, in order. */
function recipe(page: Page): string[] {
  const whole = Deno.readTextFileSync(new URL(`../../${page}`, import.meta.url));
  const [, chapter] = /^##? Moving a VM\n([\s\S]*?)(?=^##? |(?![\s\S]))/m.exec(whole) ?? assert.fail(page);
  return [...chapter!.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)]
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

/** How the copy of the base may go: whole, cut by an `ssh` that says so, or cut by one that does not. */
const SSH = {
  whole: 'on_esx "$@"',
  dies: 'case "$*" in *"dd if="*) on_esx "$@" | head -c 100000; return 255 ;; *) on_esx "$@" ;; esac',
  cuts: 'case "$*" in *"dd if="*) on_esx "$@" | head -c 100000 ;; *) on_esx "$@" ;; esac',
} as const;

/** Runs lines in one shell, as somebody would type them: the first that fails ends it. */
async function follow(
  lines: readonly string[],
  at: { folder: string; device: string; ssh?: keyof typeof SSH },
): Promise<{ code: number; said: string }> {
  const { folder, device } = at;
  const script = [
    `regrain() { "${Deno.execPath()}" run --quiet -A "${PROGRAM}" "$@"; }`,
    `on_esx() { shift; bash -c "\${*//\\/vmfs/${folder}/vmfs}"; }`,
    `ssh() { ${SSH[at.ssh ?? "whole"]}; }`,
    `scp() { cp \${1#esx:} "$2"; }`,
    "set -e",
    ...lines.map((line) => line.replaceAll("/dev/vg0/vm", device).replace(/(scp 'esx:)/, `$1${folder}`)),
  ].join("\n");
  const { code, stderr } = await new Deno.Command("bash", {
    args: ["-c", script],
    cwd: folder,
    stdin: "null",
  }).output();
  return { code, said: `${lines.join("\n")}\n${new TextDecoder().decode(stderr)}` };
}

async function followWell(
  lines: readonly string[],
  at: { folder: string; device: string },
): Promise<void> {
  const { code, said } = await follow(lines, at);
  assert.equal(code, 0, said);
}

for (const page of PAGES) {
  testWithPeers(`the recipe in ${page} moves a VM, and takes it back`, [
    "bash",
    "gzip",
    "sha256sum",
    "root-loop",
  ], () => moveThereAndBack(page));
}

function moveThereAndBack(page: Page): Promise<void> {
  return withTempDir(async (folder) => {
    const { before, after } = writeHost(folder);
    const image = `${folder}/volume`;
    Deno.writeFileSync(image, new Uint8Array(SECTORS * 512));
    const lines = recipe(page);
    await withLoop(image, async (device) => {
      const at = { folder, device };
      const byPipe = lines.findIndex((line) => line.includes("apply - "));
      assert.ok(lines.length >= 5 && (byPipe > 0 || page === "README.md"), "the recipe is not where it was");
      await followWell(byPipe < 0 ? lines : lines.slice(0, byPipe), at);
      assertFileHolds(device, after);
      await followWell(["regrain apply vm.undo /dev/vg0/vm"], at);
      assertFileHolds(device, before);
      if (byPipe < 0) return;
      await followWell(["set -o pipefail", lines[byPipe]!], at);
      assertFileHolds(device, after);
    });
  });
}

/** The lines that copy the base and check the copy, in a page and in the help of apply. */
async function copyLines(place: Page | "help"): Promise<string[]> {
  if (place !== "help") {
    const lines = recipe(place);
    return lines.slice(0, lines.findIndex((line) => line.startsWith("scp")));
  }
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", PROGRAM, "help", "apply"],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const start = text.indexOf("set -o pipefail");
  assert.ok(start > 0, text);
  return text.slice(start, text.indexOf("VM down:")).split("\n").map((line) => line.trim());
}

for (const place of [...PAGES, "help"] as const) {
  testWithPeers(`A20: the recipe in ${place} checks the copy of the base, and a cut one does not pass`, [
    "bash",
    "sha256sum",
    "blockdev",
    "root-loop",
  ], () =>
    withTempDir(async (folder) => {
      const { before } = writeHost(folder);
      const image = `${folder}/volume`;
      const lines = await copyLines(place);
      for (const [ssh, passes] of [["whole", true], ["dies", false], ["cuts", false]] as const) {
        // Larger than the disk, as volumes are, with something else in it before.
        Deno.writeFileSync(image, new Uint8Array(SECTORS * 512 + 1024 * 1024).fill(0x5a));
        await withLoop(image, async (device) => {
          const { code, said } = await follow(lines, { folder, device, ssh });
          assert.equal(code === 0, passes, `${ssh}: exit ${code}\n${said}`);
          if (passes) {
            assertFileHolds(device, Uint8Array.from([...before, ...new Uint8Array(1024 * 1024).fill(0x5a)]));
          }
        });
      }
      // A volume that is too small for the disk.
      Deno.writeFileSync(image, new Uint8Array(SECTORS * 256));
      await withLoop(image, async (device) => {
        assert.notEqual((await follow(lines, { folder, device })).code, 0);
      });
    }));
}
