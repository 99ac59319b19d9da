/** What `backup` says: its plan, each disk with what was read and stored, and the end of a run over several. */
import { formatSize, plural, type RegrainError } from "../../core-as/host/mod.ts";
import type { VmSnapshot } from "../../core-as/host/repo/mod.ts";
import type { AuditReport } from "../backup/make/audit.ts";
import type { BackupResult } from "../backup/make/backup.ts";
import type { PlannedBackup } from "../backup/make/plan.ts";
import { type Console, formatDuration } from "../ui/mod.ts";
import { damageOfSource, warnDamaged } from "./damaged.ts";

/** What the run calls a disk, and where it is read from. */
export interface NamedDisk {
  readonly name: string;
  readonly source: string;
}

/** What became of all disks of a list. */
export interface ListEnd {
  readonly done: number;
  readonly failed: readonly { readonly disk: NamedDisk; readonly error: RegrainError }[];
  /** Those whose source was not quiet: their snapshots are there, and marked. */
  readonly disturbed: readonly string[];
  /** Those of whose source not everything could be read. */
  readonly damaged: readonly string[];
  readonly readBytes: number;
  readonly storedBytes: number;
  readonly elapsedMs: number;
}

export interface BackupReport {
  plan(planned: PlannedBackup): void;
  audit(found: AuditReport): void;
  /** The one disk of the run. */
  done(result: BackupResult): void;
  /** One disk of several. */
  disk(source: string, result: BackupResult): void;
  failed(disk: NamedDisk, error: RegrainError): void;
  list(end: ListEnd): void;
  vm(vm: VmSnapshot): void;
}

export function backupReport(console: Console): BackupReport {
  return console.json ? new JsonBackupReport(console) : new TextBackupReport(console);
}

class JsonBackupReport implements BackupReport {
  constructor(private readonly console: Console) {}

  plan(planned: PlannedBackup): void {
    const { name, parent, plan: { method, reason, sizeBytes } } = planned;
    this.console.outJson({
      type: "plan",
      name,
      method,
      reason: reason ?? null,
      sizeBytes: sizeBytes ?? null,
      lookBytes: lookBytesOf(planned) ?? null,
      parent: parent?.id ?? null,
    });
    this.console.flush();
  }

  audit(found: AuditReport): void {
    this.console.outJson({ type: "audit", ...found, differs: found.differs ?? null });
  }

  done(result: BackupResult): void {
    this.console.outJson({ type: "summary", status: "done", ...resultJson(result) });
  }

  disk(source: string, result: BackupResult): void {
    this.console.outJson({ type: "disk", status: "done", source, ...resultJson(result) });
  }

  failed(disk: NamedDisk, error: RegrainError): void {
    const { code, exit, message, path, offsetBytes, hint } = error;
    this.console.outJson({
      type: "disk",
      status: "failed",
      name: disk.name,
      source: disk.source,
      code,
      exit,
      message,
      path: path ?? null,
      offsetBytes: offsetBytes ?? null,
      hint: hint ?? null,
    });
    warnFailed(this.console, disk, error);
  }

  list({ done, failed, disturbed, damaged, readBytes, storedBytes, elapsedMs }: ListEnd): void {
    this.console.outJson({
      type: "summary",
      status: failed.length === 0 ? "done" : done > 0 ? "incomplete" : "failed",
      done,
      failed: failed.length,
      names: failed.map(({ disk }) => disk.name),
      disturbed,
      damaged,
      readBytes,
      storedBytes,
      elapsedMs: Math.round(elapsedMs),
    });
  }

  vm({ id, source: { name }, disks, configs }: VmSnapshot): void {
    this.console.outJson({
      type: "summary",
      status: "done",
      id,
      name,
      disks: disks.map(({ label, id, sizeBytes }) => ({ label, id, sizeBytes })),
      configs: configs.map((config) => config.name),
    });
  }
}

