/** What decides about one sector, and where the run around it begins and ends. */
import { type Disk, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import type { SectorFacts } from "../../shared/protocol.ts";
import { extentAt } from "../disk/geometry.ts";
import { DiskRuns } from "../disk/disk_runs.ts";
import { continues, DATA, HOLE, kindName, LENIENT, type PlacedRun, type Runs } from "../disk/runs.ts";

/** Steps made to find where a run ends, each way; a run that is longer is shown as far as it was followed. */
const MAX_STEPS = 64;
/** The first step back, in sectors; each further one is twice as long. */
const FIRST_BACK_SECTORS = 65_536;

/** All runs of a short stretch, neighbours that go on merged. */
export async function runsOf(runs: Runs, range: { from: number; to: number }): Promise<PlacedRun[]> {
  const found: PlacedRun[] = [];
  for (let from = range.from; from < range.to;) {
    from = await runs.step(from, range.to, LENIENT, (run) => {
      const last = found.at(-1);
      if (last && continues(last, run)) last.length += run.length;
      else found.push({ ...run });
    });
  }
  return found;
}

/** The run that holds a sector, as far as it was followed. */
export async function runAround(runs: Runs, sector: number): Promise<PlacedRun> {
  const [found] = await runsOf(runs, { from: sector, to: sector + 1 });
  if (!found) throw new Error("a sector of the disk is in no run");
  const run = { ...found };
  await growForwards(runs, run);
  await growBackwards(runs, run);
  return run;
}

async function growForwards(runs: Runs, run: PlacedRun): Promise<void> {
  let ended = false;
  for (let steps = 0; steps < MAX_STEPS && !ended; steps++) {
    const from = run.start + run.length;
    if (from >= runs.capacitySectors) return;
    await runs.step(from, runs.capacitySectors, LENIENT, (next) => {
      if (!ended && continues(run, next)) run.length += next.length;
      else ended = true;
    });
  }
}

async function growBackwards(runs: Runs, run: PlacedRun): Promise<void> {
  let span = FIRST_BACK_SECTORS;
  for (let steps = 0; steps < MAX_STEPS && run.start > 0; steps++) {
    const from = Math.max(0, run.start - span);
    const before = (await runsOf(runs, { from, to: run.start })).at(-1);
    if (!before || !continues(before, run)) return;
    run.length += before.length;
    run.start = before.start;
    run.place = before.place;
    if (before.start > from) return;
    span *= 2;
  }
}

/** @param linkNames Of all links of the chain, newest first. */
export async function describeSector(
  runs: Runs,
  sector: number,
  linkNames: readonly string[],
): Promise<SectorFacts> {
  const run = await runAround(runs, sector);
  const { kind, link, place } = run;
  const isData = kind === DATA;
  const hasPlace = isData && !Number.isNaN(place);
  const decided = runs instanceof DiskRuns ? await entryIn(runs, link, sector) : {};
  return {
    grain: undefined,
    entryFile: undefined,
    entryOffsetBytes: undefined,
    ...decided,
    sector,
    kind: kindName(kind),
    link: kind === HOLE || link < 0 ? undefined : linkNames[link],
    linkIndex: kind === HOLE || link < 0 ? undefined : link,
    file: isData ? runs.files[run.file] : undefined,
    fileOffsetBytes: hasPlace ? (place + sector - run.start) * SECTOR_SIZE : undefined,
    area: undefined,
    runStartSector: run.start,
    runLengthSectors: run.length,
  };
}

/** Of one link alone the entry of a hole is known, too; of several each has one. */
function entryIn(runs: DiskRuns, link: number, sector: number) {
  const position = link < 0 && runs.disk.links.length === 1 ? 0 : runs.positionOf(link);
  return position < 0 ? {} : runs.alone(() => entryOf(runs.disk, position, sector));
}

/** The table entry that decides. */
async function entryOf(
  disk: Disk,
  position: number,
  sector: number,
): Promise<Partial<Pick<SectorFacts, "grain" | "entryFile" | "entryOffsetBytes">>> {
  const link = disk.links[position];
  const placed = link && extentAt(link, sector);
  if (!placed) return {};
  const { extent, startSector } = placed;
  const within = sector - startSector;
  if (extent.grainSectors === undefined || within >= extent.capacitySectors) return {};
  return {
    grain: Math.floor(within / extent.grainSectors),
    entryFile: extent.path,
    entryOffsetBytes: await extent.entryOffset?.(within),
  };
}
