/** What is said of backups that have begun and not ended: by `repo active`, and by `gc`, which waits for them. */
import { quoteWord } from "../../core-as/host/mod.ts";
import type { RunningBackup } from "../backup/signs/active.ts";
import { spanWords } from "../backup/snapshots/times.ts";
import type { Console } from "../ui/mod.ts";

/** The repository that is looked at. */
export interface LookedAt {
  readonly label: string;
  /** The flags that name it, as they are typed. */
  readonly words: readonly string[];
}

export interface ActiveReport {
  list(backups: readonly RunningBackup[], repository: LookedAt): void;
}

export function activeReport(console: Console): ActiveReport {
  return console.json ? new JsonActiveReport(console) : new TextActiveReport(console);
}

class JsonActiveReport implements ActiveReport {
  constructor(private readonly console: Console) {}

  list(backups: readonly RunningBackup[]): void {
    for (const backup of backups) this.console.outJson({ type: "backup", ...backupJson(backup) });
    this.console.outJson({ type: "summary", backups: backups.length });
  }
}

class TextActiveReport implements ActiveReport {
  constructor(private readonly console: Console) {}

  list(backups: readonly RunningBackup[], { label, words }: LookedAt): void {
    for (const backup of backups) this.console.out(backupLine(backup));
    if (backups.length === 0) return this.console.tell(`${label}: no backup is running`);
    if (backups.every(({ state }) => state === "running" || state === "stored")) return;
    this.console.tell(
      "regrain gc waits for those that are silent. This takes them for dead, and one that lives starts again then: " +
        ["regrain gc --expire-after 30m", ...words.map(quoteWord)].join(" "),
    );
  }
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
