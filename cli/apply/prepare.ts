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
  requireSound,
  surveyLink,
  type Target,
  type Verdict,
  wrongBase,
} from "../../core-as/host/mod.ts";
import { type Identity, type Io, type LocalSource, systemError } from "../io/mod.ts";
import { judgedTargetForm, refuseVmdkName } from "../target/form.ts";
import {
  leadsBelowDev,
  NO_DEVICE_HINT,
  type OpenedTarget as Opened,
  openJudged,
  requireDiskKind,
} from "../target/judge.ts";
import type { TargetUse } from "../target/request.ts";
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
  requireDiskKind(request.target, found.kind);
  await requireDelta(intent.links, request, tools.context);
  return await openJudged(
    { ...request, use: APPLY },
    intent,
    tools,
    (form) =>
      form === "vmdk" ? openVmdkTarget(request, intent, tools) : openRawTarget(request, intent, tools),
  );
}

/** What an apply can write. */
const APPLY: TargetUse = {
  accepts: "apply onto a raw image, a block device, or the descriptor of a flat VMDK",
  writesVmdk: true,
  inputHint: "the target comes last: regrain apply DELTA TARGET",
};

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
        ? NO_DEVICE_HINT
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

function requireMakeable(path: string, io: Io): void {
  const { obstacle } = io.roomAt(path);
  if (obstacle !== undefined) throw systemError({ operation: "open target", errno: obstacle, path });
}

type OpenedTarget = PreparedTarget & Opened;

async function openRawTarget(
  request: TargetRequest,
  intent: WriteIntent,
  { io, context }: { io: Io; context: Context },
): Promise<OpenedTarget> {
  const target = io.openTarget(request.target, { force: request.force });
  const warnings = await warningsBeside(request.target, intent.links, context);
  return { target, base: undefined, warnings, identities: [target.identity] };
}

async function openVmdkTarget(
  request: TargetRequest,
  intent: WriteIntent,
  tools: { io: Io; context: Context },
): Promise<OpenedTarget> {
  const { context } = tools;
  // What its names lead to stays open until it is open for writing too: then it cannot be another file of that number.
  const link = await openLink(request.target, { ...context, format: "vmdk" }, "image");
  try {
    return await openFlatTarget(link, { request, intent, tools });
  } finally {
    link.close();
  }
}

async function openFlatTarget(
  link: Link,
  { request, intent, tools: { io, context } }: {
    request: TargetRequest;
    intent: WriteIntent;
    tools: { io: Io; context: Context };
  },
): Promise<OpenedTarget> {
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
    eachOnce(link, (path, judged) => {
      const part = io.openTarget(path, { force: request.force, judged });
      identities.push(part.identity);
      return part;
    }),
  );
  return { target, base: link, beside, warnings, identities };
}

/**
 * Extents may be in one file, by one name or by several: it is opened and locked once. What is written is the very file
 * that was judged when the names of the descriptor were followed.
 */
function eachOnce(
  { extents }: Pick<Link, "extents">,
  open: (path: string, judged: Identity | undefined) => Target,
): (path: string) => Target {
  const opened = new Map<string, Target>();
  return (path) => {
    const file = extents.find(({ extent }) => extent.path === path)?.extent.file;
    const judged = file === undefined ? undefined : (file as Partial<LocalSource>).identity;
    const { device = NaN, inode = NaN, rdev } = judged ?? {};
    const key = [device, inode, rdev].some(Number.isNaN) ? path : `${rdev ?? `${device} ${inode}`}`;
    const target = opened.get(key) ?? open(path, judged);
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
  try {
    return new FlatTarget(
      link,
      eachOnce(link, (part, judged) => io.openTarget(part, { ...options, judged })),
    );
  } finally {
    link.close();
  }
}

function requireBase(delta: DeltaMark, path: string): void {
  if (delta !== true) return;
  throw new RegrainError("TARGET_UNSUITABLE", "it is a delta itself, only a base can take one", {
    path,
    hint: "the target comes last, and is the base or a raw copy of it",
  });
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
