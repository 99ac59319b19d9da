/** What `regrain backup` reads: a disk, the places of it that changed, a delta, a stream. */
import { type Core, type Link, MIB, RegrainError } from "../../core-as/host/mod.ts";
import { PIPE_NAME } from "../../core-as/host/forward/mod.ts";
import type { DamagedStretch, Snapshot } from "../../core-as/host/repo/mod.ts";
import type { Lanes } from "../backup/lanes.ts";
import { type AuditReport, auditUnchanged } from "../backup/make/audit.ts";
import { parseChangedAreas } from "../backup/make/changed_areas.ts";
import { decodeList } from "../backup/make/changed_documents.ts";
import { DeltaOverSnapshot } from "../backup/make/delta_over_snapshot.ts";
import { type Lineage, lineageOf } from "../backup/make/lineage.ts";
import { DamagedSource } from "../backup/make/damaged_source.ts";
import { cidText, type DiskOrigin, planChanged, planFull } from "../backup/make/origins.ts";
import type { BackupPlan } from "../backup/make/plan.ts";
import { type DiskStream, planDiskStream } from "../backup/make/stream_origin.ts";
import type { Repository } from "../backup/repository.ts";
import { OpenedSnapshot } from "../places/snapshot.ts";
import { openCommand } from "../stream/from_command.ts";
import { openStdin } from "../stream/stdin.ts";
import { takeDoubts, warnNewer } from "../ui/describe.ts";
import { isStream, type OriginFlags, shareOf, SOURCE, streamSizeOf } from "./backup_flags.ts";
import { readGivenFile } from "./given_file.ts";
import type { Session } from "./session.ts";
import { QuietSource } from "./source_quiet.ts";
import { openWholeDisk } from "./whole_disk.ts";

/** What vSphere says of the largest disk, every block changed, is far below. */
const CHANGED_LIST = { mostBytes: 1024 * MIB, what: "a list of changed areas" };

/** Where the content comes from: opened, and to be closed. */
export interface Origin extends Disposable {
  plan(parent: Snapshot | undefined, means: PlanMeans): Promise<BackupPlan>;
  readonly sizeBytes: number | undefined;
  /** Whether the files stay as they are while they are read. Absent where nobody can tell. */
  readonly quiet?: QuietSource;
  /** What could not be read by the last plan. */
  damaged?(): Snapshot["damaged"];
}

/** What a plan is made with. */
export interface PlanMeans {
  readonly lanes: Lanes;
  /** Ids of the backup itself. */
  readonly own: ReadonlySet<string>;
  /** Where the work may end. */
  readonly pass: () => Promise<void>;
}

interface OriginMeans {
  readonly flags: OriginFlags;
  readonly session: Session;
  readonly repository: Repository;
  readonly report: { audit(found: AuditReport): void };
}

export async function openOrigin(source: string | undefined, means: OriginMeans): Promise<Origin> {
  const { flags, session } = means;
  if (isStream(source, flags)) return openStream(means);
  const disk = source === undefined ? undefined : await openDisk(source, means);
  try {
    if (flags.delta === undefined) return openSource(disk!, means);
    const delta = await openDeltaOverSnapshot(flags.delta, session, flags);
    await warnNewer(session, delta.newest);
    return openDelta(delta, disk, means);
  } catch (error) {
    disk?.close();
    throw error;
  }
}

/** @param path Descriptor or bare extent of the newest delta. */
export function openDeltaOverSnapshot(
  path: string,
  { console, context }: Pick<Session, "console" | "context">,
  { force = false }: { force?: boolean | undefined },
): Promise<DeltaOverSnapshot> {
  return DeltaOverSnapshot.open(path, {
    context,
    force,
    takeDoubts: (doubts) => takeDoubts(console, doubts, { force }),
    warn: (sentence) => console.warn(sentence),
    detail: (sentence) => console.detail(sentence),
  });
}

