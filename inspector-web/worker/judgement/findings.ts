/** Everything the tables of all links say that cannot be. */
import {
  type Extent,
  Link,
  type LinkSurvey,
  type PlacedExtent,
  SECTOR_SIZE,
  surveyLink,
} from "../../../core-as/host/mod.ts";
import type { Answers, FindingFact, Surveyed } from "../../shared/protocol.ts";
import type { Bench } from "../disk/bench.ts";
import { breathe } from "../disk/lock.ts";

/** Between two words of how far it is, and before messages are let in. */
const NOTICE_MS = 200;
const SLICE_MS = 16;

/** How far a survey is: it has no steps of its own, so the extents are watched that it asks. */
class Progress {
  private totalSectors = 0;
  /** Of extents, and of passes over one, that are done. */
  private doneSectors = 0;
  private passSectors = 0;
  private toldMs = performance.now();
  private breathedMs = this.toldMs;

  constructor(private readonly tell: (surveyed: Surveyed) => void) {}

  /** The same link, whose extents say what is asked of them. */
  watch(link: Link, seenSectors: number): Link {
    const extents = link.extents.map((placed) => ({ ...placed, extent: this.watched(placed, seenSectors) }));
    return new Link(link.said, extents, link.findings);
  }

  private watched({ extent, lengthSectors }: PlacedExtent, seenSectors: number): Extent {
    const sectors = Math.min(lengthSectors, extent.capacitySectors);
    // Of a file that is larger than the map of what is in use, one part is looked at after the other.
    const fileSectors = (extent.file?.sizeBytes ?? 0) / SECTOR_SIZE;
    const passes = extent.grainSectors === undefined ? 1 : Math.max(1, Math.ceil(fileSectors / seenSectors));
    this.totalSectors += sectors * passes;
    const watched: Extent = Object.assign(Object.create(extent) as Extent, {
      fill: async (...asked: Parameters<Extent["fill"]>) => {
        const [, , { from }] = asked;
        if (from === 0) this.beginPass(sectors);
        await this.reach(from);
        return await extent.fill(...asked);
      },
      verifyGrain: extent.verifyGrain && (async (sector: number) => {
        await this.reach(sector);
        return await extent.verifyGrain!(sector);
      }),
    });
    return watched;
  }

  /** What was gone over before is done. */
  private beginPass(sectors: number): void {
    this.doneSectors += this.passSectors;
    this.passSectors = sectors;
  }

  private async reach(sector: number): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.toldMs >= NOTICE_MS) {
      this.toldMs = nowMs;
      this.tell({ doneSectors: this.doneSectors + sector, totalSectors: this.totalSectors });
    }
    if (nowMs - this.breathedMs < SLICE_MS) return;
    await breathe();
    this.breathedMs = performance.now();
  }
}

/** What was found in all links, newest first, and the same in words. */
export interface ChainSurvey {
  readonly surveys: readonly LinkSurvey[];
  readonly answer: Answers["findings"];
}

/** A survey cannot be cut into steps, so it is made on a bench of its own. */
export async function surveyChain(
  { chain, kernels }: Bench,
  tell: (surveyed: Surveyed) => void,
): Promise<ChainSurvey> {
  const findings: FindingFact[] = [];
  const counts = { damage: 0, doubt: 0, note: 0 };
  const progress = new Progress(tell);
  const { core, lock } = kernels;
  const links = chain.links.map((link) => progress.watch(link, core.kernels.seenSectors()));
  const surveys: LinkSurvey[] = [];
  for (const link of links) {
    const survey = await lock.run(() => surveyLink(core, link, { overlaps: true }));
    surveys.push(survey);
    for (const severity of ["damage", "doubt", "note"] as const) {
      counts[severity] += survey.findings.counts[severity];
    }
    for (const { severity, kind, path, offsetBytes, message } of survey.findings.kept) {
      findings.push({ severity, kind, file: path, offsetBytes, message });
    }
  }
  return { surveys, answer: { findings, counts } };
}
