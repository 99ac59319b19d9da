/** The tables of results, as Markdown. */
import { formatSize } from "../../core-as/host/units.ts";
import type { Times } from "./measure.ts";

/** One line of the table of applies. */
export interface ApplyRow {
  readonly name: string;
  /** Bytes that one apply moves. */
  readonly dataBytes: number;
  readonly ours: Times;
  readonly loop: Times | undefined;
  /** One run: it is slow. */
  readonly qemuMs: number | undefined;
  readonly memoryBytes: number;
}

/** One line of the table of options. */
export interface WindowRow {
  readonly name: string;
  /** How the delta was applied. */
  readonly what: string;
  readonly times: Times;
  /** Our apply without options. */
  readonly plain: Times;
  /** The C loop doing the same, where it can. */
  readonly loop: Times | undefined;
  readonly deltaBytes: number;
}

/** One line of the table by place. */
export interface PlaceRow {
  readonly place: string;
  readonly cache: string;
  readonly name: string;
  readonly dataBytes: number;
  readonly ours: Times;
  readonly loop: Times | undefined;
}

/** What a figure should be. */
export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly found: string;
  readonly met: boolean;
}

export interface Results {
  readonly machine: string;
  readonly diskBytes: number;
  readonly placeDiskBytes: number;
  /** Programs whose results were compared with ours. */
  readonly compared: readonly string[];
  readonly applies: readonly ApplyRow[];
  readonly window: readonly WindowRow[];
  readonly places: readonly PlaceRow[];
  /** What the places stand on. */
  readonly placesNote: string;
  readonly goals: readonly Goal[];
  /** What was left out, and why. */
  readonly skipped: readonly string[];
}

/** Renders everything; a table that nothing was measured for is left out. */
export function render(results: Results): string {
  const { machine, diskBytes, skipped } = results;
  const lines = [
    "# Results of `deno task bench`",
    "",
    "Written by `deno task bench --write`; not edited by hand.",
    "",
    `Machine: ${machine}.`,
    "",
    "Whole processes, as installed: median (least to most). *big* is 20 % of the disk in runs of 64 KiB to 4 MiB,",
    `*small* 5 % in scattered runs of 4 KiB. The disk has ${
      formatSize(diskBytes)
    } and is in memory, all its pages in`,
    "place, where nothing else is said.",
    ...applyTable(results),
    ...windowTable(results),
    ...placeTable(results),
    ...goalTable(results),
    ...(skipped.length > 0 ? ["", "Left out:", "", ...skipped.map((reason) => `- ${reason}`)] : []),
  ];
  return `${lines.join("\n")}\n`;
}

function applyTable({ applies, compared }: Results): string[] {
  if (applies.length === 0) return [];
  return [
    ...chapter("Formats"),
    "*chain*: five deltas of *small*, applied at once (C loop: one after the other). qemu-img converts the same deltas",
    "over an empty base into a new file, once.",
    `Results were compared byte by byte with ${
      compared.length > 0 ? `those of ${compared.join(" and ")}` : "nothing"
    }.`,
    "",
    ...table(
      ["case", "data", "regrain", "C loop", "regrain / C", "qemu-img", "qemu-img / regrain", "memory"],
      applies.map(applyCells),
    ),
  ];
}

function applyCells({ name, dataBytes, ours, loop, qemuMs, memoryBytes }: ApplyRow): string[] {
  return [
    name,
    formatSize(dataBytes),
    formatTimes(ours),
    ...loopCells(ours, loop),
    qemuMs === undefined ? "-" : formatMs(qemuMs),
    qemuMs === undefined ? "-" : `${(qemuMs / ours.medianMs).toFixed(qemuMs < 10 * ours.medianMs ? 1 : 0)} x`,
    formatSize(memoryBytes),
  ];
}

function windowTable({ window }: Results): string[] {
  if (window.length === 0) return [];
  return [
    ...chapter("Options of the outage window"),
    "Applied to an empty disk, all of these made the same of it. The C loop with undo appends the old bytes to a fresh",
    "file too, and syncs that once, at the end. The loop of 512 bytes is in the place of vmdksync, which cannot be had",
    "here. GB/s: bytes of the delta file in the time of the whole process.",
    "",
    ...table(
      ["case", "applied by", "time", "/ plain", "C loop", "/ C loop", "GB/s"],
      window.map(({ name, what, times, plain, loop, deltaBytes }) => [
        name,
        what,
        formatTimes(times),
        ratio(times.medianMs, plain.medianMs),
        ...loopCells(times, loop),
        (deltaBytes / times.medianMs / 1e6).toFixed(2),
      ]),
    ),
  ];
}

function placeTable({ places, placesNote, placeDiskBytes }: Results): string[] {
  if (places.length === 0) return [];
  return [
    ...chapter("Places"),
    `Disk of ${formatSize(placeDiskBytes)}, its delta beside it. ${placesNote}`,
    "Both programs end with fsync; what earlier runs left dirty is written before. *warm*: delta and target are in",
    "memory. *cold*: all caches were dropped, and only the programs loaded again. Both made the same of each disk.",
    "",
    ...table(
      ["place", "caches", "case", "data", "regrain", "C loop", "regrain / C"],
      places.map(({ place, cache, name, dataBytes, ours, loop }) => [
        place,
        cache,
        name,
        formatSize(dataBytes),
        formatTimes(ours),
        ...loopCells(ours, loop),
      ]),
    ),
  ];
}

function goalTable({ goals }: Results): string[] {
  if (goals.length === 0) return [];
  const cells = goals.map(({ what, goal, found, met }) => [what, goal, found, met ? "met" : "missed"]);
  return [...chapter("Goals"), ...table(["what", "goal", "found", ""], cells)];
}

function chapter(title: string): string[] {
  return ["", `## ${title}`, ""];
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), `|${"---|".repeat(heads.length)}`, ...rows.map(line)];
}

/** The loop, and ours as a multiple of it. */
function loopCells(ours: Times, loop: Times | undefined): [string, string] {
  return loop === undefined ? ["-", "-"] : [formatTimes(loop), ratio(ours.medianMs, loop.medianMs)];
}

/** `1.27 x` */
export function ratio(a: number, b: number): string {
  return `${(a / b).toFixed(2)} x`;
}

/** `0.43 s (0.41-0.52)`, below a tenth of a second in milliseconds. */
export function formatTimes({ medianMs, minMs, maxMs }: Times): string {
  if (medianMs < 100) return `${medianMs.toFixed(0)} ms (${minMs.toFixed(0)}-${maxMs.toFixed(0)})`;
  return `${formatMs(medianMs)} (${(minMs / 1000).toFixed(2)}-${(maxMs / 1000).toFixed(2)})`;
}

function formatMs(elapsedMs: number): string {
  return `${(elapsedMs / 1000).toFixed(elapsedMs < 10_000 ? 2 : 0)} s`;
}
