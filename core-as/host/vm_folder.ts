/**
 * The folder of a VM: which disks are in it, what stands on what, and which link is the current one by the .vmx.
 *
 * Names in a .vmx are only compared with the names in the folder, and never opened.
 *
 * This module is browser compatible.
 */
import { identifyParents } from "./disk/chain.ts";
import type { Context } from "./context.ts";
import { type Descriptor, parseDescriptor } from "./formats/vmdk/descriptor.ts";
import { readDescriptor } from "./formats/vmdk/descriptor_file.ts";
import { doubtError, doubtsOf } from "./disk/doubts.ts";
import { RegrainError } from "./errors.ts";
import { isDescriptorOfOwnExtent } from "./formats/vmdk/own_extent.ts";
import { heldDelta } from "./disk/held.ts";
import { readEmbeddedDescriptor } from "./formats/vmdk/hosted_sparse.ts";
import type { Link } from "./disk/link.ts";
import { openLink } from "./disk/open_link.ts";
import { baseName, descriptorBeside, folderOf, foldName, isVmdkName, joinPath, looseNames } from "./names.ts";
import { probe } from "./formats/probe.ts";
import { surveyLink, unsoundness } from "./disk/survey.ts";
import type { LinkIdentity } from "./formats/identity.ts";
import { vmdkIdentity } from "./formats/vmdk/identity.ts";
import { judgeChain, type Verdict } from "./disk/verdict.ts";
import { readVmx, type Vmx, type VmxDisk } from "./vmx.ts";

/** Files of one folder that are opened, at most; no VM has as many. */
const MAX_FILES = 1024;

/** A .vmx, and where it is. */
export interface FoundVmx extends Vmx {
  readonly path: string;
}

/** A disk of the folder: a chain that no other link stands on. */
export interface FolderDisk {
  /** Oldest first. */
  readonly links: readonly LinkIdentity[];
  readonly verdicts: readonly Verdict[];
  /** Why the way down ended before a base, or which link cannot be opened: its extent is not there, say. */
  readonly error: RegrainError | undefined;
  /** Deltas by their names, which no descriptor names: what the VM wrote later, oldest first. */
  readonly orphans: readonly string[];
  /** The slot whose disk it is by a .vmx; `undefined` when none names a link of it. */
  readonly slot: string | undefined;
  /** Path of the link that the .vmx names: what the VM runs on. */
  readonly current: string | undefined;
}

export interface VmFolder {
  readonly vms: readonly FoundVmx[];
  readonly disks: readonly FolderDisk[];
  /** Disks that a .vmx names and that are not in the folder. */
  readonly missing: readonly VmxDisk[];
  /** Deltas that no descriptor names, and no disk of the folder has the name for. */
  readonly orphans: readonly string[];
  /** What could not be read, and why. */
  readonly problems: readonly RegrainError[];
}

/** @throws {RegrainError} `NOT_FOUND` when the folder cannot be listed. */
export async function surveyFolder(folder: string, context: Context): Promise<VmFolder> {
  const names = await context.files.list(folder);
  if (names === undefined) {
    throw new RegrainError("NOT_FOUND", "the folder cannot be listed", { path: folder });
  }
  const problems: RegrainError[] = [];
  const vms = await vmsIn(folder, names, { context, problems });
  const links = await linksIn(folder, names, { context, problems });
  const named = vms.flatMap(({ disks }) => disks);
  const slots = slotsOf(named, links);
  const orphans = orphansIn(folder, names, links);
  const disks: FolderDisk[] = [];
  for (const leaf of leavesOf(links)) disks.push(await diskOf(leaf, { slots, orphans }, context));
  const missing = named.filter((disk) => !slots.has(disk));
  const owned = new Set(disks.flatMap((disk) => disk.orphans));
  return { vms, disks, missing, problems, orphans: orphans.filter((path) => !owned.has(path)) };
}

/**
 * Which link each disk of a .vmx is. A name alone means a file of this folder. A path is only written for a disk that
 * is elsewhere, so that a file of the same last name here is not taken for it.
 */
