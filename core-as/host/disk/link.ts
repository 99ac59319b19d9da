/**
 * A link: one disk of a chain, its extents end to end.
 *
 * This module is browser compatible.
 */
import type { Extent, Finding, Observer } from "../extent.ts";
import type { DeltaMark, Identity, LinkIdentity, Particulars } from "../formats/identity.ts";
import type { ImageFormat } from "../formats/image_format.ts";
import type { ParentHint } from "../formats/parent_hint.ts";
import type { Source } from "../source.ts";
import { type Core, HOLE_PLACE, type RunList, ZERO_PLACE } from "../wasm.ts";

/** An extent in its place. */
export interface PlacedExtent {
  readonly extent: Extent;
  /** First sector of the disk. */
  readonly startSector: number;
  /** Sectors of the disk: those of the extent line, which rule. */
  readonly lengthSectors: number;
}

/** What an image says of itself, but for its size: that is what its extents have. */
export interface LinkFacts extends Omit<LinkIdentity, "capacitySectors" | "namedBy"> {
  readonly format: ImageFormat;
}

export class Link implements LinkIdentity {
  readonly capacitySectors: number;
  /** File of each extent, once. */
  private readonly sources: readonly Source[];

  constructor(
    readonly said: LinkFacts,
    readonly extents: readonly PlacedExtent[],
    readonly findings: readonly Finding[],
  ) {
    const last = extents.at(-1);
    this.capacitySectors = last ? last.startSector + last.lengthSectors : 0;
    this.sources = [...new Set(extents.flatMap(({ extent }) => extent.file ?? []))];
  }

  /** What the user knows it by: the image, the descriptor, or the bare extent. */
  get path(): string {
    return this.said.path;
  }

  get format(): ImageFormat {
    return this.said.format;
  }

  get delta(): DeltaMark {
    return this.said.delta;
  }

  get identity(): Identity | undefined {
    return this.said.identity;
  }

  get parent(): ParentHint | undefined {
    return this.said.parent;
  }

  get particulars(): Particulars | undefined {
    return this.said.particulars;
  }

  /** True when holes of this link are zeros, because nothing can lie below. */
  get isBase(): boolean {
    return this.delta === false;
  }

  /** Files that hold its data. */
  get files(): readonly Source[] {
    return this.sources;
  }

  /**
   * Lists the runs of `[from, to)`; behind its own end a link reads as zeros.
   *
   * @param firstOwner Owner of the first extent; the others follow.
   * @returns the sector reached.
   */
  async fill(
    list: RunList,
    range: { core: Core; from: number; to: number; firstOwner: number },
    observer: Observer,
  ): Promise<number> {
    const { core, from, to, firstOwner } = range;
    const index = this.extentAt(from);
    const placed = this.extents[index];
    if (!placed) {
      core.kernels.openList(list.address, from, to, 0, -1);
      core.kernels.pushRun(from, to - from, ZERO_PLACE);
      core.close(list);
      return to;
    }
    const { extent, startSector, lengthSectors } = placed;
    const end = Math.min(to - startSector, lengthSectors);
    const inside = Math.min(end, extent.capacitySectors);
    if (from - startSector >= inside) return this.pad(list, { core, from, to: startSector + end });
    const window = { from: from - startSector, to: inside, shift: startSector, owner: firstOwner + index };
    return startSector + await extent.fill(core, list, window, observer);
  }

  /** Index of the extent that holds a sector, `extents.length` when none does. */
  extentAt(sector: number): number {
    let low = 0;
    let high = this.extents.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { startSector, lengthSectors } = this.extents[middle]!;
      if (startSector + lengthSectors <= sector) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  close(): void {
    for (const source of this.sources) source.close();
  }

  /** The part of an extent line that its file does not have. */
  private pad(list: RunList, range: { core: Core; from: number; to: number }): number {
    const { core, from, to } = range;
    core.kernels.openList(list.address, from, to, 0, -1);
    core.kernels.pushRun(from, to - from, HOLE_PLACE);
    core.close(list);
    return to;
  }
}

/** Path of a file of which two extents have the same piece, so that one of the names must be wrong. */
export function sharedFile(extents: readonly PlacedExtent[]): string | undefined {
  const pieces = extents.flatMap(({ extent, lengthSectors }) => {
    if (!extent.file) return [];
    if (extent.grainSectors !== undefined) return [{ path: extent.path, from: 0, to: Infinity }];
    const from = Number(extent.facts["offset"]);
    return [{ path: extent.path, from, to: from + lengthSectors }];
  });
  const ends = new Map<string, number>();
  for (const { path, from, to } of pieces.sort((a, b) => a.from - b.from)) {
    if (from < (ends.get(path) ?? 0)) return path;
    ends.set(path, to);
  }
  return undefined;
}