function openStream({ session, repository, flags }: OriginMeans): Origin {
  const { name, unpack, format, force = false, fromCommand } = flags;
  const sizeBytes = streamSizeOf(flags);
  const request = { name, sizeBytes, unpack, format, force, isPipe: fromCommand === undefined };
  const stream = openInput(session, flags);
  return {
    plan: (parent) => planDiskStream(stream, request, { repository, parent }),
    sizeBytes,
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  };
}

function openInput(session: Session, { name, fromCommand }: OriginFlags): DiskStream & Disposable {
  if (fromCommand === undefined) {
    const read = openStdin(session.io, `dd if=/dev/vg/vm bs=4M | regrain backup - --name ${name}`);
    return { read, path: PIPE_NAME, [Symbol.dispose]: () => undefined };
  }
  const { console } = session;
  const command = openCommand(fromCommand, (from, ended) => console.relay(from, ended));
  return Object.assign(command, { path: fromCommand });
}

type OpenedDisk = DiskOrigin & {
  readonly core: Core;
  readonly links: readonly Link[];
  /** What a snapshot lacks that is backed up as the disk it is. */
  readonly damaged: readonly DamagedStretch[];
  close(): void;
};

async function openDisk(path: string, { session, repository, flags }: OriginMeans): Promise<OpenedDisk> {
  const { core } = session.context;
  session.places.take(path, SOURCE);
  const disk = await openWholeDisk(path, session, flags);
  const [newest] = disk.links;
  await warnNewer(session, newest!);
  const file = newest!.files[0];
  const cid = file instanceof OpenedSnapshot ? file.cid : cidText(newest!);
  const { chunkBytes } = repository.description;
  const damaged = file instanceof OpenedSnapshot ? file.damaged : [];
  return { source: disk, damaged, chunkBytes, cid, core, links: disk.links, close: () => disk.close() };
}

function openSource(opened: OpenedDisk, means: OriginMeans): Origin {
  const { changed } = means.flags;
  const areas = changed === undefined
    ? undefined
    : parseChangedAreas(decodeList(readGivenFile(changed, CHANGED_LIST)), changed);
  let salvaging: DamagedSource | undefined;
  return {
    async plan(parent, { lanes, own, pass }) {
      salvaging = means.flags.damaged === undefined ? undefined : salvagingSource(opened, { ...means, pass });
      const disk = salvaging === undefined ? opened : { ...opened, source: salvaging };
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
    sizeBytes: opened.source.sizeBytes,
    quiet: quietSource(() => opened.links, means),
    damaged: () => [...opened.damaged, ...salvaging?.damaged ?? []],
    [Symbol.dispose]: () => opened.close(),
  };
}

function salvagingSource(
  { source, links }: OpenedDisk,
  { session: { console }, pass }: { session: Session; pass: () => Promise<void> },
): DamagedSource {
  return new DamagedSource(source, {
    pass,
    dropCaches: () => links.forEach(({ files }) => files.forEach((file) => file.dropCache?.())),
    onFirst: ({ message }) =>
      console.warn(`${message}; zeros are stored for what cannot be read, and it is listed`),
  });
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
  const found = await auditUnchanged(parent, plan.touched, {
    repository,
    lanes,
    disk: planFull(disk),
    share: shareOf(audit),
    random: Math.random,
  });
  about.report.audit(found);
  if (found.differs === undefined) return plan;
  const reason = auditFailure(found, parent);
  console.warn(`THE LIST OF CHANGES IS WRONG: ${reason}; do not trust where it came from`);
  return planFull(disk, reason);
}

function auditFailure({ differs, checked }: AuditReport, parent: Snapshot): string {
  const start = differs! * parent.chunkBytes;
  return `the audit found, as number ${checked} of its sample, a change at bytes ${start} to ` +
    `${Math.min(start + parent.chunkBytes, parent.sizeBytes)} that is not listed`;
}