function slotsOf(named: readonly VmxDisk[], links: readonly LinkIdentity[]): Map<VmxDisk, string> {
  const slots = new Map<VmxDisk, string>();
  for (const disk of named) {
    if (looseNames(disk.fileName).last !== disk.fileName) continue;
    const link = links.find(({ path }) => isNamed(path, disk.fileName));
    if (link) slots.set(disk, link.path);
  }
  return slots;
}

const DELTA_NAME = /^(.*?)(?:-(\d{6}))?-(?:delta|sesparse)\.vmdk$/i;

/** Deltas by their names that no descriptor names, in rising order of their numbers. */
function orphansIn(folder: string, names: readonly string[], links: readonly LinkIdentity[]): string[] {
  const claimed = new Set(
    links.flatMap(({ identity }) => identity?.fileNames ?? []).map((name) => foldName(looseNames(name).last)),
  );
  return names.filter((name) => DELTA_NAME.test(name) && !claimed.has(foldName(name))).sort()
    .map((name) => joinPath(folder, name));
}

/**
 * A delta that has no descriptor, and those that come after it in its folder by the numbers of their names, rising.
 *
 * @returns paths; none where the name has no number.
 */
export async function numberedFrom(path: string, { files }: Pick<Context, "files">): Promise<string[]> {
  const [, disk, number] = DELTA_NAME.exec(baseName(path)) ?? [];
  if (disk === undefined || number === undefined) return [];
  const folder = folderOf(path);
  const later = (await files.list(folder) ?? []).filter((name) => {
    const [, otherDisk, otherNumber] = DELTA_NAME.exec(name) ?? [];
    return otherDisk !== undefined && foldName(otherDisk) === foldName(disk) &&
      Number(otherNumber ?? 0) > Number(number);
  });
  return [path, ...later.sort().map((name) => joinPath(folder, name))];
}

/** True when a delta, by its name, was made of a disk after all that a descriptor tells of it. */
function isOfDisk(orphan: string, { path }: Pick<LinkIdentity, "path">): boolean {
  const [, disk, number] = DELTA_NAME.exec(baseName(orphan))!;
  const [, stem, last] = /^(.*?)(?:-(\d{6}))?\.vmdk$/i.exec(baseName(path)) ?? [];
  return stem !== undefined && foldName(stem) === foldName(disk!) && Number(number ?? 0) > Number(last ?? 0);
}

/**
 * Deltas in the folder of a link that stand on it, oldest first: what the VM wrote after it.
 *
 * @returns paths.
 */
export async function newerBeside(
  link: Pick<LinkIdentity, "path" | "identity" | "delta">,
  context: Pick<Context, "files">,
): Promise<string[]> {
  const folder = folderOf(link.path);
  const names = await context.files.list(folder);
  if (names === undefined) return [];
  if (link.identity === undefined) {
    const [, ...later] = await numberedFrom(link.path, context);
    return later;
  }
  const links = await linksIn(folder, names, { context, problems: [] });
  const newer: string[] = [];
  for (let below = [link.path]; below.length > 0;) {
    below = links.filter((each) =>
      each.path !== link.path && !newer.includes(each.path) && below.some((parent) => isParent(parent, each))
    ).map(({ path }) => path).sort();
    newer.push(...below);
  }
  const newest = { path: newer.at(-1) ?? link.path };
  const held = heldBy(link, links.filter(({ path }) => newer.includes(path)));
  return [
    ...newer.filter((path) => !held.includes(path)),
    ...orphansIn(folder, names, links).filter((orphan) => isOfDisk(orphan, newest)),
  ];
}

/** Paths of the deltas that an apply put into a base before. */
function heldBy(
  base: Pick<LinkIdentity, "identity" | "delta">,
  deltas: readonly LinkIdentity[],
): string[] {
  const held: string[] = [];
  let next = heldDelta(base, deltas);
  while (next !== undefined && !held.includes(next.path)) {
    held.push(next.path);
    const above: LinkIdentity = next;
    next = deltas.find(({ path }) => isParent(path, above));
  }
  return held;
}

interface Means {
  readonly context: Pick<Context, "files">;
  readonly problems: RegrainError[];
}

