/** Snapshots of a repository in a folder, for programs that use regrain as a library. */
import { RegrainError } from "../../core-as/host/errors.ts";
import { type Snapshot, SnapshotSource } from "../../core-as/host/repo/mod.ts";
import { unlockRepository } from "../backup/keyring.ts";
import { Repository } from "../backup/repository.ts";
import { findSnapshot } from "../backup/snapshots/snapshots.ts";
import { FolderStore } from "../store/folder/store.ts";
import { VERSION } from "../version.ts";

export interface SnapshotRequest {
  /** Folder of the repository. */
  readonly repository: string;
  /** `VM/DISK@latest`, `@` with the first letters of an id, or with a time in UTC. */
  readonly snapshot: string;
  /** Of an encrypted repository. */
  readonly passphrase?: string;
  /** Receives a sentence about each snapshot that was passed over. */
  readonly onNotice?: (sentence: string) => void;
}

export interface OpenedSnapshot {
  readonly snapshot: Snapshot;
  /** Its disk: every piece is checked as it is read. */
  readonly disk: SnapshotSource;
  close(): void;
}

/** @throws {RegrainError} `REPO_MISSING`, `REPO_KEY`, `SNAPSHOT_MISSING`, `SNAPSHOT_DAMAGED`. */
export async function openSnapshot(request: SnapshotRequest): Promise<OpenedSnapshot> {
  const { passphrase } = request;
  const store = new FolderStore(request.repository);
  const repository = await Repository.open(store, {
    world: {
      nowMs: () => Date.now(),
      random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      tool: `regrain ${VERSION}`,
      host: "library",
    },
    unlock: async (description) => {
      if (passphrase !== undefined) return await unlockRepository(store, description, passphrase);
      throw new RegrainError("REPO_KEY", "the repository is encrypted, and there is no passphrase", {
        path: store.label,
      });
    },
  });
  try {
    const snapshot = await findSnapshot(repository, request.snapshot, request.onNotice ?? (() => {}));
    return {
      snapshot,
      disk: new SnapshotSource(repository, snapshot),
      close: () => repository.close(),
    };
  } catch (error) {
    repository.close();
    throw error;
  }
}
