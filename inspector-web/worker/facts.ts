/** What was opened, in the words of the protocol. */
import {
  type Extent,
  FORMAT_NAMES,
  formatCid,
  type Link,
  SECTOR_SIZE,
  type Verdict,
} from "../../core-as/host/mod.ts";
import type { FileFacts, LinkFacts, Opened, View } from "../shared/protocol.ts";
import { deltasOf } from "./bench.ts";
import { commandFor } from "./command.ts";
import type { MapRuns } from "./map_json.ts";
import type { Chain } from "./open.ts";

/** @param start Index of the link that was asked for. */
export function openedChain(
  { links, verdicts, isWhole, remarks }: Chain,
  names: readonly string[],
  start: number,
): Opened {
  return {
    links: links.map((link, i) => linkFacts(link, verdicts[i])),
    isWhole,
    capacitySectors: links[0]!.capacitySectors,
    remarks: [...remarks, ...names],
    command: commandFor(links),
    mapOnly: false,
    start: firstView(links, start),
  };
}

/** All deltas merged are what an apply writes: they come first, unless an older link was asked for by name. */
function firstView(links: readonly Link[], asked: number): View {
  if (asked > 0) return Math.min(asked, links.length - 1);
  return deltasOf(links).length > 1 ? "deltas" : 0;
}

export function openedMap(runs: MapRuns, file: FileFacts, remarks: readonly string[]): Opened {
  return {
    links: [{
      name: runs.name,
      format: "map",
      capacityBytes: runs.capacitySectors * SECTOR_SIZE,
      grainBytes: undefined,
      cid: undefined,
      parentCid: undefined,
      parentHint: undefined,
      isBase: false,
      files: [file],
      verdict: undefined,
    }],
    isWhole: false,
    capacitySectors: runs.capacitySectors,
    remarks: [...remarks, "only a map was opened: there are no bytes to look at"],
    command: undefined,
    mapOnly: true,
    start: 0,
  };
}

function linkFacts(link: Link, verdict: Verdict | undefined): LinkFacts {
  const { path, descriptor, extents, capacitySectors, isBase } = link;
  const grained = extents.find(({ extent }) => extent.grainSectors !== undefined)?.extent.grainSectors;
  const formats = new Set(extents.map(({ extent }) => FORMAT_NAMES[extent.format]));
  return {
    name: path,
    format: [...formats].join(", "),
    capacityBytes: capacitySectors * SECTOR_SIZE,
    grainBytes: grained === undefined ? undefined : grained * SECTOR_SIZE,
    cid: descriptor?.cid === undefined ? undefined : formatCid(descriptor.cid),
    parentCid: descriptor?.parentCid === undefined ? undefined : formatCid(descriptor.parentCid),
    parentHint: descriptor?.parentFileNameHint,
    isBase,
    files: filesOf(link),
    verdict: verdict && { matches: verdict.state !== "mismatch", sentences: verdict.reasons },
  };
}

/** The descriptor, where it is a file of its own, and each extent's file once. */
function filesOf({ path, descriptor, extents }: Link): FileFacts[] {
  const files = new Map<string, FileFacts>();
  if (descriptor && !extents.some(({ extent }) => extent.path === path && extent.file)) {
    const facts = {
      version: descriptor.version,
      createType: descriptor.createType,
      encoding: descriptor.encoding,
    };
    files.set(path, { name: path, sizeBytes: descriptor.text.length, format: "descriptor", facts });
  }
  for (const { extent } of extents) {
    if (extent.file && !files.has(extent.path)) files.set(extent.path, extentFacts(extent));
  }
  return [...files.values()];
}

function extentFacts({ path, file, format, facts }: Extent): FileFacts {
  return { name: path, sizeBytes: file?.sizeBytes ?? 0, format: FORMAT_NAMES[format], facts };
}
