/**
 * A disk in a file that passes by once, front to back: what can be told at its start, and the way through it.
 *
 * This module is browser compatible.
 */
import { openCowd } from "../formats/vmdk/cowd.ts";
import { type Descriptor, parseDescriptor } from "../formats/vmdk/descriptor.ts";
import { HEAD_BYTES } from "../formats/vmdk/descriptor_text.ts";
import { noRuns } from "../disk/disk.ts";
import { RegrainError } from "../errors.ts";
import type { TableExtent } from "../formats/vmdk/grain_tables.ts";
import { readHeader } from "../header.ts";
import {
  capacityInFooter,
  extentOfHeader,
  hasGrainMarkers,
  holdsDescriptorOnly,
  type HostedHeader,
  parseHosted,
  readEmbeddedDescriptor,
} from "../formats/vmdk/hosted_sparse.ts";
import type { Inflater } from "../inflate.ts";
import type { Link } from "../disk/link.ts";
import { linkOfExtent } from "../formats/vmdk/link.ts";
import { notADisk, probeHead } from "../formats/probe.ts";
import { openSeSparse } from "../formats/vmdk/sesparse.ts";
import { Findings } from "../disk/findings.ts";
import type { LinkSurvey } from "../disk/survey.ts";
import { SECTOR_SIZE } from "../units.ts";
import { HeadPassage } from "./head.ts";
import { type ForwardInput, FrontSource, MAX_SLACK_BYTES, PIPE_NAME } from "./input.ts";
import { MarkerPassage } from "./markers.ts";
import { LOOSE_BYTES } from "./passage.ts";
import { TablePassage, type Tools } from "./tables.ts";
import type { Core } from "../wasm.ts";

const NO_DESCRIPTOR = "a pipe brings no descriptor: which parent the delta belongs to cannot be checked";

/** A disk that has begun to pass by. */
export interface ForwardDisk {
  readonly link: Link;
  /** What is known before the first grain. The sums are those of the whole disk if `isSurveyed`, else 0. */
  readonly survey: LinkSurvey;
  readonly isSurveyed: boolean;
  /**
   * Passes the rest of the file and hands everything in it to the sink.
   *
   * @throws {RegrainError} `TRUNCATED`, `DAMAGED`, `GRAIN_DAMAGED`, `NO_SPACE`, `LIMIT_EXCEEDED`, and what the sink
   * throws.
   */
  run(): Promise<void>;
}

export interface ForwardOptions {
  readonly inflate: Inflater;
  readonly ignoreJournal: boolean;
}

/** The part of the kernels' buffer that an input takes for its window. */
export function forwardWindow(core: Core): Uint8Array {
  return core.buffer.subarray(0, core.buffer.length - LOOSE_BYTES);
}

/**
 * Looks at the start of a file.
 *
 * @throws {RegrainError} `NOT_A_DISK`, and all that opening the same file by its name may.
 */
export async function openForward(tools: Tools, options: ForwardOptions): Promise<ForwardDisk> {
  const { input } = tools;
  await input.fillFront();
  await input.require(SECTOR_SIZE);
  const front = new FrontSource(input);
  const headBytes = Math.min(input.availableBytes, HEAD_BYTES);
  const seen = probeHead(input.bytes(headBytes).slice());
  if (seen.kind === "cowd") return tableDisk(await openCowd(front), tools);
  if (seen.kind === "sesparse") return tableDisk(await openSeSparse(front, options), tools);
  if (seen.kind === "hosted") return await hostedDisk(front, tools, options);
  if (seen.kind !== "descriptor") throw notADisk({ path: PIPE_NAME, sizeBytes: headBytes }, seen);
  throw new RegrainError("NOT_A_DISK", "a descriptor names the disk's files and holds no data", {
    path: PIPE_NAME,
    hint: "send the file with the data: vm-000001-delta.vmdk or vm-000001-sesparse.vmdk",
  });
}

function tableDisk(extent: TableExtent, tools: Tools): ForwardDisk {
  const link = linkOfExtent(extent, undefined, NO_DESCRIPTOR);
  const passage = new TablePassage(extent, tools);
  return { link, survey: headerSurvey(link), isSurveyed: false, run: () => passage.run() };
}

async function hostedDisk(front: FrontSource, tools: Tools, options: ForwardOptions): Promise<ForwardDisk> {
  const first = await readHeader(front, SECTOR_SIZE);
  const text = await readEmbeddedDescriptor(front);
  const descriptor = text && parseDescriptor(text, PIPE_NAME);
  if (descriptor && (descriptor.extents.length > 1 || await holdsDescriptorOnly(front))) {
    throw new RegrainError("UNSUPPORTED", "its descriptor names several files, a pipe brings one", {
      path: PIPE_NAME,
      hint: "copy all of them here and apply the disk by its name",
    });
  }
  const header = withCapacity(parseHosted(first), descriptor);
  const { directorySector = Infinity, overheadSectors } = header;
  const tablesFollow = directorySector >= overheadSectors;
  if (header.compressed && hasGrainMarkers(header) && tablesFollow) {
    const extent = extentOfHeader(header, front);
    const isAssumed = parseHosted(first).capacitySectors === 0;
    const findings = [...extent.findings, ...(isAssumed ? [capacityInFooter(PIPE_NAME)] : [])];
    const link = linkOfExtent({ ...extent, findings }, descriptor, NO_DESCRIPTOR);
    const passage = new MarkerPassage(header, tools, options);
    return { link, survey: headerSurvey(link), isSurveyed: false, run: () => passage.run() };
  }
  const passage = await HeadPassage.open(header, tools, { ...options, descriptor });
  return { link: passage.link, survey: passage.survey, isSurveyed: true, run: () => passage.run() };
}

/** A header without a capacity has that of the one extent in its descriptor; the footer must say the same. */
function withCapacity(header: HostedHeader, descriptor: Descriptor | undefined): HostedHeader {
  if (header.capacitySectors > 0) return header;
  const line = descriptor?.extents.length === 1 ? descriptor.extents[0] : undefined;
  if (line && line.type === "SPARSE" && line.sizeSectors > 0) {
    return { ...header, capacitySectors: line.sizeSectors };
  }
  throw new RegrainError("UNSUPPORTED", "the header says capacity 0, only the end of the file knows it", {
    path: PIPE_NAME,
    offsetBytes: 12,
    hint: "copy the file here and apply it by its name",
  });
}

/** The findings of the headers, in the form of a survey. */
export function headerSurvey(link: Link): LinkSurvey {
  const findings = new Findings();
  for (const finding of link.findings) findings.add(finding);
  for (const { extent } of link.extents) for (const finding of extent.findings) findings.add(finding);
  return { link, findings, ...noRuns() };
}

/** What came behind the last byte that means anything. */
export interface Slack {
  readonly slackBytes: number;
  /** True when there was more than anybody should send, and its end was not waited for. */
  readonly isLeft: boolean;
  /** Byte of the stream at which another disk begins. */
  readonly nextDiskAt: number | undefined;
}

/** Passes what comes behind the disk, so that whoever sends it can end in peace. */
export async function passSlack(input: ForwardInput): Promise<Slack> {
  const from = input.position;
  await input.drain(MAX_SLACK_BYTES, SECTOR_SIZE);
  if (input.ended) await input.drain(0, 0);
  return { slackBytes: input.position - from, isLeft: !input.ended, nextDiskAt: input.stray.at };
}
