/**
 * Snapshots in the place of files: `repo:VM/DISK@latest` opens as the disk it is.
 *
 * Only what the user names on the command line may be a snapshot; a name inside a file never leads into a repository.
 */
import {
  type Batch,
  type MaybePromise,
  type Medium,
  ONE_AT_A_TIME,
  quoteWord,
  type Run,
  type Source,
} from "../../core-as/host/mod.ts";
import type { DamagedStretch } from "../../core-as/host/repo/mod.ts";
import type { Place, PlaceKind } from "./place.ts";

export const SNAPSHOT: PlaceKind = {
  scheme: "repo",
  form: "repo:VM/DISK@latest",
  noun: "a snapshot in a repository",
  can: ["read"],
  find: (name): Place => ({
    kind: SNAPSHOT,
    name,
    openSource: ({ openSnapshot }) => openSnapshot(specOf(name)),
    isSame: (other) => other.name === name,
  }),
  instead({ anyOf }, name) {
    const spec = quoteWord(specOf(name) || "VM/DISK@latest");
    return anyOf.includes("delta")
      ? `regrain restore ${spec} TARGET writes a snapshot`
      : anyOf.includes("write")
      ? "regrain backup makes a snapshot"
      : undefined;
  },
};

/** What such a name says of the snapshot: `VM/DISK@WHICH`. */
export function specOf(name: string): string {
  return name.slice(`${SNAPSHOT.scheme}:`.length);
}

/** A snapshot together with the repository that was opened for it. */
export class OpenedSnapshot implements Source {
  readonly isDisk = true;
  readonly path: string;
  readonly sizeBytes: number;
  /** CID of the disk when it was backed up. */
  readonly cid: string | undefined;
  /** What could not be read of the disk when it was backed up. */
  readonly damaged: readonly DamagedStretch[];

  constructor(
    private readonly source: Source & Required<Pick<Source, "runs">>,
    private readonly opened: {
      cid: string | undefined;
      damaged?: readonly DamagedStretch[] | undefined;
      close: () => void;
    },
  ) {
    this.path = source.path;
    this.sizeBytes = source.sizeBytes;
    this.cid = opened.cid;
    this.damaged = opened.damaged ?? [];
  }

  get medium(): Medium {
    return this.source.medium ?? ONE_AT_A_TIME;
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
