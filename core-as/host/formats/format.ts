/**
 * What a format is to all that works on disks: one record, listed in `formats.ts`.
 *
 * Readers of extents (`../extent.ts`) say the rest: what their runs are, what the structure view shows.
 *
 * This module is browser compatible.
 */
import type { Context } from "../context.ts";
import type { Link } from "../disk/link.ts";
import type { RegrainError } from "../errors.ts";
import type { Source } from "../source.ts";
import type { LinkIdentity } from "./identity.ts";
import type { ImageFormat, Role } from "./image_format.ts";
import type { Probe } from "./probe.ts";

/** How a file is read. */
export type OpenWay =
  /** By its own bytes, all of it. */
  | { readonly format: ImageFormat; readonly as: "whole" }
  /** As the text that names the files of the disk. */
  | { readonly format: "vmdk"; readonly as: "descriptor" }
  /** By the descriptor at `path`. */
  | { readonly format: "vmdk"; readonly as: "beside"; readonly path: string }
  /** As an extent that no descriptor names. */
  | { readonly format: "vmdk"; readonly as: "bare"; readonly seen: Probe };

/** How a file is to be read. */
export type WayIn = OpenWay | {
  /** Not at all: it cannot be what it has to be. */
  readonly as: "refused";
  readonly error: RegrainError;
};

/** What deciding needs of the context. */
export type Deciding = Pick<Context, "files" | "format" | "warn">;

export interface FormatRecord {
  /** The word of `--format`. */
  readonly name: ImageFormat;
  /** True of names that say it. A name that none claims is that of a raw disk. */
  hasName(path: string): boolean;
  /** How a file is read that is taken for one; warns where its first bytes disagree. The file is not empty. */
  wayInto(file: Source, context: Deciding, role: Role): Promise<WayIn>;
  /**
   * Opens a disk. The file is the link's then, or closed; on an error the caller closes it.
   *
   * @throws {RegrainError} any code of exit 4 and 6.
   */
  open(file: Source, way: OpenWay, context: Context): Promise<Link>;
  /** What a file says of itself and of its parent, without any data being opened. */
  identify(file: Source, way: OpenWay, context: Context): Promise<LinkIdentity>;
  /** True where a disk of it is written in place. */
  isWritable(link: LinkIdentity): boolean;
}
