/** What the worker answers to each request. */
import type { AreaFacts, FindingFact, LinkFacts, SectorFacts, StructureNode, View } from "./disk_facts.ts";
import type { JudgementFacts } from "./judgement_facts.ts";
import type { Checked, Compared } from "./progress.ts";
import type { Difference, RepositoryFacts, SnapshotFacts } from "./repository_facts.ts";

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
    readonly bytes: Uint8Array<ArrayBuffer>;
    /** Per 512 bytes of a disk: which link, -1 zeros, -2 hole. */
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
  /** Absent when there is no further one, or nobody waits. */
  next: { readonly offsetBytes: number | undefined };
  "stop-next": null;
  areas: {
    readonly scheme: string;
    readonly areas: readonly AreaFacts[];
    readonly problems: readonly string[];
  };
  findings: {
    readonly findings: readonly FindingFact[];
    readonly counts: Readonly<Record<"damage" | "doubt" | "note", number>>;
  };
  /** When all tables were read. */
  judgement: JudgementFacts;
  structure: StructureNode;
  owners: { readonly owners: Int16Array };
  compare: Compared;
  export: { readonly blob: Blob };
}

/** What was opened. */
export interface Opened {
  readonly links: readonly LinkFacts[];
  /** True when the chain reaches a base, so that every sector is known. */
  readonly isWhole: boolean;
  readonly capacitySectors: number;
  /** What was dropped and belongs to nothing, each with the reason; what is missing. */
  readonly remarks: readonly string[];
  /** Whether the deltas can be applied, as far as that is known before their tables are read. */
  readonly judgement: JudgementFacts;
  /** True when only a map was opened: there are no bytes to look at. */
  readonly mapOnly: boolean;
  /** What is looked at first: all deltas merged, or the link that was asked for by name. */
  readonly start: View;
  /** Of the snapshot that is shown, when it is one. */
  readonly snapshot?: SnapshotFacts;
  /** The command that restores that snapshot. */
  readonly restore?: string;
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

/** How a byte compares with what lies below the link that is looked at. */
export const SAME = 0;
export const CHANGED = 1;
/** The link holds it, and what lies below was not given. */
export const UNKNOWN_BELOW = 2;
