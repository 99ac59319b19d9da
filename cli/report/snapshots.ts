/** What `snapshots` says: the backups of each disk, and the moments of each VM. */
import { formatSize, plural } from "../../core-as/host/mod.ts";
import type { SnapshotOutline } from "../../core-as/host/repo/mod.ts";
import type { Hold } from "../backup/keep/holds.ts";
import type { Listed } from "../backup/snapshots/snapshots.ts";
import { isInFuture, madeMs, timeTexts } from "../backup/snapshots/times.ts";
import type { ListedVm } from "../backup/snapshots/vms.ts";
import { type Console, layoutTable } from "../ui/mod.ts";

export type ListedSnapshot = Listed<SnapshotOutline>;

export interface SnapshotList {
  /** The repository. */
  readonly label: string;
  /** Those that are meant, of all that were looked at. */
  readonly listed: readonly ListedSnapshot[];
  readonly all: readonly ListedSnapshot[];
  readonly vms: readonly ListedVm[];
  readonly holds: ReadonlyMap<string, Hold>;
  /** Ids of the snapshots of disks that moments of VMs are made of. */
  readonly moments: ReadonlySet<string>;
}

export interface SnapshotsReport {
  list(list: SnapshotList): void;
}

export function snapshotsReport(console: Console): SnapshotsReport {
  return console.json ? new JsonSnapshotsReport(console) : new TextSnapshotsReport(console);
}

class JsonSnapshotsReport implements SnapshotsReport {
  constructor(private readonly console: Console) {}

  list({ listed, vms, holds, moments }: SnapshotList): void {
    const { console } = this;
    for (const each of vms) console.outJson(vmJson(each));
    for (const { name: { id, source }, snapshot, damage, isDoubtful } of listed) {
      const hold = holds.get(id);
      const held = hold === undefined ? null : { reason: hold.reason, since: hold.since };
      if (snapshot === undefined) {
        console.outJson({ type: "damaged", id, source, held, reason: damage!.message, code: damage!.code });
      } else {
        const { pageCount, ...rest } = snapshot;
        const isPart = rest.vm === undefined ? {} : { isInMoment: moments.has(id) };
        console.outJson({ type: "snapshot", ...rest, ...isPart, pages: pageCount, isDoubtful, held });
      }
    }
    const { snapshots, disks, damaged, storedBytes } = totals(listed);
    console.outJson({ type: "summary", disks, snapshots, damaged, storedBytes });
  }
}

function vmJson({ name, vm, damage }: ListedVm): unknown {
  const broken = damage === undefined ? null : { code: damage.code, reason: damage.message };
  if (vm === undefined) return { type: "vm", id: name.id, source: name.source, damage: broken };
  const { id, source, created, host, disks, configs } = vm;
  return {
    type: "vm",
    id,
    source,
    created,
    host,
    disks,
    configs: configs.map((each) => each.name),
    damage: broken,
  };
}

const HEAD = ["  id", "created (UTC)", "data", "read", "stored", "chunks", "new", "how", ""];
const ALIGNS = ["left", "left", "right", "right", "right", "right", "right", "left", "left"] as const;
/** Columns that only -v shows: with them the table is wider than a terminal of 80. */
const WIDE: ReadonlySet<number> = new Set([2, 5, 6]);

class TextSnapshotsReport implements SnapshotsReport {
  constructor(private readonly console: Console) {}

  list(list: SnapshotList): void {
    const { label, listed, all, vms } = list;
    if (listed.length > 0) this.table(list);
    else {
      const what = all.length === 0 ? "no snapshots" : `no snapshot of ${all.length} is meant by these flags`;
      this.console.tell(`${label}: ${what}`);
    }
    this.vms(vms);
  }

