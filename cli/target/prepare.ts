/**
 * Opens a target and looks at it before the first byte is written: is it what it should be, and no other disk.
 */
import {
  baseName,
  type Context,
  copyDoubt,
  type DeltaMark,
  doubtsOf,
  folderOf,
  judgeChain,
  type Link,
  type LinkIdentity,
  namedBeside,
  openLink,
  parseDescriptor,
  quotePath,
  readBytes,
  RegrainError,
  requireNoDoubt,
  type Target,
  wrongBase,
} from "../../core-as/host/mod.ts";
import { type Identity, type Io, type LocalSource, systemError } from "../io/mod.ts";
import { descriptorDoubt } from "./descriptor_doubt.ts";
import { openPlaceTarget } from "../places/registry.ts";
import { warningsBeside } from "./flat_beside.ts";
import { FlatTarget } from "./flat_target.ts";
import { judgedTargetForm, refuseVmdkName } from "./form.ts";
import { requireDelta, withOrder } from "./given.ts";
import {
  leadsBelowDev,
  NO_DEVICE_HINT,
  type OpenedTarget as Opened,
  openJudged,
  requireDiskKind,
  requireFolderFor,
  requireNoInputAt,
  requireOutside,
} from "./judge.ts";
import { MadeTarget } from "./made_target.ts";
import type { ResizeWish, TargetUse } from "./request.ts";
import { requireRewritable } from "./rewritable.ts";

/** What the user says of the target. */
export interface TargetRequest {
  readonly target: string;
  /** Whether one that is missing is made. */
  readonly create: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Flags as they were typed, for a command that is printed. */
  readonly words?: readonly string[];
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

/** True for a target that is made for this, or would be if this were no dry run. */
export function isNewTarget(target: PreparedTarget | undefined): boolean {
  return target === undefined || target.isNew === true;
}

/** What is about to be written, as far as the target is concerned. */
export interface WriteIntent {
  /** By which command. */
  readonly use: TargetUse;
  /** Size that the target must have. */
  readonly sizeBytes: number;
  /** Files that are read, none of which may be the target. */
  readonly inputs: readonly string[];
  /** What is written, newest first, where that are links of a chain: the last lies directly on the target. */
  readonly links: readonly LinkIdentity[];
  /** Set when all of the target becomes another disk: the CID of that, where it is known. */
  readonly replacement?: { readonly cid: string | undefined };
  /** The repository that is read: nothing is written into it. */
  readonly repository?: string;
  /** Whether a raw file of another size gets that size. */
  readonly resize?: ResizeWish;
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
  const place = openPlaceTarget(request.target, intent);
  if (place) return { target: place, base: undefined, warnings: [], isNew: true };
  const found = io.stat(request.target);
  if (!found) return createTarget(request, intent, tools);
  requireDiskKind(request.target, found.kind);
  if (intent.repository !== undefined) {
    // Of what is read it is said as such, whatever it looks like.
    requireNoInputAt(request.target, intent, io);
    requireOutside(request.target, intent.repository, io);
  }
  await requireDelta(intent.links, request, tools.context);
  return await openJudged(
    { ...request, use: intent.use },
    intent,
    tools,
    (form) =>
      form === "vmdk" ? openVmdkTarget(request, intent, tools) : openRawTarget(request, intent, tools),
  );
}

/** A link, since its name is in the folder, and what it leads to is not there. */
function leadsNowhere(path: string, io: Io): boolean {
  return io.list(folderOf(path))?.includes(baseName(path)) === true;
}

function danglingLink(path: string): RegrainError {
  return new RegrainError("TARGET_MISSING", "it is a link, and what it leads to is not there", {
    path,
    hint: `readlink -m ${
      quotePath(path)
    } says where it leads: copy the base there first, or name another target`,
  });
}

function createTarget(
  request: TargetRequest,
  intent: WriteIntent,
  { io, context }: { io: Io; context: Context },
): PreparedTarget | undefined {
  const isBelowDev = leadsBelowDev(request.target, io);
  if (!request.create || isBelowDev) {
    if (!isBelowDev && leadsNowhere(request.target, io)) throw danglingLink(request.target);
    throw new RegrainError("TARGET_MISSING", "there is no such file or device", {
      path: request.target,
      hint: isBelowDev
        ? NO_DEVICE_HINT
        : "copy the base there first; --create makes an empty one, in which what no delta holds reads as zeros",
    });
  }
  if (leadsNowhere(request.target, io)) throw danglingLink(request.target);
  refuseVmdkName(request.target, context, intent.use);
  requireFolderFor(request.target, io);
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
  const { replacement } = intent;
  const warnings = replacement === undefined
    ? await warningsBeside(request.target, intent.links, context)
    : await descriptorDoubt(request.target, replacement.cid, context);
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
  if (child || intent.replacement) requireRewritable(request.target, io);
  const identities: Identity[] = [];
  const target = new FlatTarget(
    link,
    eachOnce(link, (path, judged) => {
      if (intent.repository !== undefined) requireOutside(path, intent.repository, io);
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
export async function joinTarget(
  path: string,
  tools: { io: Io; context: Context },
  disk: Pick<WriteIntent, "sizeBytes">,
): Promise<Target> {
  const { io, context } = tools;
  const place = openPlaceTarget(path, disk);
  if (place) return place;
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
