/** `regrain snapshots`: what backups there are. */
import { readHolds } from "../backup/keep/holds.ts";
import type { Repository } from "../backup/repository.ts";
import { filterSnapshots, parseFilter } from "../backup/snapshots/filter.ts";
import { readOutlines } from "../backup/snapshots/snapshot_index.ts";
import { noBackupOf } from "../backup/snapshots/snapshots.ts";
import { type ListedVm, readVms } from "../backup/snapshots/vms.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";
import { type ListedSnapshot, snapshotsReport } from "../report/snapshots.ts";
import { indexFileOf } from "../session/index_file.ts";
import { rememberNewest, warnOfUnlisted } from "../session/newest_seen.ts";
import { onRepository } from "../session/on_repository.ts";
import type { RepoFlags } from "../session/open_repository.ts";
import type { CommonFlags, Console } from "../ui/mod.ts";

export interface SnapshotsFlags extends CommonFlags, RepoFlags {
  readonly host?: string | undefined;
  readonly tag?: readonly string[] | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  /** False: every manifest is read. */
  readonly cache?: boolean | undefined;
}

/** @param disk `VM/DISK`, or `VM` for all of its disks; absent: of every disk. */
export async function runSnapshots(disk: string | undefined, flags: SnapshotsFlags): Promise<number> {
  const filter = parseFilter({ disk, ...flags });
  return await onRepository(flags, async ({ repository, console }) => {
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
    const hasParts = listed.some(({ snapshot }) => snapshot?.vm !== undefined);
    const allVms = isFiltered(flags) && !hasParts ? [] : await readVms(repository);
    const vms = isFiltered(flags) ? [] : allVms.filter((each) => isOfVm(each, disk));
    const moments = new Set(allVms.flatMap(({ vm }) => vm?.disks.map(({ id }) => id) ?? []));
    snapshotsReport(console).list({ label: repository.store.label, listed, all, vms, holds, moments });
    return [...listed, ...vms].some(({ damage }) => damage !== undefined) ? EXIT_DAMAGE : 0;
  });
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

/** The part of the keys that stands for a disk; `undefined` where no disk has that very name. */
async function sourceOf(repository: Repository, disk: string): Promise<string | undefined> {
  const source = await repository.sourceKey(disk);
  return (await repository.listSnapshots(source)).length === 0 ? undefined : source;
}
