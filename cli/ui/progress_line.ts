/** The words of a progress line, in as much room as there is. */
import { formatSize } from "../../core-as/host/mod.ts";

/** A snapshot of the work: bytes done by kind. */
export interface ProgressState {
  readonly doneBytes: number;
  /** What there is to do, where that became known only later. */
  readonly totalBytes?: number | undefined;
  /** What is done, by kind; the names are shown. */
  readonly parts: Readonly<Record<string, number>>;
}

/** What is known beside the state. */
export interface ProgressWork {
  /** 0: not known. */
  readonly totalBytes: number;
  readonly bytesPerSecond: number | undefined;
  readonly leftSeconds: number | undefined;
  /** True: a bar is drawn in front. */
  readonly bar: boolean;
  /** Room for the line; as much as it needs unless given. */
  readonly columns?: number;
}

const BAR_CELLS = 24;
/** A shorter bar shows less than the percentage beside it. */
const MIN_BAR_CELLS = 8;

/**
 * One line for a person: `[######......]  25 % 1.2 GiB of 4.8 GiB, 800.0 MiB/s, 5 s left (data 1.0 GiB, zero ...)`.
 * Where there is less room the kinds go first, then the rate, the sizes, the bar; what is left of the time stays.
 */
export function progressLine(state: ProgressState, work: ProgressWork): string {
  const columns = work.columns ?? Infinity;
  const lines = wordings(state, work);
  return lines.find(({ length }) => length <= columns) ?? lines.at(-1)!.slice(0, columns);
}

/** All that may be said, the longest first. */
function wordings(state: ProgressState, work: ProgressWork): string[] {
  const { totalBytes, bytesPerSecond, leftSeconds } = work;
  const done = formatSize(state.doneBytes);
  const rate = bytesPerSecond === undefined ? "" : `, ${formatSize(Math.round(bytesPerSecond))}/s`;
  const parts = Object.entries(state.parts).filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${formatSize(bytes)}`).join(", ");
  const kinds = parts ? ` (${parts})` : "";
  // Nobody knows how long a stream is.
  if (totalBytes === 0) return [`${done}${rate}${kinds}`, `${done}${rate}`, done];
  const share = shareOf(state, totalBytes);
  const percent = `${`${Math.floor(share * 100)}`.padStart(3)} %`;
  const sizes = ` ${done} of ${formatSize(totalBytes)}`;
  const left = leftSeconds === undefined ? "" : `, ${formatDuration(leftSeconds * 1000)} left`;
  const bars = work.bar ? [bar(share, BAR_CELLS), bar(share, MIN_BAR_CELLS)] : ["", ""];
  return [
    `${bars[0]}${percent}${sizes}${rate}${left}${kinds}`,
    `${bars[0]}${percent}${sizes}${rate}${left}`,
    `${bars[1]}${percent}${sizes}${rate}${left}`,
    `${bars[1]}${percent}${sizes}${left}`,
    `${bars[1]}${percent}${left}`,
    `${percent}${left}`,
    percent,
  ];
}

/** How much of the work is done, 0 to 1. */
export function shareOf({ doneBytes }: Pick<ProgressState, "doneBytes">, totalBytes: number): number {
  return totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
}

function bar(share: number, cells: number): string {
  const full = Math.floor(share * cells);
  return `[${"#".repeat(full)}${".".repeat(cells - full)}] `;
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
