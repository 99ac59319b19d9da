/**
 * `deno task demo`: the main job on a generated disk, as a person would do it.
 *
 * Makes a base image and two snapshots of it, looks at them, applies both in one go, and compares the result with
 * what the generator says it must be; the generator knows nothing of the reader. Then the same as backups: the image,
 * what changed since as a delta, and both restored.
 */
import { createHash } from "node:crypto";
import { formatSize, MIB, SECTOR_SIZE } from "../core-as/host/units.ts";
import {
  BASE_CID,
  baseDisk,
  buildSeSparse,
  deltaFiles,
  type Grain,
  type GrainKind,
  type LinkSpec,
  overlay,
  Rng,
} from "../fixtures/mod.ts";

const DISK_SECTORS = 192 * MIB / SECTOR_SIZE;
const GRAIN_SECTORS = 8;
/** The program of this checkout, or the one that the variable REGRAIN names. */
const REGRAIN = Deno.env.get("REGRAIN") === undefined
  ? [Deno.execPath(), "run", "-A", "--quiet", new URL("../cli/main.ts", import.meta.url).pathname]
  : [Deno.env.get("REGRAIN")!];

/** Stretches that a guest wrote or unmapped, in clusters as file systems make them. */
function guestWrites(spec: { seed: number; writes: number; unmaps: number }): LinkSpec {
  const rng = new Rng(spec.seed);
  const grainCount = DISK_SECTORS / GRAIN_SECTORS;
  const kinds = new Map<number, GrainKind>();
  const touch = (kind: GrainKind) => {
    const start = rng.int(grainCount);
    const end = Math.min(grainCount, start + 1 + rng.int(400));
    for (let index = start; index < end; index++) kinds.set(index, kind);
  };
  for (let i = 0; i < spec.writes; i++) touch("data");
  for (let i = 0; i < spec.unmaps; i++) touch("unmapped");
  const grains: Grain[] = [...kinds].map(([index, kind]) => ({ index, kind }));
  return { capacitySectors: DISK_SECTORS, grainSectors: GRAIN_SECTORS, seed: spec.seed, grains };
}

/** One snapshot: its descriptor and its delta. */
function snapshotFiles(
  link: LinkSpec,
  name: { file: string; cid: string; parentCid: string; parent: string },
) {
  return deltaFiles({
    kind: "sesparse",
    bytes: buildSeSparse(link).bytes,
    capacitySectors: link.capacitySectors,
    name: name.file,
    descriptor: { cid: name.cid, parentCid: name.parentCid, parentFileNameHint: name.parent },
  });
}

/** What the disk must hold when both snapshots are applied, and when the VM has written once more. */
interface Expected {
  readonly applied: Uint8Array;
  readonly changed: Uint8Array;
}

/** Writes the files of the demo. */
async function prepare(folder: string): Promise<Expected> {
  const base = baseDisk(DISK_SECTORS);
  const first = guestWrites({ seed: 11, writes: 30, unmaps: 6 });
  const second = guestWrites({ seed: 12, writes: 14, unmaps: 4 });
  const third = guestWrites({ seed: 13, writes: 3, unmaps: 1 });
  const files = {
    ...snapshotFiles(first, {
      file: "vm-000001.vmdk",
      cid: "5eed0002",
      parentCid: BASE_CID,
      parent: "vm.vmdk",
    }),
    ...snapshotFiles(second, {
      file: "vm-000002.vmdk",
      cid: "5eed0003",
      parentCid: "5eed0002",
      parent: "vm-000001.vmdk",
    }),
    ...snapshotFiles(third, {
      file: "vm-000003.vmdk",
      cid: "5eed0004",
      parentCid: "5eed0003",
      parent: "vm-000002.vmdk",
    }),
    "vm.vmdk": new TextEncoder().encode(
      `# Disk DescriptorFile\nversion=1\nCID=${BASE_CID}\nparentCID=ffffffff\ncreateType="vmfs"\n` +
        `RW ${DISK_SECTORS} VMFS "vm-flat.vmdk"\n`,
    ),
    "vm.img": base,
  };
  for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(`${folder}/${name}`, bytes);
  const applied = overlay(overlay(base, first), second);
  return { applied, changed: overlay(applied, third) };
}

