/** `regrain check`: every damage of an image, with where it stands. */
import {
  judgeChain,
  type Link,
  type LinkSurvey,
  openChain,
  openLink,
  surveyLink,
  type Verdict,
} from "../../core-as/host/mod.ts";
import { findingLine, healthOf, surveyJson, verdictLine } from "./describe.ts";
import { type DiskFlags, type Session, startSession } from "./session.ts";

export interface CheckFlags extends DiskFlags {
  readonly chain?: boolean | undefined;
}

/** @returns 0 when every image is sound, 1 when one is not. */
export async function runCheck(images: readonly string[], flags: CheckFlags): Promise<number> {
  const session = startSession(flags);
  let sound = true;
  const documents: unknown[] = [];
  for (const image of images) {
    const links = flags.chain
      ? await openChain(image, session.context)
      : [await openLink(image, session.context, "image")];
    const verdicts = judgeChain(links);
    const surveys = await surveyAll(links, session);
    const imageSound = surveys.every(({ findings: { counts } }) => counts.damage + counts.doubt === 0) &&
      verdicts.every(({ refused }) => !refused);
    sound &&= imageSound;
    if (session.console.json) documents.push(checkJson(image, { sound: imageSound, surveys, verdicts }));
    else print({ surveys, verdicts }, session);
    for (const link of links) link.close();
  }
  if (session.console.json) session.console.outJson(documents.length === 1 ? documents[0] : documents);
  session.console.flush();
  return sound ? 0 : 1;
}

async function surveyAll(links: readonly Link[], session: Session): Promise<LinkSurvey[]> {
  const surveys: LinkSurvey[] = [];
  for (const link of links) surveys.push(await surveyLink(session.context.core, link, { overlaps: true }));
  return surveys;
}

function checkJson(
  image: string,
  result: { sound: boolean; surveys: LinkSurvey[]; verdicts: Verdict[] },
): unknown {
  return {
    image,
    sound: result.sound,
    links: result.surveys.map((survey) => ({ path: survey.link.path, ...surveyJson(survey) })),
    verdicts: result.verdicts,
  };
}

function print(result: { surveys: LinkSurvey[]; verdicts: Verdict[] }, { console }: Session): void {
  for (const { link, findings } of result.surveys) {
    console.out(`${link.path}: ${healthOf(findings)}`);
    for (const finding of findings.kept) {
      console.out(`  ${finding.severity} ${finding.kind}: ${findingLine(finding)}`);
    }
    const counted = findings.counts.damage + findings.counts.doubt + findings.counts.note;
    if (findings.overflowed) console.out(`  ... and ${`${counted - findings.kept.length} more`}`);
  }
  for (const verdict of result.verdicts) {
    console.out(`${verdict.child} on ${verdict.parent}: ${verdictLine(verdict)}`);
  }
}
