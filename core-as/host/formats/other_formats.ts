/**
 * Files that are no disk this program reads, and the line that makes one of them.
 *
 * A VMDK has to look like one, so that of a file in a VMDK's place the first bytes tell what it is instead. Of an image
 * that is a raw disk by its name they prove nothing: it is refused only where its name says the same.
 *
 * This module is browser compatible.
 */
import { quotePath } from "../command_line.ts";
import { RegrainError } from "../errors.ts";
import type { Files } from "../files.ts";
import type { Role } from "./image_format.ts";
import { baseName, folderOf } from "../names.ts";
import { foreignOf, type Probe } from "./probe.ts";
import { readBytes, type Source } from "../source.ts";
import { SECTOR_SIZE } from "../units.ts";

/** A file that is something else. */
export interface OtherFormat {
  /** What it is, as a sentence goes on after "it is". */
  readonly what: string;
  /** The line that works. */
  readonly way: string;
}

interface Known {
  /** As `probe.ts` calls it. */
  readonly foreign: string;
  readonly suffix: RegExp;
  way(path: string, role: Role): string;
}

/** What to do about a disk that was given as a delta: mostly the two changed places. */
export const DELTAS_FIRST =
  "a delta of VMware is needed here; regrain apply takes the target last: regrain apply DELTA... TARGET";

/** A packed file is made plain, or goes through a pipe into `apply`, which unpacks what it knows. */
const packed = (foreign: string, suffix: RegExp, tool: string): Known => ({
  foreign,
  suffix,
  way(path, role) {
    const unpack = `${tool} -dc ${quotePath(path)}`;
    if (role === "delta") return `${unpack} | regrain apply - TARGET`;
    const plain = suffix.test(path) ? path.replace(suffix, "") : `${path}.plain`;
    return `${unpack} > ${quotePath(plain)}, and give that`;
  },
});

const converted = (foreign: string, suffix: RegExp, format: string): Known => ({
  foreign,
  suffix,
  way(path, role) {
    if (role === "delta") return DELTAS_FIRST;
    const image = `${suffix.test(path) ? path.replace(suffix, "") : path}.img`;
    return `qemu-img convert -f ${format} -O raw ${quotePath(path)} ${quotePath(image)}, and give that`;
  },
});

const KNOWN: readonly Known[] = [
  packed("gzip", /\.(?:gz|gzip)$/i, "gzip"),
  packed("zstd", /\.zst$/i, "zstd"),
  packed("xz", /\.xz$/i, "xz"),
  packed("bzip2", /\.bz2$/i, "bzip2"),
  {
    foreign: "qcow2",
    suffix: /\.(?:qcow2?|qcow3)$/i,
    way: (path, role) =>
      role === "delta"
        ? DELTAS_FIRST
        : role === "image"
        ? "--format qcow2 reads it as what it is"
        : `qemu-img convert -f qcow2 -O vmdk ${quotePath(path)} makes a VMDK of it`,
  },
  converted("VHDX", /\.vhdx$/i, "vhdx"),
  converted("VHD", /\.(?:vhd|vpc)$/i, "vpc"),
  converted("VDI", /\.vdi$/i, "vdi"),
  converted("QED", /\.qed$/i, "qed"),
  converted("Parallels", /\.(?:hdd|hds|parallels)$/i, "parallels"),
  {
    foreign: "an undo file (an rbd-diff stream)",
    suffix: /\.undo$/i,
    way: (path) => `regrain apply ${quotePath(path)} TARGET takes back what it holds`,
  },
  {
    foreign: "zip",
    suffix: /\.zip$/i,
    way: (path) => `unzip ${quotePath(path)}, and give the .vmdk that comes out`,
  },
  {
    foreign: "tar (an OVA?)",
    suffix: /\.(?:ova|tar)$/i,
    way: (path) => `tar -xf ${quotePath(path)}, and give the .vmdk that comes out`,
  },
  {
    foreign: "a changed-block map (-ctk.vmdk)",
    suffix: /-ctk\.vmdk$/i,
    way: (path) => `give the disk it is about: ${quotePath(path.replace(/-ctk\.vmdk$/i, ".vmdk"))}`,
  },
];

/** Texts about a VM, by name alone. */
const VM_TEXTS: readonly { suffix: RegExp; what: string }[] = [
  { suffix: /\.vmx$/i, what: "the configuration of a VM, which holds no disk" },
  { suffix: /\.ovf$/i, what: "the description of a VM, which holds no disk" },
  { suffix: /\.vmsd$/i, what: "the list of a VM's snapshots, which holds no disk" },
];

