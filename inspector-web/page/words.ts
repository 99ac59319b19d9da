/** Small texts that several panels say alike. */
import type { Answers, AreaFacts, LinkFacts, Opened, ScanState, View } from "../shared/protocol.ts";
import { formatOffset, formatShare } from "../shared/units.ts";

/** A time as it is written everywhere in the program: `2026-11-21 03:00:00 UTC`. */
export function timeWords(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `71 % scanned`, or how it stands otherwise. */
export function scanWords(scan: ScanState | undefined): string {
  if (!scan) return "not scanned yet";
  if (scan.finished) return "all scanned";
  return `${Math.floor(scan.doneSectors / Math.max(1, scan.totalSectors) * 100)} % scanned`;
}

export function viewName(opened: Opened, view: View): string {
  if (view === "merged") return "all links merged";
  return opened.links[view]?.name ?? `link ${view}`;
}

/** What a link is in the chain. */
export function roleOf(link: LinkFacts, index: number): string {
  if (link.isBase) return "base";
  return index === 0 ? "newest delta" : "delta";
}

/** `p2` for the second partition of a disk, in the order of the table; what lies between has its label. */
export function areaNames(areas: readonly AreaFacts[]): readonly string[] {
  let partition = 0;
  return areas.map(({ kind, label }) => kind === "partition" ? `p${++partition}` : label || kind);
}

/** How a search ended. */
export function searchWords({ foundBytes, wrapped, stopped }: Answers["search"]): string {
  if (stopped) return "search stopped";
  if (foundBytes === undefined) return "not found in the data of this disk";
  return `found at ${formatOffset(foundBytes)}${wrapped ? ", going on from the beginning of the disk" : ""}`;
}

/** Share of an area that a link changes. */
export function changedShare({ dataBytes, zeroBytes, lengthBytes }: AreaFacts): string {
  return formatShare(dataBytes + zeroBytes, lengthBytes);
}
