/** What `repo stats` says: how much each disk holds, shares, and holds alone. */
import { formatSize, plural } from "../../core-as/host/mod.ts";
import type { DiskStats, RepositoryStats } from "../backup/keep/stats.ts";
import { timeTexts } from "../backup/snapshots/times.ts";
import { type Console, layoutTable } from "../ui/mod.ts";

export interface StatsReport {
  done(stats: RepositoryStats): void;
}

export function statsReport(console: Console): StatsReport {
  return console.json ? new JsonStatsReport(console) : new TextStatsReport(console);
}

class JsonStatsReport implements StatsReport {
  constructor(private readonly console: Console) {}

  done({ disks, referencedBytes, needed, objects }: RepositoryStats): void {
    for (const disk of disks) {
      const snapshots = disk.snapshots.map(({ snapshot, alone }) => ({
        id: snapshot.id,
        sizeBytes: snapshot.sizeBytes,
        alone,
      }));
      this.console.outJson({ type: "disk", ...disk, snapshots });
    }
    this.console.outJson({ type: "summary", disks: disks.length, referencedBytes, needed, objects });
  }
}

class TextStatsReport implements StatsReport {
  constructor(private readonly console: Console) {}

  done({ disks, referencedBytes, needed, objects }: RepositoryStats): void {
    const { console } = this;
    if (disks.length > 0) {
      const head = [
        "disk",
        "snapshots",
        "size",
        "data of all",
        "different",
        "stored",
        "shared",
        "packed",
        "alone",
      ];
      const rows = disks.map(diskRow);
      const total = [
        "total",
        String(disks.reduce((count, { snapshots }) => count + snapshots.length, 0)),
        "",
        formatSize(referencedBytes),
        formatSize(needed.plainBytes),
        formatSize(needed.storedBytes),
        factor(referencedBytes, needed.plainBytes),
        factor(needed.plainBytes, needed.storedBytes),
        "",
      ];
      const aligns = ["left", ...head.slice(1).map(() => "right" as const)] as ("left" | "right")[];
      const shown = <T>(row: readonly T[]) => row.filter((_, i) => console.verbose || !WIDE.has(i));
      for (const line of layoutTable([head, ...rows, total].map(shown), shown(aligns))) console.out(line);
      console.out();
      for (const disk of disks) this.snapshots(disk);
    }
    const over = Math.max(0, objects.bytes - needed.storedBytes);
    console.out(
      `${plural(objects.count, "object")}, ${formatSize(objects.bytes)}; ${
        formatSize(over)
      } of it are manifests, ` +
        "maps, and what gc removes",
    );
  }

  private snapshots({ name, snapshots }: DiskStats): void {
    const { console } = this;
    console.out(`${name}: what no other snapshot needs`);
    const times = timeTexts(
      snapshots.map(({ snapshot: { id, created } }) => ({ id, timeMs: Date.parse(created) })),
    );
    const rows = snapshots.map(({ snapshot: { id }, alone }) => [
      `  ${id}`,
      times.get(id)!,
      plural(alone.chunks, "chunk"),
      formatSize(alone.storedBytes),
    ]);
    for (const line of layoutTable(rows, ["left", "left", "right", "right"])) console.out(line);
    console.out();
  }
}

/** The two factors, which only -v shows: with them the table is wider than a terminal of 80. */
const WIDE: ReadonlySet<number> = new Set([6, 7]);

function diskRow({ name, snapshots, referencedBytes, needed, alone }: DiskStats): string[] {
  return [
    name,
    String(snapshots.length),
    formatSize(snapshots.at(-1)!.snapshot.sizeBytes),
    formatSize(referencedBytes),
    formatSize(needed.plainBytes),
    formatSize(needed.storedBytes),
    factor(referencedBytes, needed.plainBytes),
    factor(needed.plainBytes, needed.storedBytes),
    formatSize(alone.storedBytes),
  ];
}

function factor(of: number, by: number): string {
  return by === 0 ? "" : `${(of / by).toFixed(2)}x`;
}
