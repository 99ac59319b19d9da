/** What `diff` prints: the runs that changed between two snapshots, as a table or as JSON. */
import { formatSize, plural, type Run } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { type Console, PagedTable } from "../ui/mod.ts";
import { outRuns } from "./runs.ts";

export interface DiffReport {
  /** Prints the runs as they come. */
  changes(pair: { older: Snapshot; newer: Snapshot }, runs: AsyncIterable<Run>): Promise<void>;
}

export function diffReport(console: Console): DiffReport {
  return console.json ? new JsonDiffReport(console) : new TextDiffReport(console);
}

/** The document of `regrain map --json`, in which `hole` is what did not change. */
class JsonDiffReport implements DiffReport {
  constructor(private readonly console: Console) {}

  async changes({ older, newer }: { older: Snapshot; newer: Snapshot }, runs: AsyncIterable<Run>) {
    const head = { image: labelOf(newer), parent: labelOf(older), capacityBytes: newer.sizeBytes };
    await outRuns(this.console, head, runs);
  }
}

function labelOf({ source, id }: Snapshot): string {
  return `${source.name}@${id}`;
}

class TextDiffReport implements DiffReport {
  constructor(private readonly console: Console) {}

  async changes({ older, newer }: { older: Snapshot; newer: Snapshot }, runs: AsyncIterable<Run>) {
    const { console } = this;
    const changed = { runs: 0, data: 0, zero: 0, damaged: 0 };
    const table = new PagedTable(
      (line) => console.out(line),
      ["start", "length", "size", "now"],
      ["right", "right", "right", "left"],
    );
    for await (const { start, length, kind } of runs) {
      if (kind === "hole") continue;
      changed.runs++;
      changed[kind] += length;
      table.add([String(start), String(length), formatSize(length), kind]);
    }
    if (changed.runs > 0) table.end();
    if (older.sizeBytes !== newer.sizeBytes) {
      console.warn(`the disk had ${older.sizeBytes} bytes, and has ${newer.sizeBytes} now`);
    }
    console.out(
      changed.runs === 0
        ? "nothing differs"
        : `${plural(changed.runs, "run")}: ${formatSize(changed.data)} of other data, ` +
          `${formatSize(changed.zero)} became zeros`,
    );
  }
}
