/** `regrain info FOLDER`: a VM, its disks, what stands on what, and the commands that move them, or back them up. */
import {
  applyCommand,
  baseName,
  descriptorOf,
  type FolderDisk,
  folderOf,
  formatCid,
  formatSize,
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
  surveyFolder,
  type VmFolder,
} from "../../core-as/host/mod.ts";
import { checkSourceName } from "../../core-as/host/repo/mod.ts";
import type { Console } from "../ui/mod.ts";
import { verdictLine } from "../ui/describe.ts";
import type { Session } from "../session/session.ts";

/** Stands for the device or image that the disk moves to. */
const TARGET = "TARGET";

/**
 * @param words Flags that files are found with, which the commands repeat.
 * @returns what `--json` shows; the console has the same as text otherwise.
 */
export async function infoFolder(
  path: string,
  { context, console }: Session,
  words: readonly string[],
): Promise<unknown> {
  const found = await surveyFolder(path, context);
  if (console.json) return folderJson(path, found, words);
  printFolder(path, { found, words }, console);
  return undefined;
}

/** The lines that move a disk: a copy of its base, and the deltas onto it. None where the chain is not whole. */
export function movingCommands(
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
function backupCommand(found: VmFolder, words: readonly string[]): string | undefined {
  const { vms: [vm, ...others], disks, missing, problems, orphans } = found;
  const isWhole = vm !== undefined && others.length === 0 && !vm.encrypted && disks.length > 0 &&
    missing.length + problems.length + orphans.length === 0;
  if (!isWhole) return undefined;
  const labelled: string[] = [];
  for (const disk of disks) {
    const { links, current, orphans, slot } = disk;
    const isUsable = slot !== undefined && current !== undefined && orphans.length === 0 &&
      heldCount(links) === 0 && links.every((link) => descriptorOf(link)?.encryption === undefined) &&
      movingCommands(disk, words).length > 0;
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

function folderJson(folder: string, found: VmFolder, words: readonly string[]): unknown {
  const { vms, disks, missing, problems, orphans } = found;
  return {
    folder,
    vms: vms.map(({ path, displayName, encrypted, disks }) => ({
      path,
      displayName: displayName ?? null,
      encrypted,
      disks,
    })),
    disks: disks.map((disk) => ({
      slot: disk.slot ?? null,
      current: disk.current ?? null,
      chain: disk.links.map(linkJson),
      verdicts: disk.verdicts,
      orphans: disk.orphans,
      chainError: disk.error === undefined
        ? null
        : { code: disk.error.code, message: disk.error.message, hint: disk.error.hint },
      commands: movingCommands(disk, words),
    })),
    backup: backupCommand(found, words) ?? null,
    missing,
    orphans,
    problems: problems.map(({ code, message }) => ({ code, message })),
  };
}

function linkJson(link: LinkIdentity): unknown {
  const { path, capacitySectors } = link;
  const descriptor = descriptorOf(link);
  return {
    path,
    capacityBytes: capacitySectors === undefined ? null : capacitySectors * SECTOR_SIZE,
    createType: descriptor?.createType ?? null,
    cid: descriptor?.cid === undefined ? null : formatCid(descriptor.cid),
    parentCid: descriptor?.parentCid === undefined ? null : formatCid(descriptor.parentCid),
    encrypted: descriptor?.encryption !== undefined,
  };
}

/** What a folder holds, and the flags it was found with. */
interface Listed {
  readonly found: VmFolder;
  readonly words: readonly string[];
}

function printFolder(folder: string, listed: Listed, console: Console): void {
  const { found, words } = listed;
  console.out(console.paint("bold", folder, "out"));
  for (const { path, displayName, encrypted } of found.vms) {
    console.out(`  VM ${displayName ?? "without a name"} (${path})${encrypted ? ", encrypted" : ""}`);
  }
  if (found.vms.length === 0) console.out("  no .vmx: which link is the current one is not known");
  for (const disk of found.disks) printDisk(disk, listed, console);
  for (const { slot, fileName } of found.missing) {
    const twin = looseNames(fileName).last;
    const isHere = twin !== fileName &&
      found.disks.some(({ links }) => links.some(({ path }) => baseName(path) === twin));
    console.out(
      `  disk ${slot}: the .vmx names ${fileName}, which is not in this folder` +
        (isHere ? `; whether the ${twin} here is a copy of it is not known` : ""),
    );
  }
  for (const path of found.orphans) {
    console.out(
      `  ${path}: by its name a delta, and no descriptor names it: which disk it is of is not known`,
    );
  }
  if (found.disks.length === 0) console.out("  no disk with a descriptor");
  const backup = backupCommand(found, words);
  if (backup !== undefined) {
    console.out("  to back all of it up, while the VM is off:");
    console.out(`    ${backup}`);
  }
  for (const problem of found.problems) console.out(`  not read: ${problem.message}`);
}

function printDisk(disk: FolderDisk, { found: { vms }, words }: Listed, console: Console): void {
  const { links, verdicts, error, slot, current, orphans } = disk;
  const who = slot ?? (vms.length === 0 ? "" : "that no .vmx names");
  console.out(`  disk ${who}`.trimEnd());
  const held = heldCount(links);
  links.forEach((link, i) => {
    const role = i === 0 && isKnownBase(link) ? "base" : "delta";
    const mark = link.path === current ? ", current: the VM runs on it" : "";
    const encrypted = descriptorOf(link)?.encryption === undefined ? "" : ", encrypted";
    console.out(`    ${role} ${link.path}: ${describe(link)}${encrypted}${mark}`);
    // Verdicts are newest first, links oldest first.
    const verdict = verdicts[verdicts.length - i];
    if (i > 0 && i <= held) console.out("      the base holds it already, by its ids: an apply put it there");
    else if (verdict && verdict.state !== "match") console.out(`      ${verdictLine(verdict)}`);
  });
  for (const orphan of orphans) {
    console.out(`    delta ${orphan}: without its descriptor, so that its parent cannot be checked;`);
    console.out("      by its number it is newer than what is above: what the VM wrote since");
  }
  if (error) console.out(`    chain: ${error.message}`);
  const newer = links.slice(links.findIndex(({ path }) => path === current) + 1);
  if (current !== undefined && newer.length > 0) {
    console.out(`    newer than the current one: ${newer.map(({ path }) => path).join(", ")}`);
  }
  const commands = movingCommands(disk, words);
  if (commands.length === 0) console.out("    no command moves it as it is here");
  else console.out("    to move it:");
  for (const command of commands) console.out(`      ${command}`);
}

function describe(link: LinkIdentity): string {
  const { capacitySectors } = link;
  const descriptor = descriptorOf(link);
  const size = capacitySectors === undefined ? "size not known" : formatSize(capacitySectors * SECTOR_SIZE);
  const cid = descriptor?.cid === undefined ? "no CID" : `CID ${formatCid(descriptor.cid)}`;
  return [size, descriptor?.createType || undefined, cid].filter((part) => part !== undefined).join(", ");
}
