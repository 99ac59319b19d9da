/** What decides about a sector, as rows for a table and as one sentence to be read aloud. */
import { formatSize } from "../../../core-as/host/units.ts";
import { NEW_DATA, NEW_ZEROS, type SectorFacts } from "../../shared/protocol.ts";
import { formatOffset, formatShare, type Landmarks } from "../../shared/units.ts";

const KINDS = {
  data: "data",
  zero: "zeros",
  hole: "unchanged, the parent shows",
  damaged: "damaged, nobody knows what is here",
} as const;

/**
 * Name and value of everything that is known.
 *
 * @param marks Of the link that decides.
 */
export function sectorRows(facts: SectorFacts, marks: Landmarks): readonly (readonly [string, string])[] {
  const { grain, fileOffsetBytes, entryOffsetBytes } = facts;
  const rows: [string, string | undefined][] = [
    ["sector", String(facts.sector)],
    ["kind", KINDS[facts.kind]],
    ["grain", grain === undefined ? undefined : String(grain)],
    ["table", tableWords(facts, marks)],
    ["link", facts.link],
    [
      "data at",
      fileOffsetBytes === undefined ? undefined : `${formatOffset(fileOffsetBytes)} in ${facts.file}`,
    ],
    [
      "entry at",
      entryOffsetBytes === undefined ? undefined : `${formatOffset(entryOffsetBytes)} in ${facts.entryFile}`,
    ],
    ["in", facts.area],
    ["run", `${formatSize(facts.runLengthSectors * 512)} from ${formatOffset(facts.runStartSector * 512)}`],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== undefined);
}

/** Grain table and entry that decide about a grain: `GT 3, entry 17`. */
function tableWords({ grain }: SectorFacts, { tables, grainBytes }: Landmarks): string | undefined {
  if (grain === undefined || typeof tables === "string" || grainBytes === undefined) return undefined;
  const entries = tables / grainBytes;
  return `GT ${Math.floor(grain / entries)}, entry ${grain % entries}`;
}

/** The same as a sentence. */
export function sectorWords(facts: SectorFacts): string {
  const run = formatSize(facts.runLengthSectors * 512);
  const owner = facts.link === undefined ? "" : ` from ${facts.link}`;
  const area = facts.area === undefined ? "" : `, in ${facts.area}`;
  return `Sector ${facts.sector}: ${KINDS[facts.kind]}${owner}${area}, in a run of ${run}.`;
}

export interface Cell {
  readonly sector: number;
  readonly data: number;
  readonly zero: number;
  readonly known: number;
  readonly damaged: boolean;
  /** How it compares, where the map is coloured by that. */
  readonly change?: number | undefined;
}

/** A cell as a sentence. */
export function cellWords(cell: Cell, sectorsPerCell: number): string {
  const where = `${formatOffset(cell.sector * 512)}, cell of ${formatSize(sectorsPerCell * 512)}:`;
  if (cell.known === 0) return `${where} not scanned yet.`;
  const isSeen = cell.known === 2 || cell.damaged || cell.data > 0 || cell.zero > 0;
  if (!isSeen) return `${where} has tables that are not read yet.`;
  const parts = [
    cell.damaged ? "damaged" : "",
    changeWords(cell),
    cell.data > 0 ? `${formatShare(cell.data, 1)} data` : "",
    cell.zero > 0 ? `${formatShare(cell.zero, 1)} zeroed` : "",
  ].filter((part) => part !== "");
  return `${where} ${parts.length === 0 ? "unchanged" : parts.join(", ")}.`;
}

function changeWords({ change, data }: Cell): string {
  if (change === undefined) return "";
  if (change === NEW_DATA && data > 0) return "new";
  if (change === NEW_ZEROS) return "new zeros";
  return data > 0 ? "reused" : "";
}