  /** Disks by name, each with its snapshots, oldest first; columns line up over all of them. */
  private table({ listed, all, ...about }: SnapshotList): void {
    const { console } = this;
    // Also of those that are not shown: a time that is printed means one snapshot among all of a disk.
    const wholeDisks = Map.groupBy(all, ({ name }) => name.source);
    const disks = [...Map.groupBy(listed, ({ name }) => name.source).values()]
      .map((disk) => ({ disk, name: nameOf(disk) }))
      .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
    const rows = disks.flatMap(({ disk }) => {
      const whole = wholeDisks.get(disk[0]!.name.source)!;
      const times = timeTexts(whole.map((each) => ({ id: each.name.id, timeMs: madeMs(each) })));
      return disk.map((each) => rowOf(each, times.get(each.name.id)!, about));
    });
    const shown = <T>(row: readonly T[]) => row.filter((_, i) => console.verbose || !WIDE.has(i));
    const [head, ...lines] = layoutTable([HEAD, ...rows].map(shown), shown(ALIGNS));
    let at = 0;
    for (const { disk, name } of disks) {
      const size = disk.findLast(({ snapshot }) => snapshot !== undefined)?.snapshot?.sizeBytes;
      const about = [...size === undefined ? [] : [formatSize(size)], plural(disk.length, "snapshot")];
      console.out(`${console.paint("bold", name, "out")}  ${about.join(", ")}`);
      console.out(console.paint("dim", head!, "out"));
      for (const line of lines.slice(at, at + disk.length)) console.out(line);
      console.out();
      at += disk.length;
    }
    const { snapshots, damaged, storedBytes } = totals(listed);
    console.out(
      `${plural(disks.length, "disk")}, ${plural(snapshots, "snapshot")}, ${
        formatSize(storedBytes)
      } stored by them` +
        (damaged === 0 ? "" : `; ${damaged} damaged`),
    );
    for (const { damage } of listed) if (damage !== undefined) console.warn(damage.message);
  }

  /** VMs by name, each with its moments, oldest first. */
  private vms(vms: readonly ListedVm[]): void {
    const { console } = this;
    const byName = Map.groupBy(vms, ({ name, vm }) => vm?.source.name ?? name.source);
    for (const [name, moments] of [...byName].sort(([a], [b]) => a < b ? -1 : 1)) {
      console.out();
      console.out(`${console.paint("bold", name, "out")}  VM, ${plural(moments.length, "snapshot")}`);
      const times = timeTexts(
        moments.flatMap(({ vm }) => vm === undefined ? [] : [{ id: vm.id, timeMs: Date.parse(vm.created) }]),
      );
      for (const { name: { id }, vm, damage } of moments) {
        const disks = vm?.disks.map(({ label }) => label).join(", ");
        const configs = vm?.configs.map((each) => each.name) ?? [];
        const what = vm === undefined ? "damaged" : `${times.get(id)}  ${[disks, ...configs].join(", ")}`;
        console.out(`  ${id}  ${what}${vm !== undefined && damage !== undefined ? "  not whole" : ""}`);
      }
    }
    for (const { damage } of vms) {
      if (damage !== undefined) console.warn([damage.message, damage.hint ?? []].flat().join("; "));
    }
  }
}

function totals(listed: readonly ListedSnapshot[]) {
  return {
    disks: new Set(listed.map(({ name }) => name.source)).size,
    snapshots: listed.length,
    damaged: listed.filter(({ damage }) => damage !== undefined).length,
    storedBytes: listed.reduce((sum, { snapshot }) => sum + (snapshot?.stats.storedBytes ?? 0), 0),
  };
}

/** The name as users say it stands in manifests only; where none can be read, the key must do. */
function nameOf(disk: readonly ListedSnapshot[]): string {
  return disk.findLast(({ snapshot }) => snapshot !== undefined)?.snapshot?.source.name ??
    disk[0]!.name.source;
}

function rowOf(
  listed: ListedSnapshot,
  created: string,
  { holds, moments }: Pick<SnapshotList, "holds" | "moments">,
): string[] {
  const { name: { id }, snapshot, isDoubtful } = listed;
  const hold = holds.get(id);
  const signs = [
    ...snapshot?.tags ?? [],
    ...hold === undefined ? [] : [hold.reason === undefined ? "held" : `held (${hold.reason})`],
    ...isDoubtful ? ["doubtful"] : [],
    ...snapshot?.consistency === undefined ? [] : [snapshot.consistency],
    ...snapshot?.damaged === undefined ? [] : ["incomplete"],
    ...snapshot?.vm === undefined || moments.has(id) ? [] : [`in no moment of VM ${snapshot.vm}`],
    ...isInFuture(madeMs(listed), Date.now()) ? ["time in the future"] : [],
    ...snapshot === undefined ? ["damaged"] : [],
  ];
  if (snapshot === undefined) return [`  ${id}`, created, "", "", "", "", "", "", signs.join(" ")];
  const { stats, chunkBytes, sizeBytes, change } = snapshot;
  return [
    `  ${id}`,
    created,
    formatSize(Math.min(stats.chunks * chunkBytes, sizeBytes)),
    formatSize(stats.readBytes),
    formatSize(stats.storedBytes),
    String(stats.chunks),
    String(stats.newChunks),
    change.method,
    signs.join(" "),
  ];
}
