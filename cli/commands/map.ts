/** `regrain map`: the runs of an image. */
import {
  Disk,
  doubtsOf,
  formatSize,
  type Observer,
  openLink,
  quotePath,
  type Run,
  SECTOR_SIZE,
} from "../../core-as/host/mod.ts";
import { HeatMap, layoutTable } from "../ui/mod.ts";
import { imageOf } from "../places/place.ts";
import { exactSize, takeDoubts } from "../ui/describe.ts";
import { type DiskFlags, type Session, startSession } from "../session/session.ts";
import { type ChainFlags, openWholeDisk } from "../session/whole_disk.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";

export interface MapFlags extends DiskFlags, ChainFlags {
  readonly ascii?: boolean | undefined;
  readonly chain?: boolean | undefined;
}

const IMAGE = imageOf("map");
/** Lines laid out together, so that columns line up without holding the whole list. */
const PAGE_LINES = 4096;
const DEFAULT_COLUMNS = 72;

/** @returns 0, or 1 when an image has damage. */
export async function runMap(images: readonly string[], flags: MapFlags): Promise<number> {
  const session = startSession(flags);
  let sound = true;
  for (const image of images) {
    session.places.take(image, IMAGE);
    const disk = flags.chain
      ? await openWholeDisk(image, session, flags)
      : new Disk(session.context.core, [await openLink(image, session.context, "image")]);
    try {
      if (!flags.chain) takeDoubts(session.console, doubtsOf(disk.links), flags);
      const runs = new PlacedRuns(disk);
      if (session.console.json) await printJson(disk, runs, session);
      else if (flags.ascii) await printHeatMap(disk, runs, session);
      else await printTable(runs, session);
      if (runs.damagedBytes > 0) {
        sound = false;
        const what = `${exactSize(runs.damagedBytes)} are damaged, nobody knows what is there`;
        session.console.warn(`${image}: ${what}; regrain check ${quotePath(image)} lists why`);
      }
    } finally {
      disk.close();
    }
  }
  session.console.flush();
  return sound ? 0 : EXIT_DAMAGE;
}

/** A run with where its data lies. */
interface PlacedRun extends Run {
  /** File of the data. */
  readonly file?: string;
  /** Byte in that file; absent for compressed grains, which have no place of their own. */
  readonly fileOffset?: number;
}

/** Walks over damage, which is a run like any other. */
const LENIENT: Observer = { finding: () => undefined };

/** Runs one by one; what continues from window to window is one run. */
class PlacedRuns {
  /** Bytes of the damaged runs that came by. */
  damagedBytes = 0;

  constructor(private readonly disk: Disk) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<PlacedRun> {
    let last: PlacedRun | undefined;
    for await (const { list } of this.disk.walk(LENIENT)) {
      for (let i = 0; i < list.count; i++) {
        const run = placedRun(this.disk, {
          start: list.start(i) * SECTOR_SIZE,
          length: list.length(i) * SECTOR_SIZE,
          place: list.place(i),
          owner: list.owner(i),
        });
        if (run.kind === "damaged") this.damagedBytes += run.length;
        if (last && continues(last, run)) last = { ...last, length: last.length + run.length };
        else {
          if (last) yield last;
          last = run;
        }
      }
    }
    if (last) yield last;
  }
}

function placedRun(
  disk: Disk,
  record: { start: number; length: number; place: number; owner: number },
): PlacedRun {
  const { start, length, place, owner } = record;
  const kind = disk.kindOf(place);
  if (kind !== "data") return { start, length, kind };
  const medium = disk.media[owner]!;
  const extent = disk.links.flatMap(({ extents }) => extents).find((each) => each.extent.data === medium)
    ?.extent;
  const isPlain = extent?.file === medium;
  const fileOffset = extent?.fileOffset
    ? extent.fileOffset(place)
    : isPlain
    ? place * SECTOR_SIZE
    : undefined;
  return { start, length, kind, file: medium.path, ...(fileOffset === undefined ? {} : { fileOffset }) };
}

function continues(last: PlacedRun, next: PlacedRun): boolean {
  if (last.kind !== next.kind || last.file !== next.file) return false;
  return last.fileOffset === undefined || last.fileOffset + last.length === next.fileOffset;
}

/** One document an image, written as it is walked: the list of a large disk never stands in memory. */
async function printJson(disk: Disk, runs: PlacedRuns, { console }: Session): Promise<void> {
  const files = new Map<string, number>();
  console.out(`{"version":1,"image":${JSON.stringify(disk.path)},"capacityBytes":${disk.sizeBytes},"runs":[`);
  let comma = "";
  for await (const run of runs) {
    const { file, ...rest } = run;
    if (file !== undefined && !files.has(file)) files.set(file, files.size);
    console.out(comma + JSON.stringify(file === undefined ? rest : { ...rest, file: files.get(file) }));
    comma = ",";
  }
  console.out(`],"files":${JSON.stringify([...files.keys()])}}`);
}

async function printHeatMap(disk: Disk, runs: PlacedRuns, { console }: Session): Promise<void> {
  const columns = Deno.stdout.isTerminal() ? Math.max(16, Deno.consoleSize().columns - 14) : DEFAULT_COLUMNS;
  const map = new HeatMap(disk.sizeBytes, columns);
  for await (const run of runs) map.add(run);
  console.out(`${disk.path}: ${formatSize(disk.sizeBytes)}`);
  for (const line of map.lines()) console.out(line);
}

async function printTable(runs: PlacedRuns, { console }: Session): Promise<void> {
  let rows: string[][] = [["start", "length", "size", "kind", "at", "in"]];
  const page = () => {
    for (const line of layoutTable(rows, ["right", "right", "right", "left", "right", "left"])) {
      console.out(line);
    }
    rows = [];
  };
  for await (const { start, length, kind, file, fileOffset } of runs) {
    const at = fileOffset === undefined ? "" : String(fileOffset);
    rows.push([String(start), String(length), formatSize(length), kind, at, file ?? ""]);
    if (rows.length >= PAGE_LINES) page();
  }
  page();
}
