/** `regrain info`: what an image is, or what is in the folder of a VM. */
import {
  identifyParents,
  judgeApply,
  newerBeside,
  openLink,
  surveyFolder,
  surveyLink,
} from "../../core-as/host/mod.ts";
import { openingWords } from "../context.ts";
import { PATH } from "../places/path.ts";
import { imageOf } from "../places/place.ts";
import { type ImageFacts, infoReport } from "../report/info.ts";
import { type DiskFlags, type Session, startSession } from "../session/session.ts";

const IMAGE = imageOf("info");

/** @throws {RegrainError} for the first image that cannot be opened. */
export async function runInfo(images: readonly string[], flags: DiskFlags): Promise<number> {
  const session = startSession(flags);
  const report = infoReport(session.console);
  const words = openingWords(flags);
  for (const image of images) {
    const { kind } = session.places.take(image, IMAGE);
    if (kind === PATH && session.io.stat(image)?.kind === "directory") {
      const { withCommands } = await import("../vm/moving.ts");
      report.folder(image, withCommands(await surveyFolder(image, session.context), words));
      continue;
    }
    const facts = await inspect(image, session, words);
    report.image(image, facts);
    facts.link.close();
  }
  report.end();
  session.console.flush();
  return 0;
}

async function inspect(
  image: string,
  { context }: Session,
  words: readonly string[],
): Promise<ImageFacts> {
  const link = await openLink(image, context, "image");
  const survey = await surveyLink(context.core, link, { overlaps: true });
  const { parents, error } = await identifyParents(link, context);
  const judgement = judgeApply({ links: [link, ...parents], findings: [survey.findings], flags: words });
  return { link, survey, parents, judgement, newer: await newerBeside(link, context), chainError: error };
}
