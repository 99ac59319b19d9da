/** `regrain repo stats`: what a repository holds, and what would be free without one snapshot. */
import { formatSize, plural } from "../../core-as/host/mod.ts";
import { choose } from "../backup/snapshots/choose.ts";
import { type DiskStats, measure, type RepositoryStats } from "../backup/keep/stats.ts";
import { timeTexts } from "../backup/snapshots/times.ts";
import { type CommonFlags, Console, layoutTable } from "../ui/mod.ts";
import { openRepository, type RepoFlags } from "../session/open_repository.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";

export async function runRepoStats(flags: CommonFlags & RepoFlags): Promise<number> {
  const console = new Console(flags);
  const repository = await openRepository(flags);
  try {
    const { snapshots, damaged } = await choose(repository, [], (sentence) => console.warn(sentence));
    for (const { damage } of damaged) console.warn(`is not counted: ${damage!.message}`);
    const stats = await measure(repository, snapshots);
    if (console.json) printJson(stats, console);
    else print(stats, console);
    return damaged.length === 0 ? 0 : EXIT_DAMAGE;
  } finally {
    repository.close();
    console.flush();
  }
}

function printJson({ disks, referencedBytes, needed, objects }: RepositoryStats, console: Console): void {
  for (const disk of disks) {
    const snapshots = disk.snapshots.map(({ snapshot, alone }) => ({
      id: snapshot.id,
      sizeBytes: snapshot.sizeBytes,
      alone,
    }));
    console.outJson({ type: "disk", ...disk, snapshots });
  }
  console.outJson({ type: "summary", disks: disks.length, referencedBytes, needed, objects });
}

function print(stats: RepositoryStats, console: Console): void {
  const { disks, referencedBytes, needed, objects } = stats;
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
    for (const line of layoutTable([head, ...rows, total], aligns)) console.out(line);
    console.out();
    for (const disk of disks) printSnapshots(disk, console);
  }
  const over = Math.max(0, objects.bytes - needed.storedBytes);
  console.out(
    `${plural(objects.count, "object")}, ${formatSize(objects.bytes)}; ${
      formatSize(over)
    } of it are manifests, ` +
      "maps, and what regrain gc removes",
  );
}

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

function printSnapshots({ name, snapshots }: DiskStats, console: Console): void {
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

function factor(of: number, by: number): string {
  return by === 0 ? "" : `${(of / by).toFixed(2)}x`;
}
