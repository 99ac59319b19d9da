/** `regrain check`: every damage of an image, with where it stands. */
import {
  judgeApply,
  type Link,
  type LinkSurvey,
  openChain,
  openLink,
  surveyLink,
} from "../../core-as/host/mod.ts";
import { checkUpkeep } from "../../core-as/host/formats/upkeep.ts";
import { openingWords } from "../context.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";
import { imageOf } from "../places/place.ts";
import { type CheckReport, checkReport } from "../report/check.ts";
import { type DiskFlags, type Session, startSession } from "../session/session.ts";

export interface CheckFlags extends DiskFlags {
  readonly chain?: boolean | undefined;
  /** Every finding, not what is behind them. */
  readonly all?: boolean | undefined;
}

const IMAGE = imageOf("check");

/** @returns 0 when every image is sound, 1 when one is not. */
export async function runCheck(images: readonly string[], flags: CheckFlags): Promise<number> {
  const session = startSession(flags);
  const { all = false, chain = false } = flags;
  const report = checkReport(session.console, { all, imageCount: images.length });
  let allSound = true;
  for (const image of images) {
    session.places.take(image, IMAGE);
    const links = chain
      ? await openChain(image, session.context)
      : [await openLink(image, session.context, "image")];
    report.image(image);
    const surveys = await surveyAll(links, { session, report });
    const findings = surveys.map(({ findings }) => findings);
    const judgement = judgeApply({ links, findings, flags: openingWords(flags) });
    const sound = findings.every(({ counts }) => counts.damage + counts.doubt === 0) &&
      judgement.verdicts.every(({ refused }) => !refused);
    allSound &&= sound;
    report.imageDone({ sound, judgement, chain });
    for (const link of links) link.close();
  }
  session.console.flush();
  return allSound ? 0 : EXIT_DAMAGE;
}

async function surveyAll(
  links: readonly Link[],
  { session, report }: { session: Session; report: CheckReport },
): Promise<LinkSurvey[]> {
  const surveys: LinkSurvey[] = [];
  for (const link of links) {
    const onFinding = report.link(link.path);
    const survey = await surveyLink(session.context.core, link, {
      overlaps: true,
      ...(onFinding && { onFinding }),
    });
    await checkUpkeep(link, (finding) => survey.findings.add(finding));
    report.linkDone(survey);
    surveys.push(survey);
  }
  return surveys;
}
