/** Runs that are watched: when they have ended, well or not, a metrics file, a hook and a collector are told. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { runHook } from "../watch/hook.ts";
import { isMetricsText, MAX_METRICS_BYTES, metricsText } from "../watch/metrics_file.ts";
import type { Figures, RunFacts } from "../watch/run_facts.ts";
import { startTelemetry, type Telemetry } from "../watch/telemetry.ts";
import { VERSION } from "../version.ts";
import type { Session } from "./session.ts";
import { unlessAbsent } from "../io/mod.ts";
import { EXIT_BUG, EXIT_INCOMPLETE } from "../exit_status.ts";

export interface WatchFlags {
  readonly metrics?: string | undefined;
  readonly hookDone?: string | undefined;
}

/** What the run tells of itself as it goes on. */
export interface Watch {
  phase(name: string): void;
  /** Adds to what is told in the end. */
  learn(facts: { repository?: string; snapshot?: string; figures?: Figures }): void;
}

/**
 * Carries out a run and tells of it.
 *
 * @returns its exit status; 3 where the run was done, and somebody could not be told.
 */
export async function watched(
  run: { operation: string; name: string; flags: WatchFlags; session: Session },
  work: (watch: Watch) => Promise<number>,
): Promise<number> {
  const { operation, name, flags, session } = run;
  if (flags.metrics !== undefined) requireMetricsPlace(flags.metrics);
  const startedMs = Date.now();
  const telemetry = await startTelemetry(operation, VERSION);
  const known: { repository?: string; snapshot?: string; figures: Record<string, number> } = { figures: {} };
  const watch: Watch = {
    phase: (phase) => telemetry.phase(phase),
    learn: ({ figures, ...facts }) => {
      Object.assign(known, facts);
      Object.assign(known.figures, figures);
    },
  };
  const factsOf = (exit: number, error: RunFacts["error"]): RunFacts => {
    const { repository, snapshot, figures } = known;
    const elapsedMs = Date.now() - startedMs;
    return { operation, name, repository, snapshot, exit, error, startedMs, elapsedMs, figures };
  };
  let exit: number;
  try {
    exit = await work(watch);
  } catch (error) {
    // The error is what the run ends with; that somebody could not be told of it is said, and no more.
    await tell(factsOf(...exitOf(error)), { flags, session, telemetry });
    throw error;
  }
  session.console.flush();
  const told = await tell(factsOf(exit, undefined), { flags, session, telemetry });
  return told || exit !== 0 ? exit : EXIT_INCOMPLETE;
}

/**
 * Looks at the metrics file before the work begins. What may not be read is said when the work is done: a backup does
 * not fail for it.
 *
 * @throws what {@link readMetrics} does.
 */
function requireMetricsPlace(path: string): void {
  try {
    readMetrics(path);
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code !== "PERMISSION") throw error;
  }
}

function exitOf(error: unknown): [exit: number, error: RunFacts["error"]] {
  if (error instanceof RegrainError) return [error.exit, { code: error.code, message: error.message }];
  return [EXIT_BUG, { code: "BUG", message: error instanceof Error ? error.message : String(error) }];
}

async function tell(
  facts: RunFacts,
  to: { flags: WatchFlags; session: Session; telemetry: Telemetry },
): Promise<boolean> {
  const { flags, session, telemetry } = to;
  telemetry.end(facts);
  const written = flags.metrics === undefined || writeMetrics(flags.metrics, facts, session);
  const { console } = session;
  const failure = flags.hookDone === undefined
    ? undefined
    : await runHook(flags.hookDone, facts, (from, ended) => console.relay(from, ended));
  if (failure !== undefined) console.warn(`the command of --hook-done ${failure}`);
  return written && failure === undefined;
}

function writeMetrics(path: string, facts: RunFacts, { io, console }: Session): boolean {
  try {
    const text = metricsText(facts, readMetrics(path));
    io.replaceFile(path, new TextEncoder().encode(text));
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.warn(`the metrics file was not written: ${error.message}`);
    return false;
  }
}

/**
 * The figures of the run before, `undefined` where there are none. A mistyped name may be that of a disk, the one
 * that is backed up or was just restored: only figures are ever replaced.
 *
 * @throws {RegrainError} `TARGET_UNSUITABLE` for anything else; it stays as it is.
 */
function readMetrics(path: string): string | undefined {
  const about = { operation: "read file", path } as const;
  const found = unlessAbsent(about, () => Deno.statSync(path));
  if (found === undefined) return undefined;
  const isSmallFile = found.isFile && found.size <= MAX_METRICS_BYTES;
  const text = isSmallFile ? unlessAbsent(about, () => Deno.readTextFileSync(path)) : undefined;
  if (text !== undefined && isMetricsText(text)) return text;
  throw new RegrainError(
    "TARGET_UNSUITABLE",
    "--metrics would overwrite this, which is no metrics file of regrain",
    {
      path,
      hint: "name another file with --metrics",
    },
  );
}
