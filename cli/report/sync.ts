/** What `sync` says: what it would write, what it wrote. */
import { formatCid, formatCount, formatSize, quotePath, type Stretch } from "../../core-as/host/mod.ts";
import { isNowhere, KEPT_NOTHING } from "../places/null.ts";
import type { SyncResult } from "../sync/run.ts";
import type { Reread } from "../sync/sync_disks.ts";
import { passedBytes, type SyncCounts } from "../sync/write.ts";
import { fallbacksOf } from "../target/fallbacks.ts";
import { isNewTarget, type PreparedTarget } from "../target/prepare.ts";
import { type Console, formatDuration } from "../ui/mod.ts";

/** One stretch that would be written. */
type Change = Stretch & { readonly isZero: boolean };

/** As they were typed. */
interface Names {
  readonly source: string;
  readonly target: string;
}

/** What became of a run. */
export interface SyncEnd {
  readonly target: PreparedTarget;
  readonly result: SyncResult;
  readonly undo: string | undefined;
  readonly verified: (Reread & { readonly elapsedMs: number }) | undefined;
  /** Without reading back. */
  readonly elapsedMs: number;
}

export abstract class SyncReport {
  constructor(protected readonly console: Console, protected readonly names: Names) {}

  done(end: SyncEnd): void {
    for (const fallback of fallbacksOf(end.target.target)) {
      this.console.warn(`${this.names.target}: ${fallback}`);
    }
    for (const warning of end.result.undoWarnings) this.console.warn(`${end.undo}: ${warning}`);
    this.sums(end);
  }

  abstract change(change: Change): void;
  abstract dryRun(counts: Readonly<SyncCounts>, target: PreparedTarget | undefined): void;
  /** The last line, which adds up. */
  protected abstract sums(end: SyncEnd): void;
}

export function syncReport(console: Console, names: Names): SyncReport {
  return console.json ? new JsonSyncReport(console, names) : new TextSyncReport(console, names);
}

class JsonSyncReport extends SyncReport {
  change({ offsetBytes, lengthBytes, isZero }: Change): void {
    const kind = isZero ? "zero" : "data";
    this.console.outJson({ type: "operation", kind, start: offsetBytes, length: lengthBytes });
  }

  dryRun(counts: Readonly<SyncCounts>, target: PreparedTarget | undefined): void {
    const diskBytes = passedBytes(counts);
    const isNew = isNewTarget(target);
    this.console.outJson({ type: "summary", status: "dry-run", ...this.names, ...counts, diskBytes, isNew });
  }

  sums({ target, result: { counts, resumedBytes, cid }, undo, verified, elapsedMs }: SyncEnd): void {
    this.console.outJson({
      type: "summary",
      status: "done",
      ...this.names,
      ...isNowhere(this.names.target) ? { kept: false } : {},
      ...counts,
      resumedBytes,
      diskBytes: passedBytes(counts) + resumedBytes,
      isNew: isNewTarget(target),
      cid: cid === undefined ? null : formatCid(cid),
      undo: undo ?? null,
      elapsedMs: Math.round(elapsedMs),
      verified: verified === undefined ? null : {
        fromMedium: verified.obstacles.length === 0,
        obstacles: verified.obstacles,
        elapsedMs: Math.round(verified.elapsedMs),
      },
    });
  }
}

class TextSyncReport extends SyncReport {
  change({ offsetBytes, lengthBytes, isZero }: Change): void {
    if (!this.console.verbose) return;
    const kind = isZero ? "zero" : "data";
    this.console.out(`${kind} ${formatCount(lengthBytes)} bytes at ${formatCount(offsetBytes)}`);
  }

  dryRun(counts: Readonly<SyncCounts>, target: PreparedTarget | undefined): void {
    const made = isNewTarget(target) && !isNowhere(this.names.target) ? "would be made: " : "";
    this.console.tell(`${this.names.target}: ${made}${sumOf(counts, "to write", "to zero")}`);
    this.console.tell("dry run: nothing was written");
  }

  sums({ target: { base }, result, undo, verified, elapsedMs }: SyncEnd): void {
    const { console, names: { target } } = this;
    const { counts, resumedBytes, cid } = result;
    if (base !== undefined) {
      console.tell(
        cid === undefined
          ? `${base.path}: it has no CID and gets none`
          : `${base.path}: CID is ${formatCid(cid)} now`,
      );
    }
    if (undo !== undefined) {
      console.tell(
        `${undo}: regrain apply ${quotePath(undo)} ${
          quotePath(target)
        } takes back what this run overwrote, while ` +
          "nothing else writes to it",
      );
    }
    const resumed = resumedBytes > 0 ? `${formatCount(resumedBytes)} done before + ` : "";
    const rate = formatSize(Math.round(passedBytes(counts) * 1000 / Math.max(1, elapsedMs)));
    const sums = sumOf(counts, "written", "zeroed");
    console.tell(`${target}: ${resumed}${sums}; ${formatDuration(elapsedMs)}, ${rate}/s`);
    if (isNowhere(target)) console.tell(KEPT_NOTHING);
    if (verified === undefined) return;
    for (const obstacle of verified.obstacles) {
      console.warn(`${target}: read back, perhaps from memory: ${obstacle}`);
    }
    console.tell(`${target}: read back, and as the source is; ${formatDuration(verified.elapsedMs)}`);
  }
}

/** `8,192 bytes written + 0 zeroed + 4,096 equal + 0 in holes of both = 12,288`. */
function sumOf(counts: Readonly<SyncCounts>, written: string, zeroed: string): string {
  const { writtenBytes, zeroedBytes, equalBytes, skippedBytes } = counts;
  return `${formatCount(writtenBytes)} bytes ${written} + ${formatCount(zeroedBytes)} ${zeroed} + ` +
    `${formatCount(equalBytes)} equal + ${formatCount(skippedBytes)} in holes of both = ` +
    formatCount(passedBytes(counts));
}
