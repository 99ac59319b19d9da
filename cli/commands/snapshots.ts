/** `regrain snapshots`: what backups there are. */
import { noBackupOf } from "../backup/snapshots/snapshots.ts";
import { formatSize, plural } from "../../core-as/host/mod.ts";
import type { SnapshotOutline } from "../../core-as/host/repo/mod.ts";
import { filterSnapshots, parseFilter } from "../backup/snapshots/filter.ts";
import { type Hold, readHolds } from "../backup/keep/holds.ts";
import type { Repository } from "../backup/repository.ts";
import { readOutlines } from "../backup/snapshots/snapshot_index.ts";
import type { Listed } from "../backup/snapshots/snapshots.ts";
import { isInFuture, madeMs, timeTexts } from "../backup/snapshots/times.ts";
import { type ListedVm, readVms } from "../backup/snapshots/vms.ts";
import { type CommonFlags, Console, layoutTable } from "../ui/mod.ts";
import { indexFileOf } from "../session/index_file.ts";
import { rememberNewest, warnOfUnlisted } from "../session/newest_seen.ts";
import { openRepository, type RepoFlags } from "../session/open_repository.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";

export interface SnapshotsFlags extends CommonFlags, RepoFlags {
  readonly host?: string | undefined;
  readonly tag?: readonly string[] | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  /** False: every manifest is read. */
  readonly cache?: boolean | undefined;
}

type ListedSnapshot = Listed<SnapshotOutline>;

/** @param disk `VM/DISK`, or `VM` for all of its disks; absent: of every disk. */
export async function runSnapshots(disk: string | undefined, flags: SnapshotsFlags): Promise<number> {
  const console = new Console(flags);
  const filter = parseFilter({ disk, ...flags });
  const repository = await openRepository(flags);
  try {
    const holds = await readHolds(repository);
    const source = disk === undefined ? undefined : await sourceOf(repository, disk);
    const all = await readOutlines(repository, source, {
      file: flags.cache === false ? undefined : indexFileOf(repository),
      onNotice: (sentence) => console.warn(sentence),
    });
    await watchNewest(repository, { disk, all, console });
    if (disk !== undefined && filterSnapshots(all, { disk }).length === 0) {
      throw await noBackupOf(repository, disk);
    }
    const listed = filterSnapshots(all, filter);
    const vms = isFiltered(flags) ? [] : (await readVms(repository)).filter((each) => isOfVm(each, disk));
    if (console.json) { for (const each of vms) console.outJson(vmJson(each)); }
    if (console.json) printJson(listed, { holds, console });
    else if (listed.length === 0) {
      const what = all.length === 0 ? "no snapshots" : `no snapshot of ${all.length} is meant by these flags`;
      console.tell(`${repository.store.label}: ${what}`);
    } else printTable(listed, { all, holds, console });
    if (!console.json) printVms(vms, console);
    return [...listed, ...vms].some(({ damage }) => damage !== undefined) ? EXIT_DAMAGE : 0;
  } finally {
    repository.close();
    console.flush();
  }
}

/** Warns where the newest that this host remembers is not listed, and remembers what is newer. */
async function watchNewest(
  repository: Repository,
  { disk, all, console }: { disk: string | undefined; all: readonly ListedSnapshot[]; console: Console },
): Promise<void> {
  const snapshots = all.flatMap(({ snapshot }) => snapshot ?? []);
  const names = new Map(snapshots.map(({ source }) => [source.key, source.name]));
  const disks = disk === undefined
    ? undefined
    : new Map([[await repository.sourceKey(disk), disk], ...names]);
  const listed = all.map(({ name }) => name);
  await warnOfUnlisted(repository, { console, disks, names, listed });
  await rememberNewest(repository, snapshots, console);
}

/** Hosts and tags are those of disks. */
function isFiltered({ host, tag, from, until }: SnapshotsFlags): boolean {
  return [host, tag, from, until].some((each) => each !== undefined);
}

function isOfVm({ name, vm }: ListedVm, asked: string | undefined): boolean {
  return asked === undefined || asked === (vm?.source.name ?? name.source);
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

/** VMs by name, each with its moments, oldest first. */
function printVms(vms: readonly ListedVm[], console: Console): void {
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

/** The part of the keys that stands for a disk; `undefined` where no disk has that very name. */
async function sourceOf(repository: Repository, disk: string): Promise<string | undefined> {
  const source = await repository.sourceKey(disk);
  return (await repository.listSnapshots(source)).length === 0 ? undefined : source;
}

type Shown = { readonly holds: ReadonlyMap<string, Hold>; readonly console: Console };

function printJson(listed: readonly ListedSnapshot[], { holds, console }: Shown): void {
  for (const { name: { id, source }, snapshot, damage, isDoubtful } of listed) {
    const hold = holds.get(id);
    const held = hold === undefined ? null : { reason: hold.reason, since: hold.since };
    if (snapshot === undefined) {
      console.outJson({ type: "damaged", id, source, held, reason: damage!.message, code: damage!.code });
    } else {
      const { pageCount, ...rest } = snapshot;
      console.outJson({ type: "snapshot", ...rest, pages: pageCount, isDoubtful, held });
    }
  }
  const { snapshots, disks, damaged, storedBytes } = totals(listed);
  console.outJson({ type: "summary", disks, snapshots, damaged, storedBytes });
}

function totals(listed: readonly ListedSnapshot[]) {
  return {
    disks: new Set(listed.map(({ name }) => name.source)).size,
    snapshots: listed.length,
    damaged: listed.filter(({ damage }) => damage !== undefined).length,
    storedBytes: listed.reduce((sum, { snapshot }) => sum + (snapshot?.stats.storedBytes ?? 0), 0),
  };
}

const HEAD = ["  id", "created (UTC)", "data", "read", "stored", "chunks", "new", "how", ""];
const ALIGNS = ["left", "left", "right", "right", "right", "right", "right", "left", "left"] as const;

/** Disks by name, each with its snapshots, oldest first; columns line up over all of them. */
function printTable(
  listed: readonly ListedSnapshot[],
  { all, holds, console }: Shown & { all: readonly ListedSnapshot[] },
): void {
  // Also of those that are not shown: a time that is printed means one snapshot among all of a disk.
  const wholeDisks = Map.groupBy(all, ({ name }) => name.source);
  const disks = [...Map.groupBy(listed, ({ name }) => name.source).values()]
    .map((disk) => ({ disk, name: nameOf(disk) }))
    .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const rows = disks.flatMap(({ disk }) => {
    const whole = wholeDisks.get(disk[0]!.name.source)!;
    const times = timeTexts(whole.map((each) => ({ id: each.name.id, timeMs: madeMs(each) })));
    return disk.map((each) => rowOf(each, times.get(each.name.id)!, holds));
  });
  const [head, ...lines] = layoutTable([HEAD, ...rows], ALIGNS);
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

/** The name as users say it stands in manifests only; where none can be read, the key must do. */
function nameOf(disk: readonly ListedSnapshot[]): string {
  return disk.findLast(({ snapshot }) => snapshot !== undefined)?.snapshot?.source.name ??
    disk[0]!.name.source;
}

function rowOf(listed: ListedSnapshot, created: string, holds: Shown["holds"]): string[] {
  const { name: { id }, snapshot, isDoubtful } = listed;
  const hold = holds.get(id);
  const signs = [
    ...snapshot?.tags ?? [],
    ...hold === undefined ? [] : [hold.reason === undefined ? "held" : `held (${hold.reason})`],
    ...isDoubtful ? ["doubtful"] : [],
    ...snapshot?.consistency === undefined ? [] : [snapshot.consistency],
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
