/**
 * What an image is known by, whatever its format, and what another one knows of it: its ids, the names of its files.
 *
 * This module is browser compatible.
 */
import type { ImageFormat } from "./image_format.ts";
import type { ParentHint } from "./parent_hint.ts";

/** True, false, or `undefined` where nothing says whether there is a parent. */
export type DeltaMark = boolean | undefined;

/** What the content of a disk is known by. A format has some of them, or none. */
export interface DiskIds {
  readonly cid?: number | undefined;
  readonly longContentId?: string | undefined;
  readonly uuid?: string | undefined;
  /** Changes with every session that writes. */
  readonly modificationUuid?: string | undefined;
}

export interface Identity {
  readonly own: DiskIds;
  /** Those that the parent had when this image was made. */
  readonly parent: DiskIds;
  /** Names of the files that hold its data, as the image gives them. */
  readonly fileNames: readonly string[];
}

/** What one format alone says of a disk. Code of that format reads it, by its class. */
export interface Particulars {
  readonly format: ImageFormat;
}

/** What a verdict needs of a link; a base whose data is elsewhere still has it. */
export interface LinkIdentity {
  readonly path: string;
  /** `undefined` where the file cannot be read as what it should be. */
  readonly format: ImageFormat | undefined;
  /** `undefined` where only opening the data would tell. */
  readonly capacitySectors: number | undefined;
  /** True for a delta, false for a base. */
  readonly delta: DeltaMark;
  /** `undefined` where nothing tells: a raw disk, an extent without its descriptor, a format without ids. */
  readonly identity: Identity | undefined;
  /** What it names as its parent. */
  readonly parent: ParentHint | undefined;
  readonly particulars?: Particulars | undefined;
  /** Path of the child that names this one as its parent, where it is known for that alone. */
  readonly namedBy?: string;
}

/** A file of which nothing is known but its path. */
export function unknownLink(path: string): LinkIdentity {
  return {
    path,
    format: undefined,
    capacitySectors: undefined,
    delta: undefined,
    identity: undefined,
    parent: undefined,
  };
}

/** True for a link that surely has a parent. */
export function isKnownDelta({ delta }: Pick<LinkIdentity, "delta">): boolean {
  return delta === true;
}

/** True for a link that surely has none: what no grain covers reads as zeros. */
export function isKnownBase({ delta }: Pick<LinkIdentity, "delta">): boolean {
  return delta === false;
}
