/** What `info` says: what an image is, or a folder. */
import {
  causesOf,
  descriptorOf,
  formatCid,
  formatSize,
  type Judgement,
  type Link,
  type LinkIdentity,
  type LinkSurvey,
  plural,
  quotePath,
  type RegrainError,
  SECTOR_SIZE,
} from "../../core-as/host/mod.ts";
import {
  exactSize,
  findingLine,
  formatOf,
  healthOf,
  linkJson,
  newerLine,
  surveyJson,
  verdictLine,
} from "../ui/describe.ts";
import { judgementJson, judgementLines } from "../ui/describe_judgement.ts";
import { type Console, layoutPairs } from "../ui/mod.ts";
import type { MovableFolder } from "../vm/moving.ts";
import { folderJson, printFolder } from "./info_folder.ts";

/** What is behind more findings than these is left to `check`. */
const SHOWN_CAUSES = 5;

/** An image with all that is known of it. */
export interface ImageFacts {
  readonly link: Link;
  readonly survey: LinkSurvey;
  /** By their descriptors, newest first. */
  readonly parents: readonly LinkIdentity[];
  /** Paths of deltas beside it that stand on it. */
  readonly newer: readonly string[];
  /** Whether it can be applied onto what lies below. */
  readonly judgement: Judgement;
  /** Why the chain ends before its base. */
  readonly chainError: RegrainError | undefined;
}

export interface InfoReport {
  image(image: string, facts: ImageFacts): void;
  folder(path: string, found: MovableFolder): void;
  end(): void;
}

export function infoReport(console: Console): InfoReport {
  return console.json ? new JsonInfoReport(console) : new TextInfoReport(console);
}

/** One document, or a list of them. */
class JsonInfoReport implements InfoReport {
  private readonly documents: unknown[] = [];

  constructor(private readonly console: Console) {}

  image(image: string, facts: ImageFacts): void {
    this.documents.push(imageJson(image, facts));
  }

  folder(path: string, found: MovableFolder): void {
    this.documents.push(folderJson(path, found));
  }

  end(): void {
    this.console.outJson(this.documents.length === 1 ? this.documents[0] : this.documents);
  }
}

class TextInfoReport implements InfoReport {
  private count = 0;

  constructor(private readonly console: Console) {}

  image(image: string, facts: ImageFacts): void {
    this.separate();
    printImage(image, facts, this.console);
  }

  folder(path: string, found: MovableFolder): void {
    this.separate();
    printFolder(path, found, this.console);
  }

  end(): void {}

  private separate(): void {
    if (this.count++ > 0) this.console.out();
  }
}

function imageJson(image: string, report: ImageFacts): unknown {
  return {
    image,
    ...linkJson(report.link),
    ...surveyJson(report.survey),
    chain: [report.link, ...report.parents].map(({ path }) => path),
    verdicts: report.judgement.verdicts,
    judgement: judgementJson(report.judgement),
    newer: report.newer,
    chainError: report.chainError === undefined
      ? null
      : { code: report.chainError.code, message: report.chainError.message, hint: report.chainError.hint },
  };
}

function printImage(image: string, report: ImageFacts, console: Console): void {
  const { link, survey } = report;
  console.out(console.paint("bold", image, "out"));
  const pairs: [string, string][] = [
    ["format", formatOf(link)],
    ["capacity", `${exactSize(link.capacitySectors * SECTOR_SIZE)}, ${link.capacitySectors} sectors`],
    ...descriptorPairs(link),
    ["data", exactSize(survey.dataBytes)],
    ["zero", exactSize(survey.zeroBytes)],
    ["hole", `${exactSize(survey.holeBytes)}, ${link.isBase ? "reads as zeros" : "the parent shows"}`],
    ...(survey.damagedBytes > 0
      ? [["damaged", `${exactSize(survey.damagedBytes)}, nobody knows what is there`] as [string, string]]
      : []),
    ["runs", `${plural(survey.runCount, "run")} of data and zeros`],
    ["health", healthOf(survey.findings)],
  ];
  for (const line of layoutPairs(pairs)) console.out(line);
  printExtents(link, console);
  printChain(report, console);
  const causes = causesOf(survey.findings);
  for (const cause of causes.slice(0, SHOWN_CAUSES)) {
    console.out(`  ${cause.severity}: ${findingLine(cause)}`);
  }
  if (survey.findings.total > SHOWN_CAUSES) {
    console.out(`  ... regrain check --all ${quotePath(image)} lists each`);
  }
}

function descriptorPairs(link: Link): [string, string][] {
  const descriptor = descriptorOf(link);
  if (!descriptor) return [["descriptor", "none"]];
  const pairs: [string, string][] = [];
  if (descriptor.createType) pairs.push(["createType", descriptor.createType]);
  if (descriptor.cid !== undefined) pairs.push(["CID", formatCid(descriptor.cid)]);
  if (link.delta && descriptor.parentCid !== undefined) {
    pairs.push(["parentCID", formatCid(descriptor.parentCid)]);
  }
  if (descriptor.parentFileNameHint) pairs.push(["parent", descriptor.parentFileNameHint]);
  if (descriptor.changeTrackPath) pairs.push(["change tracking", descriptor.changeTrackPath]);
  return pairs;
}

function printExtents(link: Link, console: Console): void {
  for (const { extent, lengthSectors } of link.extents) {
    const facts = Object.entries(extent.facts).map(([name, value]) => `${name} ${value}`).join(", ");
    console.out(`  extent ${extent.path}: ${extent.format}, ${formatSize(lengthSectors * SECTOR_SIZE)}`);
    if (console.verbose && facts) console.out(`    ${facts}`);
  }
}

function printChain(report: ImageFacts, console: Console): void {
  for (const verdict of report.judgement.verdicts) {
    console.out(`  parent ${verdict.parent}`);
    console.out(`    ${verdictLine(verdict)}`);
  }
  if (report.newer.length > 0) console.out(`  ${newerLine(report.newer)}`);
  if (report.chainError) console.out(`  chain: ${report.chainError.message}`);
  for (const line of judgementLines(report.judgement)) console.out(`  apply: ${line}`);
}