async function regrain(folder: string, ...args: string[]): Promise<void> {
  console.log(`\n$ regrain ${args.join(" ")}`);
  const [program, ...before] = REGRAIN;
  const { code } = await new Deno.Command(program!, { args: [...before, ...args], cwd: folder }).spawn()
    .status;
  if (code !== 0) throw new Error(`regrain ${args[0]} ended with ${code}`);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function describe(path: string): Promise<string> {
  const { size, blocks } = await Deno.stat(path);
  const used = blocks === null ? "" : `, ${formatSize(blocks * 512)} on disk`;
  return `${formatSize(size)}${used}, sha256 ${sha256(await Deno.readFile(path)).slice(0, 16)}`;
}

/** Says whether an image is what the generator of the disks says it must be. */
async function judge(path: string, expected: Uint8Array): Promise<boolean> {
  const equal = sha256(await Deno.readFile(path)) === sha256(expected);
  console.log(
    equal
      ? "        which is, byte for byte, what the generator of the disks expects"
      : `        WRONG: the generator expects sha256 ${sha256(expected).slice(0, 16)}`,
  );
  return equal;
}

/** Two snapshots onto the base, in one go. */
async function showApply(folder: string, { applied }: Expected): Promise<boolean> {
  const image = `${folder}/vm.img`;
  console.log("The base was copied to vm.img while the VM ran. Two snapshots hold what changed since:");
  for (const name of ["vm-000001-sesparse.vmdk", "vm-000002-sesparse.vmdk"]) {
    console.log(`  ${name}  ${formatSize((await Deno.stat(`${folder}/${name}`)).size)}`);
  }
  await regrain(folder, "info", "vm-000001.vmdk");
  await regrain(folder, "map", "--ascii", "vm-000001.vmdk");
  console.log(`\nbefore: vm.img ${await describe(image)}`);
  await regrain(folder, "apply", "--dry-run", "--chain", "vm-000002.vmdk", "vm.img");
  await regrain(folder, "apply", "--chain", "--progress", "bar", "vm-000002.vmdk", "vm.img");
  console.log(`\nafter:  vm.img ${await describe(image)}`);
  return await judge(image, applied);
}

/** The same disk as backups: once whole, once by what changed, and back. */
async function showBackup(folder: string, { applied, changed }: Expected): Promise<boolean> {
  console.log(
    "\nThe same disk as backups, in a folder. The first reads the disk, the second the delta alone:",
  );
  const where = ["--repo", "backups"];
  const name = ["--name", "web01/disk-0"];
  await regrain(folder, "repo", "init", ...where);
  await regrain(folder, "backup", "vm-000002.vmdk", ...where, ...name, "--tag", "first");
  await regrain(folder, "backup", "--delta", "vm-000003.vmdk", ...where, ...name);
  await regrain(folder, "snapshots", ...where);
  await regrain(folder, "restore", "web01/disk-0@latest", "restored.img", ...where);
  console.log(`\nrestored.img ${await describe(`${folder}/restored.img`)}`);
  const whole = await judge(`${folder}/restored.img`, changed);
  console.log("\nAnd back to the first one, in place: only what differs is fetched and written.");
  const [first] = await snapshotIds(folder);
  await regrain(folder, "restore", "--delta", `web01/disk-0@${first}`, "restored.img", ...where);
  console.log(`\nrestored.img ${await describe(`${folder}/restored.img`)}`);
  return await judge(`${folder}/restored.img`, applied) && whole;
}

/** Ids of the snapshots, oldest first. */
async function snapshotIds(folder: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { name } of Deno.readDir(`${folder}/backups/snaps`)) {
    for await (const manifest of Deno.readDir(`${folder}/backups/snaps/${name}`)) {
      ids.push(manifest.name.replace(/\.json$/, ""));
    }
  }
  return ids.sort();
}

async function demo(): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "regrain-demo-" });
  try {
    const expected = await prepare(folder);
    const results = [];
    // The base as the VM itself has it; vm.img is the copy.
    await Deno.copyFile(`${folder}/vm.img`, `${folder}/vm-flat.vmdk`);
    for (const show of [showApply, showBackup]) results.push(await show(folder, expected));
    return results.every((equal) => equal) ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await demo());
