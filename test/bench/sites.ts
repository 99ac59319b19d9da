/** Places that a target can be in: file systems and devices made for a run, and taken away whatever happens. */
import { writeBase } from "../../fixtures/bench.ts";
import { MIB, roundUp } from "../../core-as/host/units.ts";
import { peer, run, tryRun, withLoop } from "../helpers/peers.ts";
import type { Options } from "./options.ts";

export const SITE_NAMES = ["tmpfs", "ext4", "XFS", "loop device"] as const;
export type SiteName = typeof SITE_NAMES[number];

/** A target with all its blocks in place, and the folder that deltas go to. */
export interface Site {
  readonly target: string;
  readonly folder: string;
}

/** Room on a file system beside the target: the largest delta is a fifth of it and its tables. */
const FILE_SYSTEM_FACTOR = 1.4;
/** Journals, and the least that mkfs.xfs takes. */
const FILE_SYSTEM_EXTRA_BYTES = 512 * MIB;

/** Inode tables are made at once: made later, they would be written while something is measured. */
const MKFS = {
  ext4: ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
  XFS: ["mkfs.xfs", "-q", "-f"],
} as const;

/** Why a place cannot be had on this machine; `undefined` when nothing speaks against it. */
export function obstacle(name: SiteName, { placeFolder, placeDiskBytes }: Options): string | undefined {
  if (name === "tmpfs") return undefined;
  if (peer("root-loop") === undefined) return "needs root and loop devices";
  if (name !== "loop device") {
    if (peer("root-mount") === undefined) return "needs root and mount";
    if (peer(MKFS[name][0]) === undefined) return `no ${MKFS[name][0]}`;
  }
  const freeBytes = Number(run("df", ["--output=avail", "-B1", placeFolder]).trim().split("\n").at(-1));
  return freeBytes < fileSystemBytes(placeDiskBytes) ? `no room in the folder of --place-folder` : undefined;
}

function fileSystemBytes(diskBytes: number): number {
  return roundUp(Math.ceil(diskBytes * FILE_SYSTEM_FACTOR), MIB) + FILE_SYSTEM_EXTRA_BYTES;
}

/**
 * Makes a place for `fn`, and takes it away whatever happens.
 *
 * @returns why there was none after all, for example a kernel without the file system.
 */
export async function withSite(
  name: SiteName,
  options: Options,
  fn: (site: Site) => Promise<void>,
): Promise<string | undefined> {
  const parent = name === "tmpfs" ? options.folder : options.placeFolder;
  return await withFolder(`${parent}/site`, async (folder) => {
    if (name === "ext4" || name === "XFS") return await withFileSystem(name, { folder, options }, fn);
    const site = filled(folder, options);
    if (name === "tmpfs") await fn(site);
    else await withLoop(site.target, (device) => fn({ ...site, target: device }));
    return undefined;
  });
}

/** Makes the disk of a place, its base without holes. */
function filled(folder: string, { placeDiskBytes }: Options): Site {
  writeBase({ path: `${folder}/base.vmdk`, diskBytes: placeDiskBytes });
  return { target: `${folder}/base-flat.vmdk`, folder };
}

async function withFolder<T>(folder: string, fn: (folder: string) => Promise<T>): Promise<T> {
  Deno.mkdirSync(folder);
  try {
    return await fn(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A file system on a loop device over a sparse file. */
async function withFileSystem(
  name: keyof typeof MKFS,
  { folder, options }: { folder: string; options: Options },
  fn: (site: Site) => Promise<void>,
): Promise<string | undefined> {
  const [image, mounted] = [`${folder}/${name}.img`, `${folder}/mounted`];
  Deno.writeFileSync(image, new Uint8Array(0));
  Deno.truncateSync(image, fileSystemBytes(options.placeDiskBytes));
  Deno.mkdirSync(mounted);
  const [mkfs, ...flags] = MKFS[name];
  run(peer(mkfs)!, [...flags, image]);
  return await withLoop(image, async (device) => {
    const { code, stderr } = tryRun("mount", [device, mounted]);
    if (code !== 0) return stderr.trim();
    try {
      await fn(filled(mounted, options));
      return undefined;
    } finally {
      run("umount", [mounted]);
    }
  });
}