async function vmsIn(folder: string, names: readonly string[], means: Means): Promise<FoundVmx[]> {
  const vms: FoundVmx[] = [];
  for (const name of names.filter((each) => /\.vmx$/i.test(each)).sort().slice(0, MAX_FILES)) {
    const path = joinPath(folder, name);
    const vmx = await orProblem(means, async () => {
      const file = await means.context.files.open(path);
      try {
        return await readVmx(file);
      } finally {
        file.close();
      }
    });
    if (vmx) vms.push({ path, ...vmx });
  }
  return vms;
}

async function linksIn(folder: string, names: readonly string[], means: Means): Promise<LinkIdentity[]> {
  const links: LinkIdentity[] = [];
  for (const name of names.filter(isVmdkName).sort().slice(0, MAX_FILES)) {
    const path = joinPath(folder, name);
    const descriptor = await orProblem(means, () => descriptorIn(path, means.context));
    if (descriptor) links.push(vmdkIdentity(path, descriptor));
  }
  const claimed = new Set(
    links.flatMap(({ path, identity }) =>
      (identity?.fileNames ?? []).map((name) => looseNames(name).last).filter((name) =>
        name !== baseName(path)
      )
    ),
  );
  return links.filter(({ path }) => !claimed.has(baseName(path)));
}

/** The text of a descriptor file, or the one embedded in a sparse file; of nothing else, since guests write disks. */
async function descriptorIn(
  path: string,
  { files }: Pick<Context, "files">,
): Promise<Descriptor | undefined> {
  const file = await files.open(path);
  try {
    const seen = await probe(file);
    if (/-(?:flat|f\d{3,})\.vmdk$/i.test(path)) {
      const isText = await isDescriptorOfOwnExtent(file, seen, (each) => files.exists(each));
      return isText ? await readDescriptor(file) : undefined;
    }
    if (seen.kind === "descriptor") return await readDescriptor(file);
    const beside = descriptorBeside(path);
    if (seen.kind !== "hosted" || (beside !== undefined && await files.exists(beside))) return undefined;
    const text = await readEmbeddedDescriptor(file);
    return text && parseDescriptor(text, path);
  } finally {
    file.close();
  }
}

async function orProblem<T>({ problems }: Means, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    problems.push(error);
    return undefined;
  }
}

/** Links that no other stands on. */
function leavesOf(links: readonly LinkIdentity[]): LinkIdentity[] {
  return links.filter(({ path }) => !links.some((other) => other.path !== path && isParent(path, other)));
}

function isParent(path: string, { delta, parent }: Pick<LinkIdentity, "delta" | "parent">): boolean {
  return delta === true && parent !== undefined && isNamed(path, parent.name);
}

function isNamed(path: string, name: string): boolean {
  return foldName(baseName(path)) === foldName(looseNames(name).last);
}

async function diskOf(
  newest: LinkIdentity,
  { slots, orphans }: { slots: ReadonlyMap<VmxDisk, string>; orphans: readonly string[] },
  context: Context,
): Promise<FolderDisk> {
  const { parents, error } = await identifyParents(newest, context);
  const newestFirst = [newest, ...parents];
  const [slot, current] = [...slots].find(([, link]) => newestFirst.some((each) => each.path === link)) ?? [];
  return {
    links: newestFirst.reverse(),
    verdicts: judgeChain([...newestFirst].reverse()),
    error: error ?? await firstUnreadable(newestFirst, context),
    orphans: orphans.filter((orphan) => isOfDisk(orphan, newest)),
    slot: slot?.slot,
    current,
  };
}

/** What speaks against a link; the tables of deltas are read, those of a base may be long. */
async function unsoundnessOf(link: Link, { core }: Context): Promise<RegrainError | undefined> {
  try {
    const [doubt] = doubtsOf([link]);
    if (doubt || link.isBase) return doubt && doubtError(doubt);
    const { findings } = await surveyLink(core, link, { overlaps: false });
    return unsoundness({ findings, path: link.path });
  } finally {
    link.close();
  }
}

/** Why a link cannot be opened: the descriptor says that there is a disk, its extents need not be there. */
async function firstUnreadable(
  links: readonly LinkIdentity[],
  context: Context,
): Promise<RegrainError | undefined> {
  for (const { path } of links) {
    try {
      const unsound = await unsoundnessOf(await openLink(path, context, "parent"), context);
      if (unsound) return unsound;
    } catch (error) {
      if (error instanceof RegrainError) return error;
      throw error;
    }
  }
  return undefined;
}
