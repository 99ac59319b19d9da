/**
 * What the page and its worker say to each other. The worker owns the files, the kernels and the pyramid; the page
 * paints. Every request has a number, and its answer carries the same; what the worker tells on its own is a `Notice`.
 *
 * Sizes and offsets of the disk are sectors where the name says so, bytes otherwise.
 */
import type { RunKind } from "../../core-as/host/source.ts";

/** A file as the page hands it over: dropped on it, or served by `regrain inspect`. */
export type GivenFile =
  | { readonly name: string; readonly file: Blob; readonly modifiedMs: number | null }
  | {
    readonly name: string;
    readonly url: string;
    readonly sizeBytes: number;
    readonly modifiedMs: number | null;
  };

/** Which disk is looked at: one link (0 is the newest), or all of them merged. */
export type View = number | "merged";

/** Code of a trouble with something asked of a disk that is no longer open, or given up for something newer. */
export const CLOSED = "CLOSED";

/** An error in words, from a `RegrainError` or from the browser. */
export interface Trouble {
  readonly code: string;
  readonly message: string;
  readonly path: string | undefined;
  readonly offsetBytes: number | undefined;
  readonly hint: string | undefined;
}

export interface FileFacts {
  readonly name: string;
  readonly sizeBytes: number;
  readonly format: string;
  /** Header fields under the names of the format's description. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

/** One link of the chain, newest first. */
export interface LinkFacts {
  readonly name: string;
  readonly format: string;
  readonly capacityBytes: number;
  readonly grainBytes: number | undefined;
  readonly cid: string | undefined;
  readonly parentCid: string | undefined;
  /** Name of the parent as the descriptor has it. */
  readonly parentHint: string | undefined;
  readonly isBase: boolean;
  readonly files: readonly FileFacts[];
  /** Whether the link below is the one it was made on; absent below the last one. */
  readonly verdict: { readonly matches: boolean; readonly sentences: readonly string[] } | undefined;
}

/** What was opened. */
export interface Opened {
  readonly links: readonly LinkFacts[];
  /** True when the chain reaches a base, so that every sector is known. */
  readonly isWhole: boolean;
  readonly capacitySectors: number;
  /** What was dropped and belongs to nothing, each with the reason; what is missing. */
  readonly remarks: readonly string[];
  /** The very command that would apply the deltas, or `undefined` where there is no delta. */
  readonly command: string | undefined;
  /** True when only a map was opened: there are no bytes to look at. */
  readonly mapOnly: boolean;
  /** Index of the link that was asked for by name, else 0. */
  readonly start: number;
  /** Of the snapshot that is shown, when it is one. */
  readonly snapshot?: SnapshotFacts;
}

/** Totals as `regrain map --json` has them. */
export interface Totals {
  readonly dataBytes: number;
  readonly zeroBytes: number;
  readonly holeBytes: number;
  /** Runs of data and zeros, neighbours of one kind and place merged as `regrain map` does. */
  readonly runCount: number;
}

/** How the lengths of data and zero runs spread: `counts[i]` runs of 2^i to 2^(i+1) - 1 sectors. */
export interface Histogram {
  readonly counts: readonly number[];
  readonly bytes: readonly number[];
}

/** How far the scan of a view is. */
export interface ScanState {
  readonly view: View;
  readonly doneSectors: number;
  readonly totalSectors: number;
  readonly finished: boolean;
  readonly totals: Totals;
  readonly histogram: Histogram;
}

/** A piece of damage or an oddity; click to go. */
export interface FindingFact {
  readonly severity: "damage" | "doubt" | "note";
  readonly kind: string;
  readonly file: string;
  readonly offsetBytes: number | undefined;
  readonly message: string;
}

/** A part of the virtual disk: a partition, a gap, or all of it. */
export interface AreaFacts {
  readonly kind: string;
  readonly label: string;
  readonly startBytes: number;
  readonly lengthBytes: number;
  readonly type: string;
  readonly fileSystem: string | undefined;
  readonly fileSystemLabel: string | undefined;
  readonly dataBytes: number;
  readonly zeroBytes: number;
}

/** A node of the structure tree: bytes of one file with their meaning. */
export interface StructureNode {
  readonly label: string;
  readonly value: string;
  readonly file: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly children: readonly StructureNode[];
}

/** What decides about one sector. */
export interface SectorFacts {
  readonly sector: number;
  readonly kind: RunKind;
  /** Name of the link that owns it; undefined in a hole that nothing fills. */
  readonly link: string | undefined;
  readonly linkIndex: number | undefined;
  readonly grain: number | undefined;
  /** File and byte of the data; absent for zeros and packed grains. */
  readonly file: string | undefined;
  readonly fileOffsetBytes: number | undefined;
  /** Byte of the table entry that decides, in that link's file. */
  readonly entryFile: string | undefined;
  readonly entryOffsetBytes: number | undefined;
  readonly area: string | undefined;
  readonly runStartSector: number;
  readonly runLengthSectors: number;
}

/** A stretch of the disk. */
export interface ByteRange {
  readonly startBytes: number;
  readonly lengthBytes: number;
}

/** How allocated sectors compare with what lies below; one may be zero and something else, too. */
export type Comparisons = "changed" | "identical" | "zero";

/** How a delta compares with the base below it, in bytes. */
export interface Compared {
  readonly comparedBytes: number;
  /** Allocated in the delta and equal to what lies below. */
  readonly identicalBytes: number;
  /** Allocated in the delta and all zero. */
  readonly zeroBytes: number;
  readonly changedBytes: number;
  /** The first stretches of each kind, in the order of the disk; a changed one begins at the byte that differs. */
  readonly first: Readonly<Record<Comparisons, readonly ByteRange[]>>;
  readonly finished: boolean;
}

/** How a byte compares with what lies below the link that is looked at. */
export const SAME = 0;
export const CHANGED = 1;
/** The link holds it, and what lies below was not given. */
export const UNKNOWN_BELOW = 2;

/** How far a search is. */
export interface Searched {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** How far the search for damage is. */
export interface Surveyed {
  readonly doneSectors: number;
  readonly totalSectors: number;
}

/** Where a repository is: a folder that the page looks into for the worker, or served. */
export type RepositoryPlace =
  | { readonly label: string }
  | { readonly label: string; readonly url: string };

/** What the worker wants of the folder: an object by its key, or all whose keys start so. */
export interface Wanted {
  readonly what: "object" | "list";
  readonly key: string;
}

/** What the page found: none or one object, or a list; or why it cannot look. */
export type Provided = readonly { readonly key: string; readonly file: File }[] | {
  readonly reason: string;
};

/** A snapshot in the list; one whose manifest cannot be read has `damage` and little else. */
export interface SnapshotFacts {
  readonly id: string;
  /** `VM/DISK`; of a damaged one as far as its place in the repository tells. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly damage: string | undefined;
  readonly sizeBytes: number;
  readonly chunks: number;
  readonly newChunks: number;
  readonly storedBytes: number;
  readonly method: string;
  readonly host: string;
  readonly tags: readonly string[];
  /** The one it is compared with unless another is chosen: what it was made against, else the one before. */
  readonly against: string | undefined;
}

export interface RepositoryFacts {
  readonly label: string;
  readonly id: string;
  readonly chunkBytes: number;
  /** Newest first. */
  readonly snapshots: readonly SnapshotFacts[];
}

/** How a place of a snapshot compares with the same place of another one. */
export const UNCHANGED = 0;
export const NEW_DATA = 1;
export const NEW_ZEROS = 2;

/** A stretch of whole chunks that differs. */
export interface ChangedRun extends ByteRange {
  readonly kind: "data" | "zero";
}

/** What differs between the snapshot that is open and another one. */
export interface Difference {
  /** Absent: there is none to compare with, and all is new. */
  readonly against: string | undefined;
  readonly dataBytes: number;
  readonly zeroBytes: number;
  readonly runCount: number;
  /** The first ones. */
  readonly runs: readonly ChangedRun[];
  /** Pages of the map that had to be read, of all. */
  readonly pagesRead: number;
  readonly pages: number;
}

/** How far the check of all chunks is. */
export interface Checked {
  readonly doneChunks: number;
  readonly totalChunks: number;
  readonly damagedChunks: number;
  readonly finished: boolean;
}

export type Request =
  /** In place of what is open, files and disks included. */
  | { readonly type: "open-repository"; readonly place: RepositoryPlace }
  /** Opens a snapshot of the repository as a disk, in place of what is open. */
  | { readonly type: "open-snapshot"; readonly snapshot: string }
  /** Compares the snapshot that is open with another one, from now on; without `against` with nothing. */
  | { readonly type: "difference"; readonly against: string | undefined }
  /** How each cell of a snapshot compares. */
  | {
    readonly type: "changes";
    readonly fromSector: number;
    readonly sectorsPerCell: number;
    readonly cells: number;
    readonly asker?: string;
  }
  /** Reads every chunk of the snapshot that is open. Told by `checked` notices. */
  | { readonly type: "check-chunks" }
  | { readonly type: "stop-check" }
  /** `leaf` is the index of the file whose chain is to be shown. */
  | { readonly type: "open"; readonly files: readonly GivenFile[]; readonly leaf?: number }
  | { readonly type: "close" }
  /** Starts (or goes on with) the scan of a view from where the page looks; the one that runs is given up. */
  | { readonly type: "scan"; readonly view: View; readonly fromSector: number }
  /**
   * Cells of a map: cell i covers sectors [from + i * perCell, from + (i + 1) * perCell). Where `perCell` is finer
   * than the pyramid, tables are read.
   */
  | {
    readonly type: "tile";
    readonly view: View;
    readonly fromSector: number;
    readonly sectorsPerCell: number;
    readonly cells: number;
    /** Who asks: what the same one asked before is given up, unless it is the same. */
    readonly asker?: string;
  }
  | {
    readonly type: "bytes";
    readonly of: { readonly view: View } | { readonly file: string };
    readonly offsetBytes: number;
    readonly lengthBytes: number;
    /** Of a disk: with what lies below it. */
    readonly withBelow?: boolean;
  }
  /**
   * The first place at or behind a byte where one of the patterns stands, in data alone; from the end of the disk it
   * goes on at its beginning. The search that runs is given up.
   */
  | {
    readonly type: "search";
    readonly view: View;
    readonly fromBytes: number;
    readonly patterns: readonly Uint8Array[];
  }
  | { readonly type: "stop-search" }
  | { readonly type: "describe"; readonly view: View; readonly sector: number }
  /** Start of the next (or previous) run of data or zeros, seen from a sector. */
  | { readonly type: "next"; readonly view: View; readonly sector: number; readonly backwards: boolean }
  | { readonly type: "areas"; readonly view: View }
  | { readonly type: "findings" }
  /** Of long tables the first entries are told, and the one at the byte `around`. */
  | { readonly type: "structure"; readonly file: string; readonly around?: number }
  /** Which link owns each cell of the merged disk. */
  | {
    readonly type: "owners";
    readonly fromSector: number;
    readonly sectorsPerCell: number;
    readonly cells: number;
    readonly asker?: string;
  }
  /** Compares what link 0 holds with what lies below it; needs more than one link. Told by `compared` notices. */
  | { readonly type: "compare" }
  | { readonly type: "export"; readonly view: View; readonly format: "json" | "csv" };

/** Answers, by the type of the request. */
export interface Answers {
  "open-repository": RepositoryFacts;
  "open-snapshot": Opened;
  difference: Difference;
  changes: { readonly changes: Uint8Array<ArrayBuffer> };
  "check-chunks": Checked;
  "stop-check": null;
  open: Opened;
  close: null;
  scan: null;
  tile: Tile;
  bytes: {
    readonly bytes: Uint8Array<ArrayBuffer>; /** Per 512 bytes of a disk: which link, -1 zeros, -2 hole. */
    readonly owners: Int16Array | undefined;
    /** What lies below, byte for byte, and how each compares; absent where nothing lies below. */
    readonly below?: Uint8Array<ArrayBuffer>;
    readonly changes?: Uint8Array<ArrayBuffer>;
  };
  search: {
    /** Absent when there is no such place, or the search was given up. */
    readonly foundBytes: number | undefined;
    readonly lengthBytes: number;
    readonly wrapped: boolean;
    readonly stopped: boolean;
  };
  "stop-search": null;
  describe: SectorFacts;
  next: { readonly sector: number | undefined };
  areas: {
    readonly scheme: string;
    readonly areas: readonly AreaFacts[];
    readonly problems: readonly string[];
  };
  findings: {
    readonly findings: readonly FindingFact[];
    readonly counts: Readonly<Record<"damage" | "doubt" | "note", number>>;
  };
  structure: StructureNode;
  owners: { readonly owners: Int16Array };
  compare: Compared;
  export: { readonly blob: Blob };
}

/**
 * Cells of a map. `known` is 0 where nothing is known, 1 where there are tables that were not read yet, 2 where all is
 * known: that no link has a table there is known before the scan.
 */
export interface Tile {
  readonly data: Float32Array;
  readonly zero: Float32Array;
  /** Both in parts of the cell, 0 to 1; anything there is at all is above 0. */
  readonly known: Uint8Array;
  readonly damage: Uint8Array;
}

export type Asked = Request & { readonly id: number };

/** The page's answer to what the worker wanted. */
export interface Reply {
  readonly question: number;
  readonly provided: Provided;
}

/** zstd, when a repository is opened. */
export interface ZstdParts {
  readonly script: string;
  readonly wasm: Uint8Array<ArrayBuffer>;
}

export type Told =
  | { readonly id: number; readonly ok: true; readonly answer: unknown }
  | { readonly id: number; readonly ok: false; readonly trouble: Trouble }
  | Notice;

/** What the worker tells unasked. */
export type Notice =
  | { readonly notice: "ready" }
  | { readonly notice: "scan"; readonly state: ScanState }
  | { readonly notice: "compared"; readonly compared: Compared }
  | { readonly notice: "searched"; readonly searched: Searched }
  | { readonly notice: "surveyed"; readonly surveyed: Surveyed }
  | { readonly notice: "checked"; readonly checked: Checked }
  /** A chunk was found damaged: the map and the findings have changed. */
  | { readonly notice: "damaged" }
  /** A question of the worker, which the page answers with a `Reply`. */
  | { readonly notice: "wanted"; readonly question: number; readonly wanted: Wanted }
  /** A file vanished or changed while it was open. */
  | { readonly notice: "trouble"; readonly trouble: Trouble };
