/**
 * Measures the page in Chromium on disks of 2 TiB: `deno task bench:inspector [--runs 5] [--write]`.
 *
 * Times are the page's own, from the event that hands it the files. The disks are all metadata: their data are holes.
 */
import { parseArgs } from "node:util";
import type { Browser } from "playwright-core";
import { SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { writeFullHosted, writeManyTablesCowd } from "../../fixtures/mod.ts";
import { machineLine } from "../bench/machine.ts";
import { peer, withTempDir } from "../helpers/peers.ts";
import { measureFrames, measureOpening, type Memory, memoryOf, type Opening } from "./bench_page.ts";
import { withBrowser, withPage } from "./browser.ts";

const RESULTS_FILE = new URL("../bench/INSPECTOR.md", import.meta.url);
const SIZE = { width: 1600, height: 900 };
const MB = 1e6;
const FLAGS = {
  runs: { type: "string", default: "5" },
  write: { type: "boolean", default: false },
} as const;

interface Row {
  readonly what: string;
  readonly unit: string;
  /** Absent where there is no goal. */
  readonly most?: number;
  /** One of each run. */
  readonly found: readonly number[];
}

interface TestDisk {
  readonly name: string;
  readonly write: (path: string) => number;
  /** Of the disk, that one table covers. */
  readonly tableBytes: number;
  /** Milliseconds for all tables, where they can be read in one sitting. */
  readonly scanGoalMs?: number;
}

const DISKS: readonly TestDisk[] = [
  { name: "hosted", write: writeFullHosted, tableBytes: 512 * 64 * 1024, scanGoalMs: 2000 },
  { name: "COWD", write: writeManyTablesCowd, tableBytes: 4096 * SECTOR_SIZE },
];

async function measureDisk(
  browser: Browser,
  disk: TestDisk,
  { path, runs }: { path: string; runs: number },
): Promise<Row[]> {
  const openings: Opening[] = [];
  let frames: number[] = [];
  let memory: Memory | undefined;
  await withPage(browser, { ...SIZE, colorScheme: "light" }, async ({ page }) => {
    for (let run = 0; run < runs; run++) openings.push(await measureOpening(page, path));
    frames = await measureFrames(page);
    memory = await memoryOf(browser);
  });
  const { name } = disk;
  return [
    { what: `${name}: first map`, unit: "ms", most: 1000, found: openings.map((each) => each.firstMapMs) },
    scanRow(disk, openings),
    { what: `${name}: frame, median`, unit: "ms", found: [percentile(frames, 0.5)] },
    { what: `${name}: frame, 95 %`, unit: "ms", most: 33, found: [percentile(frames, 0.95)] },
    { what: `${name}: memory, at most`, unit: "MB", most: 400, found: [(memory?.mostBytes ?? NaN) / MB] },
    { what: `${name}: memory, the page's own`, unit: "MB", found: [(memory?.ownBytes ?? NaN) / MB] },
  ];
}

function scanRow({ name, tableBytes, scanGoalMs }: TestDisk, openings: readonly Opening[]): Row {
  if (scanGoalMs === undefined) {
    const speeds = openings.map(({ doneSectors, seenMs }) => doneSectors * SECTOR_SIZE / tableBytes / seenMs);
    return { what: `${name}: tables scanned`, unit: "a ms", found: speeds };
  }
  const found = openings.map(({ scanMs }) => scanMs ?? Infinity);
  return { what: `${name}: all tables scanned`, unit: "ms", most: scanGoalMs, found };
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/** The worst run decides; the first one starts cold. */
function isMet({ most, found }: Row): boolean {
  return most === undefined || Math.max(...found) <= most;
}

function renderRow(row: Row): string {
  const { what, unit, most, found } = row;
  const words = (value: number) => value.toFixed(value < 100 ? 1 : 0);
  const [least, median, worst] = [Math.min(...found), percentile(found, 0.5), Math.max(...found)];
  const spread = found.length > 1 ? ` (${words(least)}-${words(worst)})` : "";
  const goal = most === undefined ? "-" : `at most ${most} ${unit}`;
  const verdict = most === undefined ? "" : isMet(row) ? "met" : "**missed**";
  return `| ${what} | ${goal} | ${words(median)} ${unit}${spread} | ${verdict} |`;
}

function render(rows: readonly Row[], browserVersion: string): string {
  return [
    "# Results of `deno task bench:inspector`",
    "",
    "Written by `deno task bench:inspector --write`; not edited by hand.",
    "",
    `Machine: ${machineLine()}.`,
    `Chromium ${browserVersion}, headless, without a GPU; the built page at ${SIZE.width}x${SIZE.height} ` +
    "from its file.",
    "",
    "*hosted*: 2 TiB hosted sparse, every grain of 64 KiB allocated and a run of its own: 128 MiB of tables. " +
    "*COWD*: 2 TiB",
    "with grains of one sector and a million tables, 16 GiB of them; its scan goes on while frames are measured.",
    "",
    "*first map*: from the event that hands over the file until every cell on the screen is coloured.",
    "*frame*: from one `requestAnimationFrame` to the next, a step of zooming or panning in each of them.",
    "*memory*: the renderer process with its worker, by /proc, after all runs in one page: the most that was ever",
    "resident, of which more than 100 MB are the browser's own program, and without that what is resident at the end.",
    "Median (least to most); the worst run decides.",
    "",
    "| what | goal | found | |",
    "|---|---|---|---|",
    ...rows.map(renderRow),
    "",
  ].join("\n");
}

async function main(): Promise<number> {
  const { values } = parseArgs({ args: Deno.args, options: FLAGS });
  const runs = Number(values.runs);
  if (peer("chromium") === undefined) {
    console.error("skipped: needs chromium");
    return 0;
  }
  return await withTempDir((folder) =>
    withBrowser(async (browser) => {
      const rows: Row[] = [];
      for (const disk of DISKS) {
        const path = `${folder}/${disk.name}.vmdk`;
        disk.write(path);
        rows.push(...await measureDisk(browser, disk, { path, runs }));
        await Deno.remove(path);
      }
      const text = render(rows, browser.version());
      console.log(text);
      if (values.write) await Deno.writeTextFile(RESULTS_FILE, text);
      return rows.every(isMet) ? 0 : 1;
    })
  );
}

if (import.meta.main) Deno.exit(await main());
