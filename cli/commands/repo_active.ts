/** `regrain repo active`: which backups are running, and which are dead. */
import { quoteWord } from "../../core-as/host/mod.ts";
import { type RunningBackup, runningBackups } from "../backup/signs/active.ts";
import { spanWords } from "../backup/snapshots/times.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";
import { openRepository, type RepoFlags, repositoryWords } from "../session/open_repository.ts";

export async function runRepoActive(flags: CommonFlags & RepoFlags): Promise<number> {
  const console = new Console(flags);
  const repository = await openRepository(flags);
  try {
    const backups = await runningBackups(repository);
    for (const backup of backups) {
      if (console.json) console.outJson({ type: "backup", ...backupJson(backup) });
      else console.out(backupLine(backup));
    }
    if (console.json) console.outJson({ type: "summary", backups: backups.length });
    else if (backups.length === 0) console.tell(`${repository.store.label}: no backup is running`);
    else tellDead(backups, { console, flags });
  } finally {
    repository.close();
    console.flush();
  }
  return 0;
}

function tellDead(
  backups: readonly RunningBackup[],
  { console, flags }: { console: Console; flags: RepoFlags },
): void {
  if (backups.every(({ state }) => state === "running" || state === "stored")) return;
  const words = repositoryWords(flags).map(quoteWord).join(" ");
  console.tell(
    "regrain gc waits for those that are silent. This takes them for dead, and one that lives starts again then: " +
      `regrain gc --expire-after 30m${words === "" ? "" : ` ${words}`}`,
  );
}

/** `running  web01/disk-0 on host-a since 2026-11-28 03:00:11 UTC, last sign 4 minutes ago: 01KB…`. */
export function backupLine({ id, disk, key, host, sinceMs, silentMs, state }: RunningBackup): string {
  const since = new Date(sinceMs).toISOString().slice(0, 19).replace("T", " ");
  const what = state === "stored" ? "its snapshot is there" : `last sign ${spanWords(silentMs)} ago`;
  const which = disk ??
    (key === undefined ? "a disk that is not known" : `a disk without a snapshot (${key})`);
  return `${state.padEnd(7)}  ${which} on ${host ?? "a host that is not known"} ` +
    `since ${since} UTC, ${what}: ${id}`;
}

/** The same for programs. */
export function backupJson({ id, disk, key, host, tool, sinceMs, silentMs, state }: RunningBackup) {
  return {
    id,
    disk: disk ?? null,
    key: key ?? null,
    host: host ?? null,
    tool: tool ?? null,
    since: new Date(sinceMs).toISOString(),
    silentMs,
    state,
  };
}
