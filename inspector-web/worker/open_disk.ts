/** What one opening brought: files, a snapshot of a repository, or a saved map. */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { View } from "../shared/protocol.ts";
import type { Bench } from "./disk/bench.ts";
import type { OpenFiles } from "./sources/given.ts";
import type { MapRuns } from "./disk/map_json.ts";
import type { Plan } from "./disk/plan.ts";
import type { Runs } from "./disk/runs.ts";
import type { Scan } from "./map/scan.ts";
import type { Scans } from "./map/scans.ts";
import type { Life } from "./sources/slow_source.ts";
import type { SnapshotDisk } from "./repository/snapshot_disk.ts";

export interface OpenDisk {
  readonly life: Life;
  readonly files: OpenFiles;
  /** The same, when it is a snapshot. */
  readonly snapshot?: SnapshotDisk;
  readonly plan: Plan | undefined;
  /** Absent where only a map is open. */
  readonly bench: Bench | undefined;
  readonly map: MapRuns | undefined;
  readonly scans: Scans;
}

export function requiredSnapshot({ snapshot }: OpenDisk): SnapshotDisk {
  if (snapshot) return snapshot;
  throw new RegrainError("USAGE", "what is open is no snapshot of a repository");
}

export function requiredBench({ bench }: OpenDisk): Bench {
  if (bench) return bench;
  throw new RegrainError("USAGE", "only a map is open: there are no bytes to look at");
}

export function runsOf(disk: OpenDisk, view: View): Runs {
  return disk.map ?? requiredBench(disk).view(view);
}

export function scanOf(disk: OpenDisk, view: View): Scan {
  return disk.scans.of(view, runsOf(disk, view), disk.snapshot?.damagedRanges ?? []);
}
