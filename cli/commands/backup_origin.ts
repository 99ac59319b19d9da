/** What `regrain backup` reads: a disk, the places of it that changed, a delta, a stream. */
import { type Core, type Link, MIB, plural, quotePath, RegrainError } from "../../core-as/host/mod.ts";
import { isChangeId, type Snapshot } from "../../core-as/host/repo/mod.ts";
import { type AuditReport, auditUnchanged } from "../backup/make/audit.ts";
import { parseChangedAreas } from "../backup/make/changed_areas.ts";
import { decodeList } from "../backup/make/changed_documents.ts";
import type { Lanes } from "../backup/lanes.ts";
import { type Lineage, lineageOf } from "../backup/make/lineage.ts";
import { cidText, type DiskOrigin, planChanged, planFull } from "../backup/make/origins.ts";
import type { BackupPlan } from "../backup/make/plan.ts";
import type { Repository } from "../backup/repository.ts";
import { PIPE } from "../places/pipe.ts";
import type { Need } from "../places/place.ts";
import { findPlace } from "../places/registry.ts";
import { OpenedSnapshot } from "../places/snapshot.ts";
import { checkStream, isStream, openStream, type StreamFlags } from "./backup_stream.ts";
import { DeltaOverSnapshot } from "./delta_over_snapshot.ts";
import { warnNewer } from "../ui/describe.ts";
import { readGivenFile } from "../session/given_file.ts";
import type { Session } from "../session/session.ts";
import { QuietSource } from "../session/source_quiet.ts";
import { openWholeDisk } from "../session/whole_disk.ts";

const SOURCE: Need = { command: "backup", argument: "SOURCE", anyOf: ["read", "receive"] };
const DELTA: Need = { command: "backup --delta", argument: "DELTA", anyOf: ["delta"] };

/** What vSphere says of the largest disk, every block changed, is far below. */
const CHANGED_LIST = { mostBytes: 1024 * MIB, what: "a list of changed areas" };

export interface OriginFlags extends StreamFlags {
  readonly delta?: string | undefined;
  readonly changed?: string | undefined;
  readonly audit?: string | undefined;
  /** The disk is in use, and that is known. */
  readonly live?: boolean | undefined;
  /** What the changes are since: a snapshot, or a change id. */
  readonly since?: string | undefined;
  /** Kept with the snapshot. */
  readonly changeId?: string | undefined;
}

/** Where the content comes from: opened, and to be closed. */
export interface Origin extends Disposable {
  plan(parent: Snapshot | undefined, means: PlanMeans): Promise<BackupPlan>;
  readonly sizeBytes: number | undefined;
  /** Whether the files stay as they are while they are read. Absent where nobody can tell. */
  readonly quiet?: QuietSource;
}

/** What a plan is made with. */
export interface PlanMeans {
  readonly lanes: Lanes;
  /** Ids of the backup itself. */
  readonly own: ReadonlySet<string>;
}

interface OriginMeans {
  readonly flags: OriginFlags;
  readonly session: Session;
  readonly repository: Repository;
}

/** Refuses flags that do not go together. */
export function checkOrigin(source: string | undefined, flags: OriginFlags): void {
  const { delta, changed, audit } = flags;
  if (source !== undefined) findPlace(source, SOURCE);
  if (delta !== undefined) findPlace(delta, DELTA);
  checkStream(source, flags);
  if (delta !== undefined && source !== undefined && audit === undefined) {
    throw new RegrainError("USAGE", "with --delta there is no SOURCE: the snapshot before is the base", {
      hint: `regrain backup --delta ${quotePath(delta)} --repo R --name ${flags.name}`,
    });
  }
  if (delta === undefined && source === undefined && flags.fromCommand === undefined) {
    throw new RegrainError("USAGE", "nothing is named to back up", {
      hint: "an image, a device, -, --from-command or --delta",
    });
  }
  if (changed !== undefined && (source === undefined || source === PIPE || delta !== undefined)) {
    throw new RegrainError("USAGE", "--changed needs a SOURCE that the changed places are read from");
  }
  checkMoments(flags);
  if (audit === undefined) return;
  shareOf(audit);
  if (changed === undefined && delta === undefined) {
    throw new RegrainError(
      "USAGE",
      "--audit looks at what --changed or --delta leave out, and neither is given",
    );
  }
  if (source === undefined || source === PIPE) {
    throw new RegrainError("USAGE", "--audit needs a SOURCE to read from: the disk as it is now", {
      hint: `regrain backup vm-000001.vmdk --delta ${
        quotePath(delta ?? "DELTA")
      } --audit 1% --name ${flags.name}`,
    });
  }
}

/** Flags that name moments of the disk: the one that changes are since, and this one. */
function checkMoments({ delta, changed, since, changeId }: OriginFlags): void {
  if (since !== undefined && delta === undefined && changed === undefined) {
    throw new RegrainError(
      "USAGE",
      "--since says what --changed or --delta is against, and neither is given",
    );
  }
  // vSphere calls by * what a disk holds at all: then the whole disk is read.
  if (since !== undefined && since !== "*" && !isChangeId(since)) {
    throw new RegrainError("USAGE", `--since ${JSON.stringify(since)} is no moment of the disk`, {
      hint: "the id of a snapshot, or its first letters, or the change id that --change-id kept with it",
    });
  }
  if (changeId === undefined || isChangeId(changeId)) return;
  throw new RegrainError(
    "USAGE",
    `--change-id ${JSON.stringify(changeId)} is no id of a moment of the disk`,
    {
      hint: "what the platform calls it, such as vSphere's changeId: at most 256 letters, and not *",
    },
  );
}

