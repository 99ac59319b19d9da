/**
 * Everything that is looked at before the first byte is written: do the deltas belong together, are their tables
 * sound, is the target what it should be.
 */
import {
  type ApplyPlan,
  type Context,
  copyDoubt,
  type DeltaMark,
  Disk,
  doubtsOf,
  folderOf,
  hidesAll,
  judgeChain,
  type Link,
  type LinkIdentity,
  type LinkSurvey,
  namedBeside,
  openDeltas,
  openLink,
  parseDescriptor,
  planApply,
  planOf,
  readBytes,
  refusalOf,
  RegrainError,
  requireNoDoubt,
  requireSize,
  requireSound,
  surveyLink,
  type Target,
  type Verdict,
  wrongBase,
} from "../../core-as/host/mod.ts";
import { type Identity, type Io, sameStorage, systemError } from "../io/mod.ts";
import { warningsBeside } from "./flat_beside.ts";
import { FlatTarget } from "./flat_target.ts";
import {
  type Given,
  requireDelta,
  requireEachOnce,
  requireNoneBetween,
  withOrder,
  withoutOthers,
} from "./given.ts";
import { MadeTarget } from "./made_target.ts";
import { requireRewritable } from "./rewritable.ts";
import { judgedTargetForm, refuseVmdkName, targetForm } from "./target_form.ts";

/** What the user says of the target. */
export interface TargetRequest {
  readonly target: string;
  readonly create: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Flags as they were typed, for a command that is printed. */
  readonly words?: readonly string[];
}

export interface ApplyRequest extends TargetRequest {
  /** Oldest first; with `chain` the one leaf. */
  readonly deltas: readonly string[];
  readonly chain: boolean;
}

/** The deltas, merged and found sound. */
export interface PreparedDeltas {
  readonly disk: Disk;
  readonly plan: ApplyPlan;
  readonly surveys: readonly LinkSurvey[];
  readonly verdicts: readonly Verdict[];
  /** What the deltas name as their parents and is none of them. */
  readonly beside: readonly LinkIdentity[];
}

/** The target, opened and found suitable. */
export interface PreparedTarget {
  readonly target: Target;
  /** Set when the target is a VMDK: its descriptor, whose content id changes with the data. */
  readonly base: LinkIdentity | undefined;
  /** The link that the oldest delta names as its parent, where it is known. */
  readonly beside?: readonly LinkIdentity[];
  /** What could not be done as well as it should. */
  readonly warnings: readonly string[];
  /** True when it was made for this: what is not written is zeros. */
  readonly isNew?: boolean;
}

/**
 * Opens and surveys the deltas.
 *
 * @param onOpened Called when the deltas are open, before the survey, which may take a while.
 * @throws {RegrainError} all of exit 4; `CHAIN_BROKEN` unless forced.
 */
export async function prepareDeltas(
  request: ApplyRequest,
  context: Context,
  onOpened: (disk: Disk) => void = () => {},
): Promise<PreparedDeltas> {
  const { links, base } = await openLinks(request, context);
  const disk = new Disk(context.core, links);
  onOpened(disk);
  try {
    // By --chain each was found by the name that the one above it gives.
    const beside = request.chain ? [] : await namedBeside(links, context);
    const verdicts = judgeChain(base ? [...links, base] : links, beside);
    if (!request.force) {
      await requireOrder(verdicts, { links, request, context, beside });
      await requireNoneBetween(links, request, context);
    }
    const surveys: LinkSurvey[] = [];
    for (const link of links) {
      const survey = await surveyLink(context.core, link, { overlaps: true });
      requireSound(survey, request);
      surveys.push(survey);
    }
    // One link was walked already; a merge has to be walked to know what hides what.
    const plan = surveys.length === 1 ? planOf(disk, surveys[0]!) : await planApply(disk);
    return { disk, plan, surveys, verdicts, beside };
  } catch (error) {
    disk.close();
    throw error;
  }
}

/** Opens the deltas that a request names: links, newest first, and what is known of the base below a chain. */
export async function openLinks(
  request: ApplyRequest,
  context: Context,
): Promise<{ links: readonly Link[]; base: LinkIdentity | undefined }> {
  if (request.chain) return await openDeltas(request.deltas[0]!, context);
  const links: Link[] = [];
  try {
    for (const path of request.deltas) links.unshift(await openGiven(path, request, context));
    await requireEachOnce(links, request, context);
    await requireDeltasAboveFirst(links, request, context);
    return { links, base: undefined };
  } catch (error) {
    for (const link of links) link.close();
    throw error;
  }
}

