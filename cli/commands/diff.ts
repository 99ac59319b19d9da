/** `regrain diff`: what differs between two snapshots, as a table or as a list for `backup --changed`. */
import { formatSize, plural, type Run } from "../../core-as/host/mod.ts";
import { diffSnapshots, type Snapshot } from "../../core-as/host/repo/mod.ts";
import { findOne } from "../backup/snapshots/choose.ts";
import type { Repository } from "../backup/repository.ts";
import { type CommonFlags, Console, layoutTable } from "../ui/mod.ts";
import { openRepository, type RepoFlags } from "../session/open_repository.ts";

/** Lines laid out together, so that a long list never stands in memory. */
const PAGE_LINES = 4096;

export async function runDiff(
  specs: readonly [string, string],
  flags: CommonFlags & RepoFlags,
): Promise<number> {
  const console = new Console(flags);
  const repository = await openRepository(flags);
  try {
    const onSkipped = (sentence: string) => console.warn(sentence);
    const older = await findOne(repository, specs[0], onSkipped);
    const newer = await findOne(repository, specs[1], onSkipped);
    const pair = { repository, older, newer, console };
    if (console.json) await printJson(pair);
    else await printTable(pair);
    return 0;
  } finally {
    repository.close();
    console.flush();
  }
}

interface Pair {
  readonly repository: Repository;
  readonly older: Snapshot;
  readonly newer: Snapshot;
  readonly console: Console;
}

function labelOf({ source, id }: Snapshot): string {
  return `${source.name}@${id}`;
}

/** The document of `regrain map --json`, in which `hole` is what did not change. */
async function printJson({ repository, older, newer, console }: Pair): Promise<void> {
  const [image, parent] = [JSON.stringify(labelOf(newer)), JSON.stringify(labelOf(older))];
  const capacity = `"capacityBytes":${newer.sizeBytes}`;
  console.out(`{"version":1,"image":${image},"parent":${parent},${capacity},"runs":[`);
  let comma = "";
  for await (const run of diffSnapshots(repository, older, newer)) {
    console.out(comma + JSON.stringify(run));
    comma = ",";
  }
  console.out(`],"files":[]}`);
}

async function printTable({ repository, older, newer, console }: Pair): Promise<void> {
  const changed = { runs: 0, data: 0, zero: 0, damaged: 0 };
  let rows: string[][] = [["start", "length", "size", "now"]];
  const page = () => {
    for (const line of layoutTable(rows, ["right", "right", "right", "left"])) console.out(line);
    rows = [];
  };
  for await (const run of diffSnapshots(repository, older, newer)) {
    if (run.kind === "hole") continue;
    changed.runs++;
    changed[run.kind] += run.length;
    rows.push(rowOf(run));
    if (rows.length >= PAGE_LINES) page();
  }
  if (changed.runs > 0) page();
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

function rowOf({ start, length, kind }: Run): string[] {
  return [String(start), String(length), formatSize(length), kind];
}
