/** Opening the snapshot that `repo:VM/DISK@latest` names, in the repository that the flags or the environment name. */
import { formatSize } from "../../core-as/host/mod.ts";
import { OpenedSnapshot } from "../places/snapshot.ts";
import type { RepoFlags } from "./open_repository.ts";

/**
 * Opens the repository for this snapshot alone; what only this needs is loaded here.
 *
 * @param means `onNotice` receives a line about snapshots that were passed over.
 */
export async function openSnapshot(
  spec: string,
  { flags, onNotice }: { flags: RepoFlags; onNotice: (sentence: string) => void },
): Promise<OpenedSnapshot> {
  const { openRepository } = await import("./open_repository.ts");
  const { findSnapshot } = await import("../backup/snapshots/snapshots.ts");
  const { SnapshotSource } = await import("../../core-as/host/repo/mod.ts");
  const repository = await openRepository(flags);
  try {
    const snapshot = await findSnapshot(repository, spec, onNotice);
    const source = new SnapshotSource(repository, snapshot);
    if (snapshot.damaged !== undefined) {
      const lostBytes = snapshot.damaged.reduce((sum, { length }) => sum + length, 0);
      onNotice(
        `${source.path} is incomplete: ${
          formatSize(lostBytes)
        } of the disk could not be read when it was backed up, ` +
          "and are zeros",
      );
    }
    return new OpenedSnapshot(source, {
      cid: snapshot.cid,
      damaged: snapshot.damaged,
      close: () => repository.close(),
    });
  } catch (error) {
    repository.close();
    throw error;
  }
}
