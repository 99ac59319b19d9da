/**
 * `deno task demo`: the main job on a generated disk, as a person would do it.
 *
 * Makes a base image and two snapshots of it, looks at them, applies both in one go, and compares the result with
 * what the generator says it must be; the generator knows nothing of the reader.
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
const MAIN = new URL("../cli/main.ts", import.meta.url).pathname;

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

/** Writes the files of the demo; returns what the base must be afterwards. */
async function prepare(folder: string): Promise<Uint8Array> {
  const base = baseDisk(DISK_SECTORS);
  const first = guestWrites({ seed: 11, writes: 30, unmaps: 6 });
  const second = guestWrites({ seed: 12, writes: 14, unmaps: 4 });
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
    "vm.vmdk": new TextEncoder().encode(
      `# Disk DescriptorFile\nversion=1\nCID=${BASE_CID}\nparentCID=ffffffff\ncreateType="vmfs"\n` +
        `RW ${DISK_SECTORS} VMFS "vm-flat.vmdk"\n`,
    ),
    "vm.img": base,
  };
  for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(`${folder}/${name}`, bytes);
  return overlay(overlay(base, first), second);
}

async function regrain(folder: string, ...args: string[]): Promise<void> {
  console.log(`\n$ regrain ${args.join(" ")}`);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", MAIN, ...args],
    cwd: folder,
  }).spawn().status;
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

async function demo(): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "regrain-demo-" });
  try {
    const expected = await prepare(folder);
    const image = `${folder}/vm.img`;
    console.log("The base was copied to vm.img while the VM ran. Two snapshots hold what changed since:");
    for await (const { name } of Deno.readDir(folder)) {
      if (name.includes("sesparse")) {
        console.log(`  ${name}  ${formatSize((await Deno.stat(`${folder}/${name}`)).size)}`);
      }
    }
    await regrain(folder, "info", "vm-000001.vmdk");
    await regrain(folder, "map", "--ascii", "vm-000001.vmdk");
    console.log(`\nbefore: vm.img ${await describe(image)}`);
    await regrain(folder, "apply", "--dry-run", "--chain", "vm-000002.vmdk", "vm.img");
    await regrain(folder, "apply", "--chain", "--progress", "bar", "vm-000002.vmdk", "vm.img");
    console.log(`\nafter:  vm.img ${await describe(image)}`);
    const equal = sha256(await Deno.readFile(image)) === sha256(expected);
    console.log(
      equal
        ? "        which is, byte for byte, what the generator of the disks expects"
        : `        WRONG: the generator expects sha256 ${sha256(expected).slice(0, 16)}`,
    );
    return equal ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await demo());
