/**
 * Progress of a long command on stderr: a bar on a terminal, a line now and then elsewhere, JSON for programs.
 *
 * The rate is that of the last seconds, not of the whole run: after a stretch that was skipped it tells the truth
 * sooner.
 */
import { formatSize } from "../../core-as/host/mod.ts";
import type { Console } from "./console.ts";

export type ProgressMode = "auto" | "bar" | "lines" | "json" | "none";

/** A snapshot of the work: bytes done by kind. */
export interface ProgressState {
  readonly doneBytes: number;
  /** What there is to do, where that became known only later. */
  readonly totalBytes?: number | undefined;
  /** What is done, by kind; the names are shown. */
  readonly parts: Readonly<Record<string, number>>;
}

const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 5000;
const RATE_WINDOW_MS = 4000;
const BAR_CELLS = 24;

/** Bytes a second over the last few seconds. */
export class RateEstimator {
  private samples: { atMs: number; bytes: number }[] = [];

  add(sample: { atMs: number; bytes: number }): void {
    this.samples.push(sample);
    while (this.samples.length > 2 && sample.atMs - this.samples[1]!.atMs > RATE_WINDOW_MS) {
      this.samples.shift();
    }
  }

  /** Undefined until time has passed. */
  get bytesPerSecond(): number | undefined {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (!first || !last || last.atMs - first.atMs < 50) return undefined;
    return (last.bytes - first.bytes) * 1000 / (last.atMs - first.atMs);
  }
}

export class Progress {
  private readonly mode: Exclude<ProgressMode, "auto">;
  private readonly startedMs = performance.now();
  private readonly rate = new RateEstimator();
  private shownMs = 0;
  private barShown = false;
  private state: ProgressState = { doneBytes: 0, parts: {} };

  constructor(private readonly console: Console, mode: ProgressMode, private totalBytes: number) {
    this.mode = pickMode(mode, console);
    this.shownMs = this.startedMs;
    this.rate.add({ atMs: this.startedMs, bytes: 0 });
  }

  /** Shows the state if it is time to. */
  update(state: ProgressState): void {
    this.state = state;
    this.totalBytes = state.totalBytes ?? this.totalBytes;
    if (this.mode === "none") return;
    const nowMs = performance.now();
    const every = this.mode === "bar" ? BAR_EVERY_MS : this.mode === "json" ? 1000 : LINE_EVERY_MS;
    if (nowMs - this.shownMs < every) return;
    this.shownMs = nowMs;
    this.rate.add({ atMs: nowMs, bytes: state.doneBytes });
    this.show(state, this.mode);
  }

  /** Shows the state as it was told last, on a line of its own, although the mode may be to show nothing. */
  showNow(): void {
    this.end();
    this.rate.add({ atMs: performance.now(), bytes: this.state.doneBytes });
    this.show(this.state, this.mode === "json" ? "json" : "lines");
  }

  /** Takes the bar off the terminal; an update after it draws it again. */
  end(): void {
    if (this.barShown) Deno.stderr.writeSync(new TextEncoder().encode("\r\x1b[K"));
    this.barShown = false;
  }

  get elapsedMs(): number {
    return performance.now() - this.startedMs;
  }

  private show(state: ProgressState, mode: Exclude<ProgressMode, "auto" | "none">): void {
    const bytesPerSecond = this.rate.bytesPerSecond;
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
    const line = progressLine(state, {
      totalBytes: this.totalBytes,
      bytesPerSecond,
      leftSeconds,
      bar: mode === "bar",
    });
    if (mode === "lines") {
      this.console.err(line);
      return;
    }
    this.barShown = true;
    Deno.stderr.writeSync(new TextEncoder().encode(`\r${line.slice(0, terminalColumns() - 1)}\x1b[K`));
  }
}

function pickMode(mode: ProgressMode, console: Console): Exclude<ProgressMode, "auto"> {
  if (mode !== "auto") return mode;
  if (console.quiet) return "none";
  return Deno.stderr.isTerminal() ? "bar" : "lines";
}

function terminalColumns(): number {
  return Deno.stderr.isTerminal() ? Deno.consoleSize().columns : 120;
}

/** One line for a person: `[######......] 25 % 1.2 GiB of 4.8 GiB, 800.0 MiB/s, 5 s left (data 1.0 GiB, zero ...)`. */
export function progressLine(
  state: ProgressState,
  work: {
    totalBytes: number;
    bytesPerSecond: number | undefined;
    leftSeconds: number | undefined;
    bar: boolean;
  },
): string {
  const share = work.totalBytes === 0 ? 1 : Math.min(1, state.doneBytes / work.totalBytes);
  const cells = Math.floor(share * BAR_CELLS);
  const bar = work.bar ? `[${"#".repeat(cells)}${".".repeat(BAR_CELLS - cells)}] ` : "";
  const rate = work.bytesPerSecond === undefined ? "" : `, ${formatSize(Math.round(work.bytesPerSecond))}/s`;
  const left = work.leftSeconds === undefined ? "" : `, ${formatDuration(work.leftSeconds * 1000)} left`;
  const parts = Object.entries(state.parts).filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${formatSize(bytes)}`).join(", ");
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const kinds = parts ? ` (${parts})` : "";
  // Of a stream nobody knows how long it is.
  if (work.totalBytes === 0) return `${formatSize(state.doneBytes)}${rate}${kinds}`;
  return `${bar}${percent} % ${formatSize(state.doneBytes)} of ${
    formatSize(work.totalBytes)
  }${rate}${left}${kinds}`;
}

/** `0.6 s`, `42 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(elapsedMs: number): string {
  const seconds = elapsedMs / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
