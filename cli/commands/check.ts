/** `regrain check`: every damage of an image, with where it stands. */
import {
  judgeApply,
  type Link,
  type LinkSurvey,
  openChain,
  openLink,
  surveyLink,
} from "../../core-as/host/mod.ts";
import { openingWords } from "../context.ts";
import { imageOf } from "../places/place.ts";
import { CheckReport } from "./check_report.ts";
import { verdictLine } from "../ui/describe.ts";
import { judgementJson, judgementLines } from "../ui/describe_judgement.ts";
import { type DiskFlags, type Session, startSession } from "../session/session.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";

export interface CheckFlags extends DiskFlags {
  readonly chain?: boolean | undefined;
  /** Every finding, not what is behind them. */
  readonly all?: boolean | undefined;
}

const IMAGE = imageOf("check");

/** @returns 0 when every image is sound, 1 when one is not. */
export async function runCheck(images: readonly string[], flags: CheckFlags): Promise<number> {
  const session = startSession(flags);
  let sound = true;
  const report = new CheckReport(session.console, flags.all ?? false, images.length);
  for (const image of images) {
    session.places.take(image, IMAGE);
    const links = flags.chain
      ? await openChain(image, session.context)
      : [await openLink(image, session.context, "image")];
    report.beginImage(image);
    const surveys = await surveyAll(links, { session, report });
    const judgement = judgeApply({
      links,
      findings: surveys.map(({ findings }) => findings),
      flags: openingWords(flags),
    });
    const { verdicts } = judgement;
    const imageSound = surveys.every(({ findings: { counts } }) => counts.damage + counts.doubt === 0) &&
      verdicts.every(({ refused }) => !refused);
    sound &&= imageSound;
    const lines = verdicts.map((verdict) => `${verdict.child} on ${verdict.parent}: ${verdictLine(verdict)}`);
    if (flags.chain) lines.push(...judgementLines(judgement).map((line) => `apply: ${line}`));
    report.endImage({ sound: imageSound, json: { verdicts, judgement: judgementJson(judgement) }, lines });
    for (const link of links) link.close();
  }
  session.console.flush();
  return sound ? 0 : EXIT_DAMAGE;
}

async function surveyAll(
  links: readonly Link[],
  { session, report }: { session: Session; report: CheckReport },
): Promise<LinkSurvey[]> {
  const surveys: LinkSurvey[] = [];
  for (const link of links) {
    const onFinding = report.beginLink(link.path);
    const survey = await surveyLink(session.context.core, link, {
      overlaps: true,
      ...(onFinding && { onFinding }),
    });
    report.endLink(survey);
    surveys.push(survey);
  }
  return surveys;
}
