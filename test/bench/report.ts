/** The table of results, as Markdown. */
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
  /** Programs whose results were compared with ours. */
  readonly compared: readonly string[];
  readonly applies: readonly ApplyRow[];
  readonly goals: readonly Goal[];
  /** What was left out, and why. */
  readonly skipped: readonly string[];
}

/** Renders everything. */
export function render(results: Results): string {
  const { machine, diskBytes, compared, applies, goals, skipped } = results;
  const lines = [
    "# Results of `deno task bench`",
    "",
    "Written by `deno task bench --write`; not edited by hand.",
    "",
    `Machine: ${machine}.`,
    "",
    `Whole processes, start-up included, disk of ${
      formatSize(diskBytes)
    } in memory: median (least to most). *big* is`,
    "20 % of the disk in runs of 64 KiB to 4 MiB, *small* 5 % in scattered runs of 4 KiB, *chain* five deltas of",
    "*small*, applied at once (C loop: one after the other). qemu-img converts the same deltas over an empty base into",
    "a new file, once.",
    `Results were compared byte by byte with ${
      compared.length > 0 ? `those of ${compared.join(" and ")}` : "nothing"
    }.`,
    "",
    "| case | data | regrain | C loop | regrain / C | qemu-img | qemu-img / regrain | memory |",
    "|---|---|---|---|---|---|---|---|",
    ...applies.map(applyLine),
    "",
    "| goal | | found | |",
    "|---|---|---|---|",
    ...goals.map(({ what, goal, found, met }) =>
      `| ${what} | ${goal} | ${found} | ${met ? "met" : "missed"} |`
    ),
    ...(skipped.length > 0 ? ["", "Left out:", "", ...skipped.map((reason) => `- ${reason}`)] : []),
  ];
  return `${lines.join("\n")}\n`;
}

function applyLine(row: ApplyRow): string {
  const { name, dataBytes, ours, loop, qemuMs, memoryBytes } = row;
  const cells = [
    name,
    formatSize(dataBytes),
    formatTimes(ours),
    loop ? formatTimes(loop) : "-",
    loop ? ratio(ours.medianMs, loop.medianMs) : "-",
    qemuMs === undefined ? "-" : formatMs(qemuMs),
    qemuMs === undefined ? "-" : `${(qemuMs / ours.medianMs).toFixed(qemuMs < 10 * ours.medianMs ? 1 : 0)} x`,
    formatSize(memoryBytes),
  ];
  return `| ${cells.join(" | ")} |`;
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
