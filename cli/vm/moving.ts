/** The commands that move the disks of a VM, or back them up, by what is in its folder. */
import {
  applyCommand,
  baseName,
  descriptorOf,
  type FolderDisk,
  folderOf,
  heldDelta,
  isKnownBase,
  isWritable,
  joinPath,
  type LinkIdentity,
  looseNames,
  quotePath,
  quoteWord,
  refusalOf,
  RegrainError,
  SECTOR_SIZE,
  type VmFolder,
} from "../../core-as/host/mod.ts";
import { checkSourceName } from "../../core-as/host/repo/mod.ts";

/** Stands for the device or image that the disk moves to. */
const TARGET = "TARGET";

/** A disk, and what moves it. */
export interface MovableDisk extends FolderDisk {
  /** How many of its deltas, oldest first, the base holds already. */
  readonly heldCount: number;
  /** In the order in which they are run; none where nothing moves it as it is. */
  readonly commands: readonly string[];
}

/** A folder with the commands that it takes. */
export interface MovableFolder extends Omit<VmFolder, "disks"> {
  readonly disks: readonly MovableDisk[];
  /** The line that backs all of it up. */
  readonly backup: string | undefined;
}

/** @param words Flags that files are found with, which the commands repeat. */
export function withCommands(found: VmFolder, words: readonly string[]): MovableFolder {
  const disks = found.disks.map((disk) => ({
    ...disk,
    heldCount: heldCount(disk.links),
    commands: movingCommands(disk, words),
  }));
  return { ...found, disks, backup: backupCommand({ ...found, disks }, words) };
}

/** The lines that move a disk: a copy of its base, and the deltas onto it. None where the chain is not whole. */
function movingCommands(
  { links, verdicts, error, current, orphans }: FolderDisk,
  words: readonly string[],
): string[] {
  const [base] = links;
  if (!base?.identity || !isKnownBase(base) || error) return [];
  const held = heldCount(links);
  // Verdicts are newest first; what the base holds has no parent any more.
  if (verdicts.slice(0, verdicts.length - held).some((verdict) => refusalOf(verdict))) return [];
  const last = current === undefined ? links.length - 1 : links.findIndex(({ path }) => path === current);
  if (last < held) return [];
  const leaf = links[last]!;
  const deltas = last > held ? [deltasOnto(links.slice(held + 1, last + 1), { held, words })] : [];
  const later = orphans.length > 0 ? [applyCommand({ flags: words, deltas: orphans, target: TARGET })] : [];
  return [copyOf(base, words), ...grow(base, leaf), ...deltas, ...later];
}

/**
 * The line that backs all disks of a VM up as one moment. None unless all of the VM is here and whole: one disk less
 * would look like the VM all the same.
 */
function backupCommand(
  found: Omit<MovableFolder, "backup">,
  words: readonly string[],
): string | undefined {
  const { vms: [vm, ...others], disks, missing, problems, orphans } = found;
  const isWhole = vm !== undefined && others.length === 0 && !vm.encrypted && disks.length > 0 &&
    missing.length + problems.length + orphans.length === 0;
  if (!isWhole) return undefined;
  const labelled: string[] = [];
  for (const disk of disks) {
    const { links, current, orphans, slot, heldCount, commands } = disk;
    const isUsable = slot !== undefined && current !== undefined && orphans.length === 0 &&
      heldCount === 0 && links.every((link) => descriptorOf(link)?.encryption === undefined) &&
      commands.length > 0;
    if (!isUsable) return undefined;
    labelled.push(quoteWord(`disk-${labelled.length}=${current}`));
  }
  const name = [vm.displayName, baseName(vm.path).replace(/\.vmx$/i, "")].find(isSourceName);
  if (name === undefined) return undefined;
  const flags = [...words, "--vm", name].map(quoteWord);
  return ["regrain backup", ...flags, ...labelled, "--config", quotePath(vm.path)].join(" ");
}

function isSourceName(name: string | undefined): name is string {
  try {
    if (name !== undefined) checkSourceName(name);
    return name !== undefined;
  } catch (error) {
    if (error instanceof RegrainError) return false;
    throw error;
  }
}

/** How many deltas of a chain, oldest first, its base holds already. */
function heldCount(links: readonly LinkIdentity[]): number {
  const [base, ...deltas] = links;
  const held = base && heldDelta(base, deltas);
  return held === undefined ? 0 : deltas.indexOf(held) + 1;
}

function deltasOnto(
  links: readonly LinkIdentity[],
  { held, words }: { held: number; words: readonly string[] },
): string {
  const paths = links.map(({ path }) => path);
  return held > 0
    ? applyCommand({ flags: words, deltas: paths, target: TARGET })
    : applyCommand({ flags: [...words, "--chain"], deltas: [paths.at(-1)!], target: TARGET });
}

/** A disk that was grown after its first snapshot needs a target that is larger than the base. */
function grow(base: LinkIdentity, leaf: LinkIdentity): string[] {
  if ((leaf.capacitySectors ?? 0) <= (base.capacitySectors ?? 0)) return [];
  const bytes = leaf.capacitySectors! * SECTOR_SIZE;
  return [`truncate -s ${bytes} ${TARGET}  # the disk was grown; a volume must have that size`];
}

/** A flat disk is its file; any other is written as a whole into a new one. */
function copyOf(base: LinkIdentity, words: readonly string[]): string {
  const extents = descriptorOf(base)!.extents;
  const [extent] = extents;
  if (
    extents.length === 1 && extent?.fileName !== undefined && extent.offsetSectors === 0 && isWritable(base)
  ) {
    const flat = joinPath(folderOf(base.path), looseNames(extent.fileName).last);
    return `dd if=${quotePath(flat)} of=${TARGET} bs=4M`;
  }
  return applyCommand({ flags: [...words, "--create"], deltas: [base.path], target: TARGET });
}
