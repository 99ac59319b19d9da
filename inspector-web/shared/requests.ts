/** What the page asks of its worker, and what it hands over. */
import type { ImageFormat } from "../../core-as/host/formats/image_format.ts";
import type { View } from "./disk_facts.ts";

/** A file as the page hands it over: dropped on it, or served by `regrain inspect`. */
export type GivenFile =
  | { readonly name: string; readonly file: Blob; readonly modifiedMs: number | null }
  | {
    readonly name: string;
    readonly url: string;
    readonly sizeBytes: number;
    readonly modifiedMs: number | null;
    /** What it is, where `regrain inspect` was told so; its name says it otherwise. */
    readonly format?: ImageFormat;
  };

/** Where a repository is: a folder that the page looks into for the worker, or served. */
export type RepositoryPlace =
  | { readonly label: string; readonly folder: number }
  | { readonly label: string; readonly url: string };

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
  /**
   * The next (or previous) change, seen from a byte of the disk: the first byte that differs from the parent's, or,
   * where there is no parent to compare with, the start of a run of data or zeros. The one that is looked for is given
   * up.
   */
  | { readonly type: "next"; readonly view: View; readonly fromBytes: number; readonly backwards: boolean }
  | { readonly type: "stop-next" }
  | { readonly type: "areas"; readonly view: View }
  | { readonly type: "findings" }
  | { readonly type: "judgement" }
  /** Of long tables the first entries are told, and the one at the byte `around`. */
  | { readonly type: "structure"; readonly file: string; readonly around?: number }
  /** Which link owns each cell of a merged view. */
  | {
    readonly type: "owners";
    readonly view: View;
    readonly fromSector: number;
    readonly sectorsPerCell: number;
    readonly cells: number;
    readonly asker?: string;
  }
  /** Compares what link 0 holds with what lies below it; needs more than one link. Told by `compared` notices. */
  | { readonly type: "compare" }
  | { readonly type: "export"; readonly view: View; readonly format: "json" | "csv" };

export type Asked = Request & {
  readonly id: number;
  /** Number of the request that opened the disk which this is asked of; absent: whatever is open. */
  readonly opener?: number | undefined;
};

/** What the page found: none or one object, or a list; or why it cannot look. */
export type Provided = readonly { readonly key: string; readonly file: File }[] | {
  readonly reason: string;
};

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