/** @throws {RegrainError} `USAGE` when it is no share such as `1%` or `0.5%`. */
export function shareOf(text: string): number {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text) ?? [];
  const share = Number(digits ?? NaN) / 100;
  if (share > 0 && share <= 1) return share;
  throw new RegrainError("USAGE", `--audit ${text} is no share`, { hint: "such as 1%, 0.1% or 100%" });
}

export async function openOrigin(source: string | undefined, means: OriginMeans): Promise<Origin> {
  const { flags, session } = means;
  if (isStream(source, flags)) return openStream(means);
  const disk = source === undefined ? undefined : await openDisk(source, means);
  try {
    if (flags.delta === undefined) return openSource(disk!, means);
    const delta = await DeltaOverSnapshot.open(flags.delta, { session, force: flags.force ?? false });
    await warnNewer(session, delta.newest);
    return openDelta(delta, disk, means);
  } catch (error) {
    disk?.close();
    throw error;
  }
}

type OpenedDisk = DiskOrigin & { readonly core: Core; readonly links: readonly Link[]; close(): void };

async function openDisk(path: string, { session, repository, flags }: OriginMeans): Promise<OpenedDisk> {
  const { core } = session.context;
  session.places.take(path, SOURCE);
  const disk = await openWholeDisk(path, session, flags);
  const [newest] = disk.links;
  await warnNewer(session, newest!);
  const file = newest!.files[0];
  const cid = file instanceof OpenedSnapshot ? file.cid : cidText(newest!);
  const { chunkBytes } = repository.description;
  return { source: disk, chunkBytes, cid, core, links: disk.links, close: () => disk.close() };
}

function openSource(disk: OpenedDisk, means: OriginMeans): Origin {
  const { changed } = means.flags;
  const areas = changed === undefined
    ? undefined
    : parseChangedAreas(decodeList(readGivenFile(changed, CHANGED_LIST)), changed);
  return {
    async plan(parent, { lanes, own }) {
      if (areas === undefined) return planFull(disk);
      const lineage = parent && await lineageOf(means.repository, parent, { since: means.flags.since, own });
      const plan = lineage?.doubt === undefined
        ? planChanged(disk, parent, areas)
        : planFull(disk, listDoubt(lineage, parent!));
      if (plan.touched !== "all" && !lineage?.isTold) {
        means.session.console.warn(
          `that the list is of what changed since snapshot ${
            parent!.id
          } is taken on trust: --since says what it is ` +
            "against",
        );
      }
      return await auditedPlan(plan, { parent, disk, lanes, ...means });
    },
    sizeBytes: disk.source.sizeBytes,
    quiet: quietSource(() => disk.links, means),
    [Symbol.dispose]: () => disk.close(),
  };
}

function openDelta(delta: DeltaOverSnapshot, disk: OpenedDisk | undefined, means: OriginMeans): Origin {
  const { repository, flags: { name } } = means;
  return {
    async plan(parent, { lanes, own }) {
      const lineage = parent && await lineageOf(repository, parent, { since: means.flags.since, own });
      const plan = await delta.plan(parent, { repository, name, lanes, lineage });
      return disk === undefined ? plan : await auditedPlan(plan, { parent, disk, lanes, ...means });
    },
    sizeBytes: delta.sizeBytes,
    quiet: quietSource(() => [...delta.opened, ...disk?.links ?? []], means),
    [Symbol.dispose]() {
      delta[Symbol.dispose]();
      disk?.close();
    },
  };
}

function listDoubt({ doubt }: Lineage, parent: Snapshot): string {
  const { kind, reason } = doubt!;
  return `the listed changes may not be what changed since snapshot ${parent.id}: ${reason}` +
    (kind === "run-between" ? `; --since ${parent.id} says that they are since that one` : "");
}

function quietSource(links: () => readonly Link[], { flags, session }: OriginMeans): QuietSource {
  const { force = false, live = false } = flags;
  return new QuietSource(links, { force, live, warn: (sentence) => session.console.warn(sentence) });
}

/** The plan, or that of a full read when the sample finds that what it leaves out has changed. */
async function auditedPlan(
  plan: BackupPlan,
  about: OriginMeans & { parent: Snapshot | undefined; disk: OpenedDisk; lanes: Lanes },
): Promise<BackupPlan> {
  const { parent, disk, lanes, repository, flags: { audit }, session: { console } } = about;
  if (audit === undefined || plan.touched === "all" || parent === undefined) return plan;
  if (disk.source.sizeBytes !== parent.sizeBytes) {
    throw new RegrainError("SIZE_MISMATCH", "the disk to audit by is of another size than the snapshot", {
      path: disk.source.path,
    });
  }
  const report = await auditUnchanged(parent, plan.touched, {
    repository,
    lanes,
    disk: planFull(disk),
    share: shareOf(audit),
    random: Math.random,
  });
  if (console.json) console.outJson({ type: "audit", ...report, differs: report.differs ?? null });
  else console.detail(`audit: looked at ${plural(report.checked, "chunk")} of what is said to be unchanged`);
  if (report.differs === undefined) return plan;
  const reason = auditFailure(report, parent);
  console.warn(`THE LIST OF CHANGES IS WRONG: ${reason}; do not trust where it came from`);
  return planFull(disk, reason);
}

function auditFailure({ differs, checked }: AuditReport, parent: Snapshot): string {
  const start = differs! * parent.chunkBytes;
  return `the audit found, as number ${checked} of its sample, a change at bytes ${start} to ` +
    `${Math.min(start + parent.chunkBytes, parent.sizeBytes)} that is not listed`;
}
