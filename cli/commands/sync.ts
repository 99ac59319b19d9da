/** `regrain sync`: makes a target equal to a source, by writing only what differs. */
import { KIB, parseSize, RegrainError, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { isNowhere, refuseNowhere } from "../places/null.ts";
import { PIPE } from "../places/pipe.ts";
import type { Need } from "../places/place.ts";
import { type SyncReport, syncReport } from "../report/sync.ts";
import { rateLimitOf, requireJournalToResume, type SafetyFlags } from "../session/flags.ts";
import { LongWork } from "../session/long_work.ts";
import { type LongFlags, type Session, startSession } from "../session/session.ts";
import { openWholeDisk } from "../session/whole_disk.ts";
import { syncDisks, syncProgressOf, type SyncRequest } from "../sync/sync_disks.ts";
import type { SparseMode } from "../target/sparse.ts";

export interface SyncFlags extends LongFlags, SafetyFlags {
  readonly dryRun?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly sparse?: SparseMode | undefined;
  readonly rateLimit?: string | undefined;
  readonly truncate?: boolean | undefined;
  readonly blockSize?: string | undefined;
  readonly formatTarget?: "raw" | "vmdk" | undefined;
  /** Of a stream: the size of the disk. */
  readonly size?: string | undefined;
  readonly fromCommand?: string | undefined;
}

const SOURCE: Need = { command: "sync", argument: "SOURCE", anyOf: ["read", "receive"] };
const TARGET: Need = { command: "sync", argument: "TARGET", anyOf: ["write"] };

/** What is compared and written at once unless told otherwise: the block of most file systems. */
const BLOCK_BYTES = 4 * KIB;
const MOST_BLOCK_BYTES = 1024 * KIB;

interface Run extends Session {
  /** As it was typed; of a stream of a command, the command. */
  readonly source: string;
  readonly request: SyncRequest;
  readonly flags: SyncFlags;
  readonly report: SyncReport;
  readonly work: LongWork;
}

/** @param names Source and target; with `--from-command` the target alone. */
export async function runSync(names: readonly string[], flags: SyncFlags): Promise<number> {
  const source = sourceOf(names, flags);
  const request = requestOf(names.at(-1)!, flags);
  rateLimitOf(flags);
  const session = startSession(flags);
  const { console } = session;
  using work = new LongWork(console, flags);
  const report = syncReport(console, { source, target: request.target });
  const run: Run = { ...session, source, request, flags, work, report };
  try {
    session.places.take(request.target, TARGET);
    const isStream = flags.fromCommand !== undefined ||
      session.places.take(source, SOURCE).kind.can.includes("receive");
    if (isStream) await syncFromStream(run);
    else await syncFiles(run);
  } finally {
    work.end();
    console.flush();
  }
  return 0;
}

async function syncFiles(run: Run): Promise<void> {
  const { source, request, flags, report, work, console, io, context } = run;
  const disk = await openWholeDisk(source, run, flags);
  try {
    const tools = { io, context: { ...context, format: flags.formatTarget } };
    const { target, result, verified } = await syncDisks(disk, request, tools, {
      warn: (sentence) => console.warn(sentence),
      begin: (target, totalBytes) => work.begin(target, totalBytes),
      progress: (counts, comparedBytes) => work.update(syncProgressOf(counts, comparedBytes)),
      change: (stretch) => report.change(stretch),
      readBack: (back) =>
        work.readBack(
          back,
          (update) => back.run((doneBytes) => update({ doneBytes, parts: { verified: doneBytes } })),
        ),
    });
    work.end();
    const { elapsedMs } = work;
    if (request.dryRun) report.dryRun(result.counts, target);
    else report.done({ target: target!, result, undo: flags.undo, verified, elapsedMs });
  } finally {
    disk.close();
  }
}

/** A stream is loaded for when one is named. */
async function syncFromStream(run: Run): Promise<void> {
  const { source, request, flags, report, work, console, io, context } = run;
  refuseBesideStream(flags);
  const { openRawStream } = await import("../session/raw_stream.ts");
  const { syncStream } = await import("../sync/sync_stream.ts");
  using stream = openRawStream(source, { flags, target: request.target, console, io, work });
  const tools = { io, context: { ...context, format: flags.formatTarget } };
  const { target, result } = await syncStream(stream, request, tools, {
    warn: (sentence) => console.warn(sentence),
    begin: (target, totalBytes) => work.begin(target, totalBytes),
    progress: (counts) => work.update(syncProgressOf(counts, 0)),
  });
  work.end();
  const { elapsedMs } = work;
  report.done({ target: target!, result, undo: undefined, verified: undefined, elapsedMs });
}

function sourceOf(names: readonly string[], { fromCommand, size }: SyncFlags): string {
  if (names.length !== (fromCommand === undefined ? 2 : 1)) {
    throw new RegrainError(
      "USAGE",
      fromCommand === undefined
        ? "sync takes a source and a target: regrain sync SOURCE TARGET"
        : "with --from-command sync takes a target alone: the command writes the source",
    );
  }
  const source = fromCommand ?? names[0]!;
  if (size === undefined || fromCommand !== undefined || source === PIPE) return source;
  throw new RegrainError("USAGE", "--size is about a stream, and SOURCE is none", {
    hint: "- for standard input, or --from-command",
  });
}

function requestOf(target: string, flags: SyncFlags): SyncRequest {
  requireJournalToResume(flags);
  if (isNowhere(target)) refuseNowhere(aboutContent(flags));
  const { sparse = "auto", undo, journal, resume = false, verify = false } = flags;
  const { force = false, dryRun = false, truncate = false } = flags;
  const blockBytes = blockBytesOf(flags);
  return { target, sparse, undo, journal, resume, verify, force, dryRun, truncate, blockBytes };
}

function blockBytesOf({ blockSize }: SyncFlags): number {
  if (blockSize === undefined) return BLOCK_BYTES;
  const bytes = parseSize(blockSize);
  const isPower = bytes !== undefined && Number.isInteger(Math.log2(bytes));
  if (isPower && bytes >= SECTOR_SIZE && bytes <= MOST_BLOCK_BYTES) return bytes;
  throw new RegrainError("USAGE", `--block-size ${blockSize} is no power of two from 512 to 1M`);
}

/** Flags about what the target holds before or afterwards, as they are typed. */
function aboutContent(flags: SyncFlags): string[] {
  const names = ["undo", "journal", "resume", "verify", "truncate"] as const;
  return names.filter((name) => flags[name]).map((name) => `--${name}`);
}

/** What needs the source twice, or by its name. */
function refuseBesideStream(flags: SyncFlags): void {
  if (flags.format !== undefined) {
    throw new RegrainError("USAGE", "--format is about an image in a file, and a stream is a raw disk");
  }
  const names = ["undo", "journal", "verify", "dryRun"] as const;
  const given = names.find((name) => flags[name]);
  if (given === undefined) return;
  const flag = given === "dryRun" ? "--dry-run" : `--${given}`;
  throw new RegrainError("USAGE", `${flag} needs the source twice, and a stream comes once`, {
    hint: `leave ${flag} out, or put the stream into a file first, and sync that`,
  });
}