async function openGiven(path: string, request: ApplyRequest, context: Context): Promise<Link> {
  try {
    return await openLink(path, context, "delta");
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code !== "NOT_A_DISK") throw error;
    throw await withoutOthers(error, request, context);
  }
}

/** A base among the newer links would hide everything given before it: surely a mistake in the order. */
async function requireDeltasAboveFirst(
  links: readonly Link[],
  request: TargetRequest,
  context: Context,
): Promise<void> {
  const misplaced = links.slice(0, -1).find((link) => link.isBase);
  if (misplaced) throw await withOrder(hidesAll(misplaced), { links, request, context });
}

async function requireOrder(verdicts: readonly Verdict[], given: Given): Promise<void> {
  const refusal = verdicts.map(refusalOf).find((error) => error);
  if (refusal) throw await withOrder(refusal, given);
}

/** What is about to be written, as far as the target is concerned. */
export interface WriteIntent {
  /** Size that the target must have. */
  readonly sizeBytes: number;
  /** Files that are read, none of which may be the target. */
  readonly inputs: readonly string[];
  /** What is written, newest first, where that are links of a chain: the last lies directly on the target. */
  readonly links: readonly LinkIdentity[];
}

/** What an apply of these deltas is about to write. */
export function intentOf(disk: Disk): WriteIntent {
  const inputs = disk.links.flatMap((link) => [link.path, ...link.files.map(({ path }) => path)]);
  return { sizeBytes: disk.sizeBytes, inputs: [...new Set(inputs)], links: disk.links };
}

/**
 * Opens the target for writing.
 *
 * @returns `undefined` in a dry run on a target that is yet to be made.
 * @throws {RegrainError} `TARGET_*`, `SIZE_MISMATCH`, `WRONG_BASE`, `PERMISSION`; nothing was written then.
 */
export async function prepareTarget(
  request: TargetRequest,
  intent: WriteIntent,
  tools: { io: Io; context: Context },
): Promise<PreparedTarget | undefined> {
  const { io } = tools;
  const found = io.stat(request.target);
  if (!found) return createTarget(request, intent, tools);
  if (found.kind === "directory" || found.kind === "other") {
    const what = found.kind === "directory" ? "a directory" : "neither a file nor a block device";
    throw new RegrainError("TARGET_UNSUITABLE", `it is ${what}`, { path: request.target });
  }
  await requireDelta(intent.links, request, tools.context);
  const opened = await openExisting(request, intent, tools);
  try {
    requireNoInput(opened.identities, { request, intent, io });
    requireSize(opened.target, { sizeBytes: intent.sizeBytes, force: request.force });
    return opened;
  } catch (error) {
    opened.target.close();
    throw error;
  }
}

function createTarget(
  request: TargetRequest,
  intent: WriteIntent,
  { io, context }: { io: Io; context: Context },
): PreparedTarget | undefined {
  const isBelowDev = leadsBelowDev(request.target, io);
  if (!request.create || isBelowDev) {
    throw new RegrainError("TARGET_MISSING", "there is no such file or device", {
      path: request.target,
      hint: isBelowDev
        ? "look for its right name with lsblk; a volume may have to be made or activated first, no file is made here"
        : "copy the base there first; --create makes an empty one, in which what no delta holds reads as zeros",
    });
  }
  refuseVmdkName(request.target, context);
  if (request.dryRun) {
    requireMakeable(request.target, io);
    return undefined;
  }
  const target = io.openTarget(request.target, {
    create: { sizeBytes: intent.sizeBytes },
    force: request.force,
  });
  return { target: new MadeTarget(target, io), base: undefined, warnings: target.fallbacks, isNew: true };
}

/** True of a name for a device, by itself or by the folder it leads to as far as that may be looked at. */
function leadsBelowDev(path: string, io: Io): boolean {
  const isDevice = (name: string) => /^\/dev(?!\/shm)(\/|$)/.test(name);
  if (isDevice(path)) return true;
  try {
    return isDevice(io.realPath(folderOf(path)) ?? "");
  } catch (error) {
    // Making a file needs no right to read its folder; then nothing but the name can tell.
    if (error instanceof RegrainError && error.code === "PERMISSION") return false;
    throw error;
  }
}

function requireMakeable(path: string, io: Io): void {
  const { obstacle } = io.roomAt(path);
  if (obstacle !== undefined) throw systemError({ operation: "open target", errno: obstacle, path });
}

