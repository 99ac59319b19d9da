/**
 * VMDKs on the way past: which passage reads which kind of extent.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { type Kind, notADisk } from "../formats/probe.ts";
import { openCowd } from "../formats/vmdk/cowd.ts";
import { type Descriptor, parseDescriptor } from "../formats/vmdk/descriptor.ts";
import type { TableExtent } from "../formats/vmdk/grain_tables.ts";
import {
  capacityInFooter,
  extentOfHeader,
  hasGrainMarkers,
  holdsDescriptorOnly,
  type HostedHeader,
  parseHosted,
  readEmbeddedDescriptor,
} from "../formats/vmdk/hosted_sparse.ts";
import { linkOfExtent } from "../formats/vmdk/link.ts";
import { openSeSparse } from "../formats/vmdk/sesparse.ts";
import { readHeader } from "../header.ts";
import { SECTOR_SIZE } from "../units.ts";
import { type ForwardDisk, type ForwardOptions, type ForwardRecord, headerSurvey } from "./disk.ts";
import { HeadPassage } from "./head.ts";
import { type FrontSource, PIPE_NAME } from "./input.ts";
import { MarkerPassage } from "./markers.ts";
import { TablePassage, type Tools } from "./tables.ts";

const NO_DESCRIPTOR = "a pipe brings no descriptor: which parent the delta belongs to cannot be checked";

type Reader = (front: FrontSource, tools: Tools, options: ForwardOptions) => Promise<ForwardDisk>;

/** One a kind of extent; a line each. */
const READERS: Partial<Record<Kind, Reader>> = {
  cowd: async (front, tools) => tableDisk(await openCowd(front), tools),
  sesparse: async (front, tools, options) => tableDisk(await openSeSparse(front, options), tools),
  hosted: hostedDisk,
  descriptor: () => Promise.reject(holdsNoData()),
};

export const VMDK_FORWARD: ForwardRecord = {
  name: "vmdk",
  async readForward({ front, seen }, tools, options) {
    const read = READERS[seen.kind];
    if (!read) throw notADisk({ path: PIPE_NAME, sizeBytes: seen.head.length }, seen);
    return await read(front, tools, options);
  },
};

function holdsNoData(): RegrainError {
  return new RegrainError("NOT_A_DISK", "a descriptor names the disk's files and holds no data", {
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
