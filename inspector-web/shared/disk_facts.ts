/** What is told of a disk: its links and their files, its parts, its sectors, what is odd about it. */
import type { RunKind } from "../../core-as/host/source.ts";

/** Which disk is looked at: one link (0 is the newest), all deltas merged without the base, or all links merged. */
export type View = number | "deltas" | "merged";

/** A stretch of the disk. */
export interface ByteRange {
  readonly startBytes: number;
  readonly lengthBytes: number;
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
  readonly verdict: VerdictFacts | undefined;
}

/** Whether a link was made against the one below it. `unknown` is never shown as a match. */
export interface VerdictFacts {
  readonly state: "match" | "mismatch" | "unknown";
  readonly sentences: readonly string[];
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
  readonly damagedBytes: number;
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

/** A node of the structure tree: bytes of one file with their meaning. */
export interface StructureNode {
  readonly label: string;
  readonly value: string;
  readonly file: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly children: readonly StructureNode[];
}

/** A piece of damage or an oddity; click to go. */
export interface FindingFact {
  readonly severity: "damage" | "doubt" | "note";
  readonly kind: string;
  readonly file: string;
  readonly offsetBytes: number | undefined;
  readonly message: string;
}
