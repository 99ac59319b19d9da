/** `regrain apply -`: a delta that comes through a pipe. */
import { Disk, formatSize, GIB, parseSize, planOf, quotePath, RegrainError } from "../../core-as/host/mod.ts";
import { type ForwardDisk, PIPE_NAME, type ReadNext } from "../../core-as/host/forward/mod.ts";
import type { SparseMode } from "../apply/engine.ts";
import { applyPipe, type PipeResult } from "../apply/pipe.ts";
import type { PipeOperation } from "../apply/pipe_sink.ts";
import type { PreparedTarget, TargetRequest } from "../target/prepare.ts";
import { requireRoomBeside } from "../target/room_beside.ts";
import { asInputs, asParts, requireOnePurpose } from "../target/purposes.ts";
import { Spill } from "../stream/spill.ts";
import { openStdin } from "../stream/stdin.ts";
import { unpacked } from "../stream/unpack.ts";
import { type Console, Progress } from "../ui/mod.ts";
import {
  fallbacksOf,
  isNewTarget,
  partsOf,
  planLine,
  plannedBytesOf,
  tellDryRun,
  tellOperation,
  tellSummary,
  warnUnappliedParent,
  workBytesOf,
} from "./apply_report.ts";
import { rateLimitOf } from "./apply_flags.ts";
import { formatOf, surveyJson, warnNotes } from "../ui/describe.ts";
import { type Interruptible, interruptible } from "../session/interruption.ts";
import type { LongFlags, Session } from "../session/session.ts";
import { variable } from "../environment.ts";

/** Most that is kept in a temporary file unless `--spill-limit` says otherwise. */
const SPILL_LIMIT_BYTES = 8 * GIB;
/** By this name the system tells what standard input is, where it does. */
const STDIN_PATH = "/dev/stdin";

export interface PipeFlags extends LongFlags {
  readonly sparse?: SparseMode | undefined;
  readonly rateLimit?: string | undefined;
  readonly spill?: string | boolean | undefined;
  readonly spillLimit?: string | undefined;
  readonly undo?: string | undefined;
  readonly journal?: string | boolean | undefined;
  readonly resume?: boolean | undefined;
  readonly verify?: boolean | undefined;
  readonly hash?: string | boolean | undefined;
}

/** What needs to see the deltas twice, or in the order of the disk. */
const REFUSED_FLAGS = ["journal", "resume", "verify", "hash"] as const;

/** Applies what comes through standard input. */
export async function runPipe(request: TargetRequest, flags: PipeFlags, session: Session): Promise<void> {
  refuseFlags(flags);
  const { console, io, context } = session;
  const bytesPerSecond = rateLimitOf(flags);
  const inputs = inputsOf(session);
  requireOnePurpose(flags, asInputs(inputs), io);
  for (const warning of requireRoomBeside(flags, { operation: "apply", undoBytes: undefined }, io)) {
    console.warn(warning);
  }
  const ui: { progress?: Progress; stopping?: Interruptible } = {};
  const stdin = stoppableRead(openStdin(io), () => ui.stopping);
  const read = await unpacked(stdin, (packing) => console.detail(`stdin: packed with ${packing}`));
  const spill = openSpill(flags, console);
  try {
    const tools = {
      io,
      context,
      read,
      scratch: spill,
      undo: flags.undo,
      onOpen(disk: ForwardDisk, target: PreparedTarget | undefined) {
        requireOnePurpose(flags, asParts(target?.target), io);
        tellStart(console, request, disk, { target, undo: flags.undo });
        // What a stream will bring that does not begin with its tables, nobody knows.
        const totalBytes = disk.isSurveyed
          ? plannedBytesOf(planOf(new Disk(context.core, [disk.link]), disk.survey))
          : 0;
        const progress = new Progress(console, flags.progress ?? "auto", totalBytes);
        ui.progress = progress;
        if (target) ui.stopping = interruptible(target.target, { console, progress, bytesPerSecond });
        return ui.stopping?.target;
      },
    };
    const result = await applyPipe({ ...request, inputs }, tools, {
      sparse: flags.sparse ?? "auto",
      onProgress: (counts) => ui.progress?.update({ doneBytes: workBytesOf(counts), parts: partsOf(counts) }),
      ...(request.dryRun
        ? { onOperation: (operation: PipeOperation) => tellOperation(console, operation) }
        : {}),
    });
    ui.progress!.end();
    tellEnd(console, request, { result, progress: ui.progress!, undo: flags.undo });
    requireOneDisk(result, request);
  } finally {
    ui.progress?.end();
    ui.stopping?.[Symbol.dispose]();
    spill.close();
  }
}

