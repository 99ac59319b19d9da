/** Small texts that several panels say alike. */
import { plural } from "../../../core-as/host/units.ts";
import type { Answers, AreaFacts, LinkFacts, Opened, ScanState, View } from "../../shared/protocol.ts";
import { formatOffset, formatShare } from "../../shared/units.ts";
import type { StepState } from "./store.ts";

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
  if (view === "merged") return "deltas and base merged";
  if (view === "deltas") return "all deltas merged";
  return opened.links[view]?.name ?? `link ${view}`;
}

/** The link that stands for a view: the newest of those that are merged. */
export function linkOf(opened: Opened | undefined, view: View): LinkFacts | undefined {
  return opened?.links[typeof view === "number" ? view : 0];
}

/** True of a view that shows what deltas write, and not the whole disk. */
export function isDelta(opened: Opened, view: View): boolean {
  if (opened.snapshot) return false;
  return view === "merged" ? !opened.isWhole : linkOf(opened, view)?.isBase === false;
}

/** Views that exist, in the order that they are offered in. */
export function viewsOf({ links, isWhole }: Opened): readonly View[] {
  if (links.length < 2) return [0];
  const deltas = links.filter(({ isBase }) => !isBase).length;
  return [
    ...(deltas > 1 ? ["deltas" as const] : []),
    ...links.keys(),
    ...(isWhole ? ["merged" as const] : []),
  ];
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

/** How far the steps to the next change are. */
export function stepWords({ waiting, message }: StepState): string {
  return waiting > 0 ? `looking, ${plural(waiting, "step")} to go (Esc stops)` : message;
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
