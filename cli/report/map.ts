/** What `map` prints: the runs of an image, as a table, as a picture or as JSON. */
import { type Disk, formatSize, type PlacedRuns, quotePath } from "../../core-as/host/mod.ts";
import { exactSize } from "../ui/describe.ts";
import { type Console, HeatMap, PagedTable } from "../ui/mod.ts";
import { outRuns } from "./runs.ts";

/** Columns of a picture where there is no terminal. */
const DEFAULT_COLUMNS = 72;

export abstract class MapReport {
  constructor(protected readonly console: Console) {}

  /** Prints the runs as they come. */
  abstract image(disk: Disk, runs: PlacedRuns): Promise<void>;

  damaged(image: string, damagedBytes: number): void {
    const what = `${exactSize(damagedBytes)} are damaged, nobody knows what is there`;
    this.console.warn(`${image}: ${what}; regrain check ${quotePath(image)} lists why`);
  }
}

export function mapReport(console: Console, { ascii = false }: { ascii?: boolean | undefined }): MapReport {
  if (console.json) return new JsonMapReport(console);
  return ascii ? new MapPicture(console) : new MapTable(console);
}

/** One document an image. */
class JsonMapReport extends MapReport {
  async image(disk: Disk, runs: PlacedRuns): Promise<void> {
    await outRuns(this.console, { image: disk.path, capacityBytes: disk.sizeBytes }, runs);
  }
}

class MapPicture extends MapReport {
  async image(disk: Disk, runs: PlacedRuns): Promise<void> {
    const columns = Deno.stdout.isTerminal()
      ? Math.max(16, Deno.consoleSize().columns - 14)
      : DEFAULT_COLUMNS;
    const map = new HeatMap(disk.sizeBytes, columns);
    for await (const run of runs) map.add(run);
    this.console.out(`${disk.path}: ${formatSize(disk.sizeBytes)}`);
    for (const line of map.lines()) this.console.out(line);
  }
}

class MapTable extends MapReport {
  async image(_disk: Disk, runs: PlacedRuns): Promise<void> {
    const table = new PagedTable(
      (line) => this.console.out(line),
      ["start", "length", "size", "kind", "at", "in"],
      ["right", "right", "right", "left", "right", "left"],
    );
    for await (const { start, length, kind, file, fileOffset } of runs) {
      const at = fileOffset === undefined ? "" : String(fileOffset);
      table.add([String(start), String(length), formatSize(length), kind, at, file ?? ""]);
    }
    table.end();
  }
}
