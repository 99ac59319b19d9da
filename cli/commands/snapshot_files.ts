/**
 * Snapshots in the place of files: `repo:VM/DISK@latest` opens as the disk it is.
 *
 * Only what the user names on the command line may be a snapshot; a name inside a file never leads into a repository.
 */
import type { Batch, Files, MaybePromise, Run, Source } from "../../core-as/host/mod.ts";
import type { RepoFlags } from "./repo_session.ts";

/** What the name of a snapshot starts with; a file of such a name is reached by `./repo:...`. */
const PREFIX = "repo:";

/** True when a name on the command line means a snapshot. */
export function isSnapshotName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** What such a name says of the snapshot: `VM/DISK@WHICH`. */
export function specOf(name: string): string {
  return name.slice(PREFIX.length);
}

/**
 * The files, and the snapshots of the repository that the flags or the environment name beside them.
 *
 * @param onNotice Told of snapshots that were passed over.
 */
export function withSnapshots(
  files: Files,
  flags: RepoFlags,
  onNotice: (sentence: string) => void,
): Files {
  return {
    open: (path, bounds) =>
      isSnapshotName(path) ? openSnapshot(specOf(path), { flags, onNotice }) : files.open(path, bounds),
    // Names in files are looked up by this, and must not lead to a snapshot.
    exists: (path) => isSnapshotName(path) ? false : files.exists(path),
    realPath: (path) => isSnapshotName(path) ? path : files.realPath(path),
    list: (folder) => files.list(folder),
  };
}

/** Opens the repository for this snapshot alone; what only this needs is loaded here. */
async function openSnapshot(
  spec: string,
  { flags, onNotice }: { flags: RepoFlags; onNotice: (sentence: string) => void },
): Promise<OpenedSnapshot> {
  const { openRepository } = await import("./repo_session.ts");
  const { findSnapshot } = await import("../backup/snapshots.ts");
  const { SnapshotSource } = await import("../../core-as/host/repo/mod.ts");
  const repository = await openRepository(flags);
  try {
    const snapshot = await findSnapshot(repository, spec, onNotice);
    const source = new SnapshotSource(repository, snapshot);
    return new OpenedSnapshot(source, { cid: snapshot.cid, close: () => repository.close() });
  } catch (error) {
    repository.close();
    throw error;
  }
}

/** A snapshot together with the repository that was opened for it. */
export class OpenedSnapshot implements Source {
  readonly isDisk = true;
  readonly path: string;
  readonly sizeBytes: number;
  /** CID of the disk when it was backed up. */
  readonly cid: string | undefined;

  constructor(
    private readonly source: Source & Required<Pick<Source, "runs">>,
    private readonly opened: { cid: string | undefined; close: () => void },
  ) {
    this.path = source.path;
    this.sizeBytes = source.sizeBytes;
    this.cid = opened.cid;
  }

  read(batch: Batch, buffer: Uint8Array): MaybePromise<void> {
    return this.source.read(batch, buffer);
  }

  runs(fromBytes: number, toBytes: number): MaybePromise<Run[]> {
    return this.source.runs(fromBytes, toBytes);
  }

  close(): void {
    this.source.close();
    this.opened.close();
  }
}
