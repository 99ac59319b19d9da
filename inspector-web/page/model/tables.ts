/** Where the grain tables of a link are, as far as places can be said in terms of them. */
import type { LinkFacts } from "../../shared/protocol.ts";
import { SECTOR_SIZE } from "../../../core-as/host/units.ts";

/** Bytes of the disk that one grain table covers, or why there is no such number, in a sentence. */
export type Tables = number | string;

/** Entries in a grain table of a COWD extent (fixed by the format). */
const COWD_TABLE_ENTRIES = 4096;
const SESPARSE_ENTRY_BYTES = 8;

export const NO_TABLES = {
  merged: "the links have grain tables of their own: choose one link as the disk shown",
  several: "the extents have grain tables of their own: go to an offset or a sector",
  none: "this disk has no grain tables: its bytes lie one after the other",
} as const;

export function tablesOf(link: Pick<LinkFacts, "grainBytes" | "files">): Tables {
  const { grainBytes, files } = link;
  if (grainBytes === undefined) return NO_TABLES.none;
  const spans = files.flatMap((file) => entriesOf(file) ?? []).map((entries) => entries * grainBytes);
  return spans.length > 1 ? NO_TABLES.several : spans[0] ?? NO_TABLES.none;
}

/** Entries in each table of a file; undefined where it has none. */
function entriesOf({ facts }: LinkFacts["files"][number]): number | undefined {
  if (typeof facts.numGTEsPerGT === "number") return facts.numGTEsPerGT;
  if (typeof facts.grainTableSize === "number") {
    return facts.grainTableSize * SECTOR_SIZE / SESPARSE_ENTRY_BYTES;
  }
  return facts.numGDEntries === undefined ? undefined : COWD_TABLE_ENTRIES;
}
