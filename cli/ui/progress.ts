/**
 * Progress of a long command on stderr: a bar on a terminal, a line now and then elsewhere, JSON for programs.
 *
 * What is counted is the work, not the place on the disk: stretches that nothing is done about would make the rate, and
 * the time that is left, jump.
 */
import { type Console, writeToStderr } from "./console.ts";
import { progressLine, type ProgressState, shareOf } from "./progress_line.ts";
import { RateEstimator } from "./rate_estimator.ts";

export type ProgressMode = "auto" | "bar" | "lines" | "json" | "none";
type ShownMode = Exclude<ProgressMode, "auto">;

const BAR_EVERY_MS = 100;
const JSON_EVERY_MS = 1000;
/** A log gets a line for each per cent, but no more often than this... */
const LINE_EVERY_MS = 5000;
/** ...and no less often than this. */
const LINE_AT_LEAST_MS = 60_000;
const FALLBACK_COLUMNS = 80;

/** Where progress goes, and by which clock. */
export interface ProgressScreen {
  readonly isTerminal: boolean;
  /** Columns of the terminal. */
  columns(): number;
  /** Writes what does not end a line. */
  write(text: string): void;
  nowMs(): number;
}

const STDERR: ProgressScreen = {
  get isTerminal() {
    return Deno.stderr.isTerminal();
  },
  columns: terminalColumns,
  write: (text) => {
    writeToStderr(new TextEncoder().encode(text));
  },
  nowMs: () => performance.now(),
};

export class Progress {
  private readonly mode: ShownMode;
  private readonly startedMs: number;
  private readonly rate = new RateEstimator();
  private shownMs: number;
  private shownShare = 0;
  private barShown = false;
  private state: ProgressState = { doneBytes: 0, parts: {} };

  /** @param totalBytes Bytes of work; 0 where that is not known. */
  constructor(
    private readonly console: Pick<Console, "err" | "quiet" | "json">,
    mode: ProgressMode,
    private totalBytes: number,
    private readonly screen: ProgressScreen = STDERR,
  ) {
    this.mode = pickMode(mode, console, screen);
    this.startedMs = this.shownMs = screen.nowMs();
    this.rate.add({ atMs: this.startedMs, bytes: 0 });
  }

  /** Shows the state if it is time to. */
  update(state: ProgressState): void {
    this.state = state;
    this.totalBytes = state.totalBytes ?? this.totalBytes;
    const nowMs = this.screen.nowMs();
    this.rate.add({ atMs: nowMs, bytes: state.doneBytes });
    if (this.mode === "none" || !this.isDue(nowMs)) return;
    this.shownMs = nowMs;
    this.shownShare = shareOf(state, this.totalBytes);
    this.show(state, this.mode);
  }

  /** Takes work off the total: it was done before. */
  reduce(bytes: number): void {
    this.totalBytes = Math.max(0, this.totalBytes - bytes);
  }

  /** Shows the state as it was told last, on a line of its own, although the mode may be to show nothing. */
  showNow(): void {
    this.end();
    this.rate.add({ atMs: this.screen.nowMs(), bytes: this.state.doneBytes });
    this.show(this.state, this.mode === "json" ? "json" : "lines");
  }

  /** Takes the bar off the terminal; an update after it draws it again. */
  end(): void {
    if (this.barShown) this.screen.write("\r\x1b[K");
    this.barShown = false;
  }

  get elapsedMs(): number {
    return this.screen.nowMs() - this.startedMs;
  }

  private isDue(nowMs: number): boolean {
    const sinceMs = nowMs - this.shownMs;
    if (this.mode === "bar") return sinceMs >= BAR_EVERY_MS;
    if (this.mode === "json") return sinceMs >= JSON_EVERY_MS;
    if (sinceMs >= LINE_AT_LEAST_MS) return true;
    if (sinceMs < LINE_EVERY_MS || this.totalBytes === 0) return false;
    const percent = (share: number) => Math.floor(share * 100);
    return percent(shareOf(this.state, this.totalBytes)) > percent(this.shownShare);
  }

  private show(state: ProgressState, mode: Exclude<ShownMode, "none">): void {
    const { bytesPerSecond } = this.rate;
    const left = Math.max(0, this.totalBytes - state.doneBytes);
    const leftSeconds = bytesPerSecond && this.totalBytes > 0 ? left / bytesPerSecond : undefined;
    if (mode === "json") {
      const { doneBytes, parts } = state;
      this.console.err(JSON.stringify({
        type: "progress",
        doneBytes,
        totalBytes: this.totalBytes,
        ...parts,
        bytesPerSecond: bytesPerSecond === undefined ? undefined : Math.round(bytesPerSecond),
        secondsLeft: leftSeconds === undefined ? undefined : Math.round(leftSeconds),
      }));
      return;
    }
    const work = { totalBytes: this.totalBytes, bytesPerSecond, leftSeconds };
    if (mode === "lines") {
      this.console.err(progressLine(state, { ...work, bar: false }));
      return;
    }
    this.barShown = true;
    // The last column stays free: some terminals begin a new line in it.
    const line = progressLine(state, { ...work, bar: true, columns: this.screen.columns() - 1 });
    this.screen.write(`\r${line}\x1b[K`);
  }
}

/** Results as JSON are for programs, which read no text: they ask for `--progress json` if they want it. */
function pickMode(
  mode: ProgressMode,
  console: Pick<Console, "quiet" | "json">,
  screen: ProgressScreen,
): ShownMode {
  if (mode !== "auto") return mode;
  if (console.quiet || console.json) return "none";
  return screen.isTerminal ? "bar" : "lines";
}

function terminalColumns(): number {
  try {
    const { columns } = Deno.consoleSize();
    return columns > 1 ? columns : FALLBACK_COLUMNS;
  } catch (error) {
    // Where none of the standard streams is a terminal there is no size to ask for.
    if (error instanceof Error) return FALLBACK_COLUMNS;
    throw error;
  }
}
