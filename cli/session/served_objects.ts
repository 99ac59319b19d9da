/** The repository that the page shows: its objects as they are stored, and the snapshots that are opened at first. */
import { RegrainError } from "../../core-as/host/mod.ts";
import {
  DESCRIPTION_KEY,
  MAX_DESCRIPTION_BYTES,
  type ObjectStore,
  parseDescription,
} from "../../core-as/host/repo/mod.ts";
import { ServedObjects } from "../inspect/served_objects.ts";
import { imageOf } from "../places/place.ts";
import { findPlace } from "../places/registry.ts";
import { SNAPSHOT, specOf } from "../places/snapshot.ts";
import type { RepoFlags } from "./open_repository.ts";

const IMAGE = imageOf("inspect");
/** One is opened, and compared with the other. */
const MOST_SNAPSHOTS = 2;

/**
 * The repository, where one is named, be it by a snapshot of it. The variable alone does not name it: images are looked
 * at without one.
 *
 * @throws {RegrainError} `USAGE` for files beside it, or more snapshots than can be compared; what opening it may.
 */
export async function openServedObjects(
  images: readonly string[],
  flags: RepoFlags,
  warn: (sentence: string) => void,
): Promise<ServedObjects | undefined> {
  const snapshots = images.filter((name) => findPlace(name, IMAGE).kind === SNAPSHOT);
  if (flags.repo === undefined && snapshots.length === 0) return undefined;
  if (snapshots.length < images.length || snapshots.length > MOST_SNAPSHOTS) {
    throw new RegrainError("USAGE", "a repository is looked at alone, with two of its snapshots at most", {
      hint: "regrain inspect --repo FOLDER repo:VM/DISK@latest",
    });
  }
  const { openRepository, openStoreOf } = await import("./open_repository.ts");
  const { findSnapshot } = await import("../backup/snapshots/snapshots.ts");
  await refuseEncrypted(await openStoreOf(flags));
  const repository = await openRepository(flags);
  const open: string[] = [];
  for (const name of snapshots) {
    open.push((await findSnapshot(repository, specOf(name), warn)).id);
  }
  return new ServedObjects(repository.store, open);
}

/** @throws {RegrainError} `UNSUPPORTED` before anybody is asked for a passphrase that would not help. */
async function refuseEncrypted(store: ObjectStore): Promise<void> {
  try {
    const bytes = await store.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
    const path = `${store.label}/${DESCRIPTION_KEY}`;
    if (bytes === undefined || parseDescription(bytes, path).encryption === "none") return;
    throw new RegrainError("UNSUPPORTED", "the repository is encrypted, and the page takes no passphrase", {
      path: store.label,
      hint: "restore a snapshot with regrain restore, and look at the image",
    });
  } finally {
    store.close();
  }
}
