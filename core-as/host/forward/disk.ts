/**
 * What a disk is that passes by once, and what a format has to offer to be read so.
 *
 * This module is browser compatible.
 */
import { noRuns } from "../disk/disk.ts";
import { Findings } from "../disk/findings.ts";
import type { Link } from "../disk/link.ts";
import type { LinkSurvey } from "../disk/survey.ts";
import type { FormatRecord } from "../formats/format.ts";
import type { Probe } from "../formats/probe.ts";
import type { Inflater } from "../inflate.ts";
import type { FrontSource } from "./input.ts";
import type { Tools } from "./tables.ts";

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

/** A format that can be read in one pass: its record, and the way through. */
export interface ForwardRecord extends Pick<FormatRecord, "name"> {
  /**
   * Looks at the start of a file that begins like one of this format.
   *
   * @throws {RegrainError} all that opening the same file by its name may.
   */
  readForward(start: ForwardStart, tools: Tools, options: ForwardOptions): Promise<ForwardDisk>;
}

/** The first bytes of what passes by. */
export interface ForwardStart {
  readonly front: FrontSource;
  readonly seen: Probe;
}

/** The findings of the headers, in the form of a survey. */
export function headerSurvey(link: Link): LinkSurvey {
  const findings = new Findings();
  for (const finding of link.findings) findings.add(finding);
  for (const { extent } of link.extents) for (const finding of extent.findings) findings.add(finding);
  return { link, findings, ...noRuns() };
}
