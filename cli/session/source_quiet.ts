/** Whether the source of a backup is quiet: nobody has it open for writing, and nobody wrote to it meanwhile. */
import { type Link, RegrainError, type Source } from "../../core-as/host/mod.ts";
import { type Leniency, requireUnchanged } from "../target/undisturbed.ts";

/** What the snapshot is at best, and what spoke for it. */
type Consistency = "crash-consistent" | undefined;

export interface QuietFlags extends Leniency {
  /** The user knows that the disk is in use. */
  readonly live: boolean;
}

const SNAPSHOT_FIRST =
  "back up a snapshot of it (LVM, ZFS, libvirt: docs/backups.md has the commands, and --hook-before " +
  "runs them)";

/** Looks at the files of a source before and after they are read. */
export class QuietSource {
  /** True when what is read may be no moment of the disk, and the user did not say that this is meant. */
  isDisturbed = false;
  private isInUse = false;

  /** @param links Those that are read by then: of a delta, links below it are opened on the way. */
  constructor(private readonly links: () => readonly Link[], private readonly flags: QuietFlags) {}

  /** In these a write changes bytes of the disk; in all others also what tables say of them. */
  private files(isMeant: (link: Link) => boolean): Source[] {
    return [...new Set(this.links().filter(isMeant).flatMap(({ files }) => files))];
  }

  /** Before anything is read. */
  askWhoWrites(): void {
    for (const file of this.files(() => true)) {
      const use = file.inUse?.();
      if (use === undefined) continue;
      this.isInUse = true;
      if (this.flags.live) continue;
      this.isDisturbed = true;
      this.flags.warn(
        `${file.path}: ${use}: the snapshot may hold several moments of the disk mixed; ${SNAPSHOT_FIRST}, or say ` +
          "by --live that it is meant",
      );
    }
  }

  /**
   * When all is read.
   *
   * @throws {RegrainError} `INPUT_CHANGED` when a file with tables was written to, unless that is forced: its data may
   * stand elsewhere by now.
   */
  judge(): Consistency {
    const changed = this.files(isFlat).find((file) => file.changed?.() !== undefined);
    if (changed !== undefined && !this.flags.live) {
      this.isDisturbed = true;
      this.flags.warn(
        `${changed.path}: it was changed while it was read: ${
          changed.changed!()
        }: the snapshot holds several moments ` +
          `of the disk mixed, and is marked crash-consistent; ${SNAPSHOT_FIRST}, or say by --live that it is meant`,
      );
    }
    this.requireTables(this.files((link) => !isFlat(link)));
    return this.flags.live || this.isInUse || this.isDisturbed ? "crash-consistent" : undefined;
  }

  private requireTables(files: readonly Source[]): void {
    if (files.some((file) => file.changed?.() !== undefined)) this.isDisturbed = true;
    try {
      requireUnchanged(files, this.flags);
    } catch (error) {
      if (!(error instanceof RegrainError)) throw error;
      throw error.withHint(
        `its tables may lead elsewhere by now, so no snapshot is made, with --live neither: ${SNAPSHOT_FIRST}, or ` +
          "take a snapshot of the VM, after which this file stays as it is; --force makes it a warning, and what was " +
          "written meanwhile may be missing or mixed",
      );
    }
  }
}

function isFlat({ extents }: Link): boolean {
  return extents.every(({ extent }) => extent.format === "flat" || extent.format === "zero");
}
