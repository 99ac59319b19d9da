/** What `info` says of a folder: a VM, its disks, what stands on what, and the commands that move them. */
import {
  baseName,
  descriptorOf,
  formatCid,
  formatSize,
  isKnownBase,
  type LinkIdentity,
  looseNames,
  SECTOR_SIZE,
} from "../../core-as/host/mod.ts";
import { verdictLine } from "../ui/describe.ts";
import type { Console } from "../ui/mod.ts";
import type { MovableDisk, MovableFolder } from "../vm/moving.ts";

export function folderJson(folder: string, found: MovableFolder): unknown {
  const { vms, disks, backup, missing, problems, orphans } = found;
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
      commands: disk.commands,
    })),
    backup: backup ?? null,
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

export function printFolder(folder: string, found: MovableFolder, console: Console): void {
  console.out(console.paint("bold", folder, "out"));
  for (const { path, displayName, encrypted } of found.vms) {
    console.out(`  VM ${displayName ?? "without a name"} (${path})${encrypted ? ", encrypted" : ""}`);
  }
  if (found.vms.length === 0) console.out("  no .vmx: which link is the current one is not known");
  for (const disk of found.disks) printDisk(disk, { hasVmx: found.vms.length > 0 }, console);
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
  if (found.backup !== undefined) {
    console.out("  to back all of it up, while the VM is off:");
    console.out(`    ${found.backup}`);
  }
  for (const problem of found.problems) console.out(`  not read: ${problem.message}`);
}

function printDisk(disk: MovableDisk, { hasVmx }: { hasVmx: boolean }, console: Console): void {
  const { links, verdicts, error, slot, current, orphans, heldCount, commands } = disk;
  const who = slot ?? (hasVmx ? "that no .vmx names" : "");
  console.out(`  disk ${who}`.trimEnd());
  links.forEach((link, i) => {
    const role = i === 0 && isKnownBase(link) ? "base" : "delta";
    const mark = link.path === current ? ", current: the VM runs on it" : "";
    const encrypted = descriptorOf(link)?.encryption === undefined ? "" : ", encrypted";
    console.out(`    ${role} ${link.path}: ${describe(link)}${encrypted}${mark}`);
    // Verdicts are newest first, links oldest first.
    const verdict = verdicts[verdicts.length - i];
    if (i > 0 && i <= heldCount) {
      console.out("      the base holds it already, by its ids: an apply put it there");
    } else if (verdict && verdict.state !== "match") console.out(`      ${verdictLine(verdict)}`);
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
