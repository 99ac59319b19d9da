/** `regrain info`: what an image is. */
import {
  causesOf,
  descriptorOf,
  formatCid,
  formatSize,
  identifyParents,
  judgeApply,
  type Judgement,
  type Link,
  type LinkIdentity,
  type LinkSurvey,
  newerBeside,
  openLink,
  plural,
  quotePath,
  type RegrainError,
  SECTOR_SIZE,
  surveyLink,
} from "../../core-as/host/mod.ts";
import { openingWords } from "../context.ts";
import { PATH } from "../places/path.ts";
import { imageOf } from "../places/place.ts";
import { type Console, layoutPairs } from "../ui/mod.ts";
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
import { type DiskFlags, type Session, startSession } from "../session/session.ts";

const IMAGE = imageOf("info");
/** What is behind more findings than these is left to `check`. */
const SHOWN_CAUSES = 5;

/** An image with all that is known of it. */
interface Report {
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

/** @throws {RegrainError} for the first image that cannot be opened. */
export async function runInfo(images: readonly string[], flags: DiskFlags): Promise<number> {
  const session = startSession(flags);
  const documents: unknown[] = [];
  for (const [i, image] of images.entries()) {
    const { kind } = session.places.take(image, IMAGE);
    if (kind === PATH && session.io.stat(image)?.kind === "directory") {
      if (i > 0 && !session.console.json) session.console.out();
      const { infoFolder } = await import("./info_folder.ts");
      const document = await infoFolder(image, session, openingWords(flags));
      if (session.console.json) documents.push(document);
      continue;
    }
    const report = await inspect(image, session, openingWords(flags));
    if (session.console.json) documents.push(reportJson(image, report));
    else {
      if (i > 0) session.console.out();
      printReport(image, report, session.console);
    }
    report.link.close();
  }
  if (session.console.json) session.console.outJson(documents.length === 1 ? documents[0] : documents);
  session.console.flush();
  return 0;
}

async function inspect(image: string, { context }: Session, words: readonly string[]): Promise<Report> {
  const link = await openLink(image, context, "image");
  const survey = await surveyLink(context.core, link, { overlaps: true });
  const { parents, error } = await identifyParents(link, context);
  const judgement = judgeApply({ links: [link, ...parents], findings: [survey.findings], flags: words });
  return { link, survey, parents, judgement, newer: await newerBeside(link, context), chainError: error };
}

function reportJson(image: string, report: Report): unknown {
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

function printReport(image: string, report: Report, console: Console): void {
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

function printChain(report: Report, console: Console): void {
  for (const verdict of report.judgement.verdicts) {
    console.out(`  parent ${verdict.parent}`);
    console.out(`    ${verdictLine(verdict)}`);
  }
  if (report.newer.length > 0) console.out(`  ${newerLine(report.newer)}`);
  if (report.chainError) console.out(`  chain: ${report.chainError.message}`);
  for (const line of judgementLines(report.judgement)) console.out(`  apply: ${line}`);
}