interface OpenedTarget extends PreparedTarget {
  readonly identities: readonly Identity[];
}

async function openExisting(
  request: TargetRequest,
  intent: WriteIntent,
  tools: { io: Io; context: Context },
): Promise<OpenedTarget> {
  const { io, context } = tools;
  const form = await targetForm({ ...request, sizeBytes: intent.sizeBytes }, tools);
  if (form === "vmdk") return await openVmdkTarget(request, intent, tools);
  const target = io.openTarget(request.target, { force: request.force });
  const warnings = await warningsBeside(request.target, intent.links, context);
  return { target, base: undefined, warnings, identities: [target.identity] };
}

async function openVmdkTarget(
  request: TargetRequest,
  intent: WriteIntent,
  tools: { io: Io; context: Context },
): Promise<OpenedTarget> {
  const { io, context } = tools;
  const link = await openLink(request.target, { ...context, format: "vmdk" }, "image");
  link.close();
  requireBase(link.delta, request.target);
  const encrypted = doubtsOf([link]).filter(({ kind }) => kind === "encrypted");
  requireNoDoubt(encrypted, request);
  const warnings: string[] = [];
  let beside: readonly LinkIdentity[] = [];
  const child = intent.links.at(-1);
  if (child) {
    beside = await namedBeside([...intent.links, link], context);
    const verdict = judgeChain([...intent.links, link], beside).at(-1)!;
    if (verdict.state !== "match" && !request.force) {
      const { links } = intent;
      throw await withOrder(wrongBase(verdict, child, link), { links, request, context, beside, base: link });
    }
    const doubt = copyDoubt(verdict, { child, base: link, beside });
    if (doubt !== undefined) warnings.push(doubt);
    if (verdict.state !== "match") warnings.push(`taken by --force: ${verdict.reasons.join("; ")}`);
  }
  // An undo file may have no ids to give back.
  if (child) requireRewritable(request.target, io);
  const identities: Identity[] = [];
  const target = new FlatTarget(
    link,
    eachOnce(io, (path) => {
      const part = io.openTarget(path, { force: request.force });
      identities.push(part.identity);
      return part;
    }),
  );
  return { target, base: link, beside, warnings, identities };
}

/** Extents may be in one file, by one name or by several: it is opened and locked once. */
function eachOnce(io: Io, open: (path: string) => Target): (path: string) => Target {
  const opened = new Map<string, Target>();
  return (path) => {
    const source = io.openSource(path);
    const { device, inode, rdev } = source.identity;
    source.close();
    const key = [device, inode, rdev].some(Number.isNaN) ? path : `${rdev ?? `${device} ${inode}`}`;
    const target = opened.get(key) ?? open(path);
    opened.set(key, target);
    return target;
  };
}

/** Opens a target that this process has open and has checked already, for a second lane. */
export async function joinTarget(path: string, tools: { io: Io; context: Context }): Promise<Target> {
  const { io, context } = tools;
  const options = { force: true, joined: true };
  if (await judgedTargetForm(path, tools) === "raw") return io.openTarget(path, options);
  const link = await openLink(path, { ...context, format: "vmdk" }, "image");
  link.close();
  return new FlatTarget(link, eachOnce(io, (part) => io.openTarget(part, options)));
}

function requireBase(delta: DeltaMark, path: string): void {
  if (delta !== true) return;
  throw new RegrainError("TARGET_UNSUITABLE", "it is a delta itself, only a base can take one", {
    path,
    hint: "the target comes last, and is the base or a raw copy of it",
  });
}

function requireNoInput(
  identities: readonly Identity[],
  at: { request: TargetRequest; intent: WriteIntent; io: Io },
): void {
  for (const path of at.intent.inputs) {
    const source = at.io.openSource(path);
    const { identity } = source;
    source.close();
    if (!identities.some((target) => sameStorage(target, identity))) continue;
    throw new RegrainError("TARGET_IS_INPUT", `the target is the same file as the input ${path}`, {
      path: at.request.target,
      hint: "the target comes last: regrain apply DELTA TARGET",
    });
  }
}

/** Reads a target's descriptor again, for rewriting. */
export async function readTargetDescriptor(path: string, io: Io): Promise<Uint8Array<ArrayBuffer>> {
  const source = io.openSource(path);
  try {
    const bytes = await readBytes(source, 0, source.sizeBytes);
    parseDescriptor(bytes, path);
    return bytes;
  } finally {
    source.close();
  }
}
