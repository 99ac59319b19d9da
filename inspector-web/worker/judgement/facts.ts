/** What was opened, in the words of the protocol. */
import {
  descriptorOf,
  type Extent,
  formatCid,
  type Link,
  SECTOR_SIZE,
  type Verdict,
} from "../../../core-as/host/mod.ts";
import type { FileFacts, JudgementFacts, LinkFacts, Opened, View } from "../../shared/protocol.ts";
import { deltasOf } from "../disk/bench.ts";
import { firstJudgement } from "./judgement.ts";
import type { MapRuns } from "../disk/map_json.ts";
import type { Chain } from "../disk/chain.ts";

/** @param start Index of the link that was asked for. */
export function openedChain(
  chain: Chain,
  names: readonly string[],
  start: number,
): Opened {
  const { links, verdicts, isWhole, remarks } = chain;
  return {
    links: links.map((link, i) => linkFacts(link, verdicts[i])),
    isWhole,
    capacitySectors: links[0]!.capacitySectors,
    remarks: [...remarks, ...names],
    judgement: firstJudgement(chain),
    mapOnly: false,
    start: firstView(links, start),
  };
}

/** Where there are no deltas that could be applied. */
export const NO_JUDGEMENT: JudgementFacts = {
  state: "nothing",
  isFinal: true,
  deltas: 0,
  refusals: [],
  unknowns: [],
  agreed: [],
  against: [],
  command: undefined,
  plan: undefined,
};

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
    judgement: NO_JUDGEMENT,
    mapOnly: true,
    start: 0,
  };
}

function linkFacts(link: Link, verdict: Verdict | undefined): LinkFacts {
  const { path, identity, extents, capacitySectors, isBase } = link;
  const [cid, parentCid] = [identity?.own.cid, identity?.parent.cid];
  const grained = extents.find(({ extent }) => extent.grainSectors !== undefined)?.extent.grainSectors;
  const formats = new Set(extents.map(({ extent }) => extent.formatName));
  return {
    name: path,
    format: [...formats].join(", "),
    capacityBytes: capacitySectors * SECTOR_SIZE,
    grainBytes: grained === undefined ? undefined : grained * SECTOR_SIZE,
    cid: cid === undefined ? undefined : formatCid(cid),
    parentCid: parentCid === undefined ? undefined : formatCid(parentCid),
    parentHint: link.parent?.name,
    isBase,
    files: filesOf(link),
    verdict: verdict && { state: verdict.state, sentences: verdict.reasons },
  };
}

/** The descriptor, where it is a file of its own, and each extent's file once. */
function filesOf(link: Link): FileFacts[] {
  const { path, extents } = link;
  const descriptor = descriptorOf(link);
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

function extentFacts({ path, file, formatName, facts }: Extent): FileFacts {
  return { name: path, sizeBytes: file?.sizeBytes ?? 0, format: formatName, facts };
}