/** What a file in the place of a VMDK is instead, if that is known. */
export async function otherThanVmdk(
  { path }: Source,
  seen: Probe,
  { role, files }: { role: Role; files: Files },
): Promise<OtherFormat | undefined> {
  const known = KNOWN.find(({ foreign }) => foreign === seen.foreign);
  if (known) return { what: known.foreign, way: known.way(path, role) };
  return vmText(path) ?? await chunkOf(path, files);
}

/** The line that works for a file that begins so; `undefined` where none is known. */
export function wayOf(path: string, { foreign }: Probe): string | undefined {
  return foreign === undefined
    ? undefined
    : KNOWN.find((each) => each.foreign === foreign)?.way(path, "image");
}

/** What a raw disk by its name is instead, where the name says that too. */
export async function otherThanRaw(
  file: Source,
  seen: Probe,
  { role, files }: { role: Role; files: Files },
): Promise<OtherFormat | undefined> {
  const { path } = file;
  const known = KNOWN.find(({ suffix }) => suffix.test(path));
  if (known && (seen.foreign ?? await foreignTail(file)) === known.foreign) {
    return { what: known.foreign, way: known.way(path, role) };
  }
  return vmText(path) ?? await chunkOf(path, files);
}

/** A VHD of fixed size is a raw disk with a sector behind it that says so. */
async function foreignTail(file: Source): Promise<string | undefined> {
  const { sizeBytes } = file;
  if (sizeBytes < SECTOR_SIZE) return undefined;
  return foreignOf(await readBytes(file, sizeBytes - SECTOR_SIZE, SECTOR_SIZE));
}

function vmText(path: string): OtherFormat | undefined {
  const text = VM_TEXTS.find(({ suffix }) => suffix.test(path));
  if (!text) return undefined;
  const folder = quotePath(folderOf(path));
  return {
    what: text.what,
    way: `regrain info ${quotePath(folder)} tells its disks, and the commands that move them`,
  };
}

/**
 * `disk.vmdk.000000001` of an OVF, `disk.img.ab` of `split`, `disk.vmdk.part2`: one of several pieces of a file. The
 * first of them has to be there too: `vm.img.20261127` and `vm.img.20261128` are two disks.
 */
async function chunkOf(path: string, files: Files): Promise<OtherFormat | undefined> {
  const [, whole, front, end] =
    /^(.+)\.(part-?)?(\d{3,9}|[a-z]{2,4}|(?<=part-?)\d+)$/i.exec(baseName(path)) ?? [];
  if (whole === undefined || end === undefined) return undefined;
  const stem = `${path.slice(0, path.length - baseName(path).length)}${whole}`;
  const others: string[] = [];
  for (const other of [...firstEnds(end), ...[-1, 1].map((step) => neighbour(end, step))]) {
    const sibling = other === undefined ? undefined : `${stem}.${front ?? ""}${other}`;
    if (sibling !== undefined && (sibling === path || await isThere(sibling, files))) others.push(sibling);
  }
  const hasFirst = firstEnds(end).some((first) => others.includes(`${stem}.${front ?? ""}${first}`));
  const other = others.find((sibling) => sibling !== path);
  if (!hasFirst || other === undefined) return undefined;
  const pieces = `${quotePath(stem)}.${front ?? ""}${"?".repeat(end.length)}`;
  return {
    what: `one piece of a file that was cut into several (${other} is another)`,
    way: `cat ${pieces} > ${quotePath(stem)}, and give that`,
  };
}

/** How the first piece may end. */
function firstEnds(end: string): string[] {
  if (!/^\d+$/.test(end)) return [(end < "a" ? "A" : "a").repeat(end.length)];
  return ["0", "1"].map((first) => first.padStart(end.length, "0"));
}

/** The end before or after one: `ab` comes after `aa`, `010` after `009`. */
function neighbour(end: string, step: number): string | undefined {
  if (/^\d+$/.test(end)) {
    const next = Number(end) + step;
    return next < 0 ? undefined : String(next).padStart(end.length, "0");
  }
  const letters = [...end];
  for (let i = letters.length - 1; i >= 0; i--) {
    const letter = String.fromCharCode(letters[i]!.charCodeAt(0) + step);
    const isLetter = /[a-z]/i.test(letter);
    letters[i] = isLetter ? letter : step > 0 ? "a" : "z";
    if (isLetter) return letters.join("");
  }
  return undefined;
}

/** A file that may not be looked at is taken for absent: it would only be named in a hint. */
async function isThere(path: string, files: Files): Promise<boolean> {
  try {
    return await files.exists(path);
  } catch (error) {
    if (error instanceof RegrainError && error.code === "PERMISSION") return false;
    throw error;
  }
}
