/** What `gc` says: whom it waits for, and what it removed. */
import { formatSize, plural } from "../../core-as/host/mod.ts";
import type { GcResult } from "../backup/collect/gc.ts";
import type { RunningBackup } from "../backup/signs/active.ts";
import { spanWords } from "../backup/snapshots/times.ts";
import type { Console } from "../ui/mod.ts";
import { backupJson, backupLine } from "./active_backups.ts";

export interface GcReport {
  /** Names those that are waited for: a backup that was killed is waited for until its lease runs out. */
  waiting(backups: readonly RunningBackup[], waitMs: number): void;
  done(result: GcResult, how: { dryRun: boolean }): void;
}

export function gcReport(console: Console): GcReport {
  return console.json ? new JsonGcReport(console) : new TextGcReport(console);
}

class JsonGcReport implements GcReport {
  constructor(private readonly console: Console) {}

  waiting(backups: readonly RunningBackup[]): void {
    for (const backup of unfinished(backups)) {
      this.console.outJson({ type: "waiting", ...backupJson(backup) });
    }
    this.console.flush();
  }

  done(result: GcResult): void {
    this.console.outJson({ type: "summary", ...result });
  }
}

class TextGcReport implements GcReport {
  constructor(private readonly console: Console) {}

  waiting(backups: readonly RunningBackup[], waitMs: number): void {
    const waited = unfinished(backups);
    if (waited.length === 0) return;
    this.console.tell(`waiting for at most ${spanWords(waitMs)} for what had begun:`);
    for (const backup of waited) {
      if (backup.state === "running") this.console.tell(`  ${backupLine(backup)}`);
      else this.console.warn(backupLine(backup));
    }
  }

  done(
    { waitedFor, removedObjects, removedBytes, keptObjects, snapshots }: GcResult,
    how: { dryRun: boolean },
  ) {
    if (waitedFor.length > 0) {
      return this.console.warn(
        `nothing was removed: ${plural(waitedFor.length, "backup")} did not end in time: ` +
          `${
            waitedFor.join(", ")
          }; run it again, or with --expire-after 30m, which takes those for dead that ` +
          "gave no sign for half an hour (one that lives starts again then)",
      );
    }
    this.console.out(
      `${plural(removedObjects, "object")} ${how.dryRun ? "would be removed" : "removed"}, ` +
        `${formatSize(removedBytes)}; ${keptObjects} kept for ${plural(snapshots, "snapshot")}`,
    );
  }
}

function unfinished(backups: readonly RunningBackup[]): RunningBackup[] {
  return backups.filter(({ state }) => state !== "stored");
}