/** Reads that a signal ends while they wait for data; before there is a target, signals just kill. */
function stoppableRead(read: ReadNext, stopping: () => Interruptible | undefined): ReadNext {
  return (into) => {
    const answer = read(into);
    return typeof answer === "number" ? answer : stopping()?.unlessStopped(answer) ?? answer;
  };
}

function refuseFlags(flags: PipeFlags): void {
  const given = REFUSED_FLAGS.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  throw new RegrainError("USAGE", `--${given} needs to read the delta twice, a pipe brings it once`, {
    hint: "copy the file here and apply it by its name",
  });
}

function openSpill(flags: PipeFlags, console: Console): Spill {
  const limitBytes = flags.spillLimit === undefined ? SPILL_LIMIT_BYTES : parseSize(flags.spillLimit);
  if (limitBytes === undefined) {
    throw new RegrainError("USAGE", `--spill-limit ${flags.spillLimit} is not a size such as 512M or 20G`);
  }
  const folder = typeof flags.spill === "string" ? flags.spill : temporaryFolder();
  return new Spill({
    folder: flags.spill === false ? undefined : folder,
    limitBytes,
    onCreate: () =>
      console.warn(
        "stdin: a part of it has to be kept until its turn comes; it is kept in a temporary file in " +
          `${folder}, at most ${formatSize(limitBytes)}`,
      ),
  });
}

/** The folder that the system has for temporary files. */
function temporaryFolder(): string {
  for (const name of ["TMPDIR", "TMP", "TEMP"]) {
    const folder = variable(name);
    if (folder) return folder;
  }
  return "/tmp";
}

/** Standard input may itself be a file, and then it must not be the target. */
function inputsOf({ io }: Session): readonly string[] {
  if (Deno.build.os !== "linux") return [];
  const kind = io.stat(STDIN_PATH)?.kind;
  return kind === "file" || kind === "device" ? [STDIN_PATH] : [];
}

/** The one that came is whole by now, and whoever sent two believes that both are. */
function requireOneDisk({ nextDiskAt }: PipeResult, request: TargetRequest): void {
  if (nextDiskAt === undefined) return;
  const done = request.dryRun ? "is sound" : "is applied whole";
  throw new RegrainError("UNSUPPORTED", "another disk follows the first, and was not applied", {
    path: PIPE_NAME,
    offsetBytes: nextDiskAt,
    hint: `the first one ${done}; send each by itself: cat DELTA | regrain apply - ${
      quotePath(request.target)
    }, oldest first`,
  });
}

function tellStart(
  console: Console,
  request: TargetRequest,
  disk: ForwardDisk,
  { target, undo }: { target: PreparedTarget | undefined; undo: string | undefined },
): void {
  warnNotes(console, [disk.survey], request);
  for (const warning of target?.warnings ?? []) console.warn(warning);
  const isNew = isNewTarget(target);
  warnUnappliedParent(console, { target: request.target, chain: false, isNew }, disk.link);
  if (console.json) return;
  console.tell(`${disk.link.path}: ${formatOf(disk.link)}`);
  if (disk.isSurveyed || undo !== undefined || request.dryRun) return;
  console.tell(
    "a pipe is checked as it comes, not before; --undo FILE saves what is overwritten, to take it back",
  );
}

function tellEnd(
  console: Console,
  request: TargetRequest,
  end: { result: PipeResult; progress: Progress; undo: string | undefined },
): void {
  const { result, progress } = end;
  const { plan, survey, target, counts, cid, undoWarnings } = result;
  for (const fallback of target ? fallbacksOf(target.target) : []) {
    console.warn(`${request.target}: ${fallback}`);
  }
  if (result.isLeft) {
    console.warn(
      `stdin: it goes on ${
        formatSize(result.slackBytes)
      } behind the disk's last grain; the rest was not read`,
    );
  }
  if (console.json) {
    console.outJson({
      type: "plan",
      target: request.target,
      links: [{ path: survey.link.path, ...surveyJson(survey) }],
      ...plan,
    });
  } else if (request.dryRun) {
    console.tell(planLine(plan, { target: request.target, isNew: isNewTarget(target) }));
  }
  if (request.dryRun) return tellDryRun(console);
  const base = target?.base?.path;
  tellSummary(console, {
    target: request.target,
    base,
    newest: survey.link,
    undo: end.undo,
    isNew: isNewTarget(target),
    result: { counts, resumedBytes: 0, cid, undoWarnings },
    progress,
  });
}
