/**
 * Measures the page in Chromium on disks of 2 TiB: `deno task bench:inspector [--runs 5] [--folder DIR] [--write]`.
 *
 * Times are the page's own, from the event that hands it the files. The disks are all metadata: their data are holes.
 */
import { parseArgs } from "node:util";
import type { Browser } from "playwright-core";
import { writeFullHosted, writeManyTablesCowd } from "../../fixtures/mod.ts";
import { machineLine } from "../bench/machine.ts";
import { peer, withTempDir } from "../helpers/peers.ts";
import { measureFrames, measureOpening, memoryBytes } from "./bench_page.ts";
import { withBrowser, withPage } from "./browser.ts";

const RESULTS_FILE = new URL("../bench/INSPECTOR.md", import.meta.url);
const SIZE = { width: 1600, height: 900 };
const MIB = 2 ** 20;
const FLAGS = {
  runs: { type: "string", default: "5" },
  write: { type: "boolean", default: false },
} as const;

interface Goal {
  readonly what: string;
  readonly unit: "ms" | "MiB";
  readonly most: number;
  /** One of each run. */
  readonly found: readonly number[];
}

const DISKS = {
  "2 TiB hosted sparse, every grain allocated": writeFullHosted,
  "2 TiB COWD, a million tables": writeManyTablesCowd,
};

async function measureDisk(
  browser: Browser,
  disk: { name: string; path: string; runs: number },
): Promise<Goal[]> {
  const { name, path, runs } = disk;
  const openings: Awaited<ReturnType<typeof measureOpening>>[] = [];
  let frames: number[] = [];
  let memory = 0;
  await withPage(browser, SIZE, async ({ page }) => {
    for (let run = 0; run < runs; run++) {
      openings.push(await measureOpening(page, path));
    }
    frames = await measureFrames(page);
    memory = await memoryBytes(browser);
  });
  return [
    {
      what: `${name}: first map`,
      unit: "ms",
      most: 1000,
      found: openings.map(({ firstMapMs }) => firstMapMs),
    },
    {
      what: `${name}: all tables scanned`,
      unit: "ms",
      most: 2000,
      found: openings.map(({ scanMs }) => scanMs),
    },
    { what: `${name}: frame, 95 %`, unit: "ms", most: 33, found: [percentile(frames, 0.95)] },
    { what: `${name}: memory of the page`, unit: "MiB", most: 400, found: [memory / MIB] },
  ];
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/** The worst run decides; the first one starts cold. */
function render(goals: readonly Goal[], browserVersion: string): string {
  const rows = goals.map(({ what, unit, most, found }) => {
    const [worst, median] = [Math.max(...found), percentile(found, 0.5)];
    const shown = found.length > 1 ? `${median.toFixed(0)} (worst ${worst.toFixed(0)})` : worst.toFixed(0);
    return `| ${what} | at most ${most} ${unit} | ${shown} ${unit} | ${
      worst <= most ? "met" : "**missed**"
    } |`;
  });
  return [
    "# Results of `deno task bench:inspector`",
    "",
    "Written by `deno task bench:inspector --write`; not edited by hand.",
    "",
    `Machine: ${machineLine()}, Chromium ${browserVersion} headless without GPU, ${SIZE.width}x${SIZE.height}.`,
    "",
    "| what | goal | found | |",
    "|---|---|---|---|",
    ...rows,
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
      const goals: Goal[] = [];
      for (const [i, [name, write]] of Object.entries(DISKS).entries()) {
        const path = `${folder}/disk-${i}.vmdk`;
        write(path);
        goals.push(...await measureDisk(browser, { name, path, runs }));
        await Deno.remove(path);
      }
      const text = render(goals, browser.version());
      console.log(text);
      if (values.write) await Deno.writeTextFile(RESULTS_FILE, text);
      return goals.every(({ most, found }) => Math.max(...found) <= most) ? 0 : 1;
    })
  );
}

if (import.meta.main) Deno.exit(await main());
