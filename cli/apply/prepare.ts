/** Looks at the deltas before the first byte is written: do they belong together, are their tables sound. */
import {
  type ApplyPlan,
  type Context,
  Disk,
  hidesAll,
  judgeChain,
  type Link,
  type LinkIdentity,
  type LinkSurvey,
  namedBeside,
  openDeltas,
  openLink,
  planApply,
  planOf,
  refusalOf,
  RegrainError,
  requireSound,
  surveyLink,
  type Verdict,
} from "../../core-as/host/mod.ts";
import {
  type Given,
  requireEachOnce,
  requireNoneBetween,
  withOrder,
  withoutOthers,
} from "../target/given.ts";
import type { TargetRequest, WriteIntent } from "../target/prepare.ts";
import { APPLY } from "../target/request.ts";

export interface ApplyRequest extends TargetRequest {
  /** Oldest first; with `chain` the one leaf. */
  readonly deltas: readonly string[];
  readonly chain: boolean;
}

/** The deltas, merged and found sound. */
export interface PreparedDeltas {
  readonly disk: Disk;
  readonly plan: ApplyPlan;
  readonly surveys: readonly LinkSurvey[];
  readonly verdicts: readonly Verdict[];
  /** What the deltas name as their parents and is none of them. */
  readonly beside: readonly LinkIdentity[];
}

/**
 * Opens and surveys the deltas.
 *
 * @param onOpened Called when the deltas are open, before the survey, which may take a while.
 * @throws {RegrainError} all of exit 4; `CHAIN_BROKEN` unless forced.
 */
export async function prepareDeltas(
  request: ApplyRequest,
  context: Context,
  onOpened: (disk: Disk) => void = () => {},
): Promise<PreparedDeltas> {
  const { links, base } = await openLinks(request, context);
  const disk = new Disk(context.core, links);
  onOpened(disk);
  try {
    // By --chain each was found by the name that the one above it gives.
    const beside = request.chain ? [] : await namedBeside(links, context);
    const verdicts = judgeChain(base ? [...links, base] : links, beside);
    if (!request.force) {
      await requireOrder(verdicts, request, { links, context, beside });
      await requireNoneBetween(links, request, context);
    }
    const surveys: LinkSurvey[] = [];
    for (const link of links) {
      const survey = await surveyLink(context.core, link, { overlaps: true });
      requireSound(survey, request);
      surveys.push(survey);
    }
    // One link was walked already; a merge has to be walked to know what hides what.
    const plan = surveys.length === 1 ? planOf(disk, surveys[0]!) : await planApply(disk);
    return { disk, plan, surveys, verdicts, beside };
  } catch (error) {
    disk.close();
    throw error;
  }
}

/** Opens the deltas that a request names: links, newest first, and what is known of the base below a chain. */
export async function openLinks(
  request: ApplyRequest,
  context: Context,
): Promise<{ links: readonly Link[]; base: LinkIdentity | undefined }> {
  if (request.chain) return await openDeltas(request.deltas[0]!, context);
  const links: Link[] = [];
  try {
    for (const path of request.deltas) links.unshift(await openGiven(path, request, context));
    await requireEachOnce(links, request, context);
    await requireDeltasAboveFirst(links, request, context);
    return { links, base: undefined };
  } catch (error) {
    for (const link of links) link.close();
    throw error;
  }
}

async function openGiven(path: string, request: ApplyRequest, context: Context): Promise<Link> {
  try {
    return await openLink(path, context, "delta");
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code !== "NOT_A_DISK") throw error;
    throw await withoutOthers(error, request, context);
  }
}

/** A base among the newer links would hide everything given before it: surely a mistake in the order. */
async function requireDeltasAboveFirst(
  links: readonly Link[],
  request: TargetRequest,
  context: Context,
): Promise<void> {
  const misplaced = links.slice(0, -1).find((link) => link.isBase);
  if (misplaced) throw await withOrder(hidesAll(misplaced), { links, request, context });
}

async function requireOrder(
  verdicts: readonly Verdict[],
  request: ApplyRequest,
  given: Omit<Given, "request">,
): Promise<void> {
  const refusal = verdicts.map(refusalOf).find((error) => error);
  if (refusal === undefined) return;
  // By --chain they have an order already: the line without the base would only look away from it.
  throw request.chain ? refusal : await withOrder(refusal, { ...given, request });
}

/** What an apply of these deltas is about to write. */
export function intentOf(disk: Disk): WriteIntent {
  const inputs = disk.links.flatMap((link) => [link.path, ...link.files.map(({ path }) => path)]);
  return { use: APPLY, sizeBytes: disk.sizeBytes, inputs: [...new Set(inputs)], links: disk.links };
}