class TextBackupReport implements BackupReport {
  constructor(private readonly console: Console) {}

  plan(planned: PlannedBackup): void {
    const lookBytes = lookBytesOf(planned);
    const what = lookBytes === undefined ? "a stream" : formatSize(lookBytes);
    const { plan: { method }, parent } = planned;
    this.console.detail(
      `plan: ${method}, ${what} to look at; the snapshot before is ${parent?.id ?? "none"}`,
    );
  }

  audit({ checked }: AuditReport): void {
    this.console.detail(`audit: looked at ${plural(checked, "chunk")} of what is said to be unchanged`);
  }

  done({ snapshot }: BackupResult): void {
    const { console } = this;
    warnDamaged(
      damageOfSource(snapshot),
      console,
      "the snapshot is not the whole disk, and marked incomplete",
    );
    const { id, source, change, stats, parent } = snapshot;
    if (change.reason !== undefined) {
      const what = change.method === "changed-areas"
        ? "more than the list was read"
        : "the whole disk was read";
      console.warn(`${what}: ${change.reason}`);
    }
    console.out(`${source.name}@${id}`);
    console.tell(
      `${formatSize(stats.readBytes)} read, ${plural(stats.newChunks, "new chunk")} of ${stats.chunks}, ` +
        `${formatSize(stats.storedBytes)} stored in ${formatDuration(stats.elapsedMs)}` +
        (parent === undefined ? "" : `; the snapshot before is ${parent}`),
    );
    if (snapshot.retainUntil !== undefined) {
      console.tell(`nobody can remove it before ${snapshot.retainUntil.slice(0, 10)}`);
    }
  }

  disk(_source: string, result: BackupResult): void {
    this.done(result);
  }

  failed(disk: NamedDisk, error: RegrainError): void {
    warnFailed(this.console, disk, error);
  }

  list({ done, failed, disturbed, damaged, readBytes, storedBytes, elapsedMs }: ListEnd): void {
    const names = failed.map(({ disk }) => disk.name);
    this.console.out(
      `${plural(done, "disk")} backed up, ${formatSize(readBytes)} read, ${
        formatSize(storedBytes)
      } stored in ${formatDuration(elapsedMs)}` +
        (names.length === 0 ? "" : `; ${names.length} failed: ${names.join(", ")}`) +
        (disturbed.length === 0 ? "" : `; not quiet while they were read: ${disturbed.join(", ")}`) +
        (damaged.length === 0 ? "" : `; not wholly readable: ${damaged.join(", ")}`),
    );
  }

  vm({ id, source: { name }, disks }: VmSnapshot): void {
    this.console.out(`${name}@${id}`);
    this.console.tell(
      `${plural(disks.length, "disk")} as one moment; regrain restore ${name}@${id} DIR/ restores all`,
    );
  }
}

/** Bytes of the disk that are looked at; `undefined` for a stream that does not say its length. */
function lookBytesOf({ plan: { touched, sizeBytes }, chunkBytes }: PlannedBackup): number | undefined {
  return touched === "all" ? sizeBytes : Math.min(touched.size * chunkBytes, sizeBytes ?? Infinity);
}

function resultJson({ snapshot, restarts }: BackupResult) {
  const { id, source, sizeBytes, parent, root, change, stats } = snapshot;
  return {
    id,
    name: source.name,
    sizeBytes,
    parent: parent ?? null,
    root,
    change,
    changeId: snapshot.changeId ?? null,
    consistency: snapshot.consistency ?? null,
    damaged: snapshot.damaged ?? [],
    retainUntil: snapshot.retainUntil ?? null,
    stats,
    restarts,
  };
}

function warnFailed(console: Console, { name }: NamedDisk, { code, message, hint }: RegrainError): void {
  console.warn(
    `${name} is not backed up (${code}): ${message}${hint === undefined ? "" : `; hint: ${hint}`}`,
  );
}
