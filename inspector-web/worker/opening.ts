/** Opening what the page asks for; what was open stays open when this fails. */
import { readBytes } from "../../core-as/host/mod.ts";
import type { FileFacts, GivenFile, Notice, Opened } from "../shared/protocol.ts";
import { Bench, type Kernels } from "./disk/bench.ts";
import { restoreCommand } from "./repository/command.ts";
import { openedChain, openedMap } from "./judgement/facts.ts";
import { GivenFiles, type OpenFiles } from "./sources/given.ts";
import type { Item } from "./disk/items.ts";
import { type MapRuns, parseMap } from "./disk/map_json.ts";
import { lookAtAll, type Plan, planChain } from "./disk/plan.ts";
import type { OpenDisk } from "./open_disk.ts";
import type { OpenRepository } from "./repository/repository.ts";
import { Scans } from "./map/scans.ts";
import { SnapshotDisk } from "./repository/snapshot_disk.ts";

/** What was opened, for the worker and in words for the page. */
export interface Opening {
  readonly disk: OpenDisk;
  readonly opened: Opened;
}

/** @param leaf Index of the file whose chain is to be shown. */
export async function openFiles(
  given: readonly GivenFile[],
  leaf: number | undefined,
  kernels: Kernels,
): Promise<Opening> {
  const life = { ended: false };
  const files = new GivenFiles(given, life);
  const items = await lookAtAll(files.names, files.context(kernels.core), (name) => files.formatOf(name));
  const map = await onlyMap(items, files);
  const scans = new Scans();
  if (map) {
    const others = items.filter((item) => item.error).map(({ error }) => `left out: ${error!.message}`);
    return {
      disk: { life, files, plan: undefined, bench: undefined, map: map.runs, scans },
      opened: openedMap(map.runs, map.file, [...files.remarks, ...others]),
    };
  }
  const plan = planChain(items, leaf === undefined ? undefined : files.names[leaf]);
  const bench = await Bench.open(kernels, plan, files);
  return {
    disk: { life, files, plan, bench, map: undefined, scans },
    opened: openedChain(bench.chain, files.remarks, plan.start),
  };
}

/** @param tell Told when a chunk is found damaged. */
export async function openSnapshot(
  id: string,
  repository: OpenRepository,
  kernels: Kernels,
  tell: (notice: Notice) => void,
): Promise<Opening> {
  const life = { ended: false };
  const scans = new Scans();
  const snapshot = new SnapshotDisk(repository, repository.snapshot(id), (range) => {
    scans.markDamaged(range);
    if (!life.ended) tell({ notice: "damaged" });
  });
  const plan: Plan = { items: [], names: snapshot.names, start: 0, remarks: [] };
  const bench = await Bench.open(kernels, plan, snapshot);
  return {
    disk: { life, files: snapshot, snapshot, plan, bench, map: undefined, scans },
    opened: {
      ...openedChain(bench.chain, [], 0),
      snapshot: repository.factsOfSnapshot(id),
      restore: restoreCommand(snapshot.snapshot, repository.reader.store.label),
    },
  };
}

/** The saved map, where there is no disk beside it. */
async function onlyMap(
  items: readonly Item[],
  files: OpenFiles,
): Promise<{ runs: MapRuns; file: FileFacts } | undefined> {
  const map = items.find(({ kind }) => kind === "map");
  if (!map || items.some(({ kind, error }) => kind !== "map" && !error)) return undefined;
  const source = files.open(map.name);
  const runs = parseMap(await readBytes(source, 0, source.sizeBytes), map.name);
  return {
    runs,
    file: { name: map.name, sizeBytes: map.sizeBytes, format: "map", facts: { image: runs.name } },
  };
}
