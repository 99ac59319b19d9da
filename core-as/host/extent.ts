/**
 * An extent: a stretch of the disk in one file, whatever the format. Readers of every format implement this, and
 * nothing above them knows which one it has.
 *
 * This module is browser compatible.
 */
import type { DamagedGrains } from "./formats/damaged_grains.ts";
import type { Source } from "./source.ts";
import type { Core, RunList } from "./wasm.ts";

/** A field of a header, for whoever shows it. */
export interface HeaderField {
  /** As the format's description calls it. */
  readonly name: string;
  readonly at: number;
  /** 1, 2, 4 and 8 are numbers, any other length is text. */
  readonly lengthBytes: number;
}

/** What a view of the file's structure shows first. */
export interface HeaderShape {
  readonly fields: readonly HeaderField[];
  readonly lengthBytes: number;
  /** Numbers are little-endian without it. */
  readonly isBigEndian?: true;
}

/**
 * How bad something found is. `damage`: the image cannot be read right, or not be written to without harm. `doubt`: it
 * can be read in two ways, and `--force` takes the first. `note`: odd, and harmless as far as the data goes.
 */
export type Severity = "damage" | "doubt" | "note";

/** Something that a file holds and should not. */
export interface Finding {
  readonly severity: Severity;
  /** Stable name of the kind: `entry-past-end`, `grain-shared` ... */
  readonly kind: string;
  readonly path: string;
  /** Where in that file, in bytes. */
  readonly offsetBytes?: number;
  readonly message: string;
  /** Of what lies past the end of the file: what it needs, and where the file ends. */
  readonly needs?: { readonly untilByte: number; readonly lengthBytes: number; readonly fileBytes: number };
}

/** What a walk tells beside the runs. */
export interface Observer {
  finding(finding: Finding): void;
  /** Called for every grain table that is read: its place in the file, and where the entry that names it stands. */
  table?(table: { sector: number; lengthSectors: number; entryOffsetBytes: number }): void;
  /** True: redundant tables are read too and compared. */
  readonly compareCopies?: boolean;
  /** True: grains are unpacked by the caller, who wants the runs as the tables say them. */
  readonly unpacks?: boolean;
}

/** A part of the file that is no data, in sectors. */
export interface Region {
  readonly label: string;
  readonly sector: number;
  readonly lengthSectors: number;
}

/** What `fill` is asked for: runs of `[from, to)`, counted from the extent's first sector. */
export interface Window {
  readonly from: number;
  readonly to: number;
  /** Added to every start: where the extent stands in the disk, in sectors. */
  readonly shift: number;
  /** Written into every record. */
  readonly owner: number;
}

export interface Extent {
  /** The word for it in JSON. */
  readonly format: string;
  /** What it is called in messages. */
  readonly formatName: string;
  /** True of a format that deltas alone have. Absent: only a descriptor can say. */
  readonly isDeltaFormat?: true;
  readonly path: string;
  /** Sectors of the disk that it covers. */
  readonly capacitySectors: number;
  /** The file, where there is one. */
  readonly file: Source | undefined;
  /** Where the places of its runs point: the file itself, or a view of it that unpacks grains. */
  readonly data: Source | undefined;
  /** Parts of the file that data must not overlap; empty where the whole file is data. */
  readonly regions: readonly Region[];
  /** Header fields by the name that the format's description gives them. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  /** The header's fields, where the file begins with one. */
  readonly header?: HeaderShape;
  /** False where tables may hold zeros that the header has to announce, and does not. */
  readonly announcesZeros?: boolean;
  /** What was odd in the header. */
  readonly findings: readonly Finding[];
  /**
   * Lists the runs of a window.
   *
   * @returns the sector reached, more than `from`, at most `to`: less when the list's room or the work of one step
   * ended.
   */
  fill(core: Core, list: RunList, window: Window, observer: Observer): Promise<number>;
  /** Where the entry stands that decides about a sector of the extent, in bytes of the file. */
  entryOffset?(sector: number): Promise<number | undefined>;
  /**
   * Byte of the file at which the data of a place is; `undefined` for what is packed. Absent: a place is a sector of
   * the file where `data` is the file, and of nothing else.
   */
  fileOffset?(place: number): number | undefined;
  /** Unpacks the grain at a sector to see that it can be, and says where it lies in the file. */
  verifyGrain?(sector: number): Promise<Region>;
  /** Where a survey remembers the grains that could not be unpacked; there with `verifyGrain`. */
  readonly damagedGrains?: DamagedGrains;
  /** Sectors in a grain, where there are grains. */
  readonly grainSectors: number | undefined;
}
