/** Whether the deltas that are open can be applied, and by which command: the judgement of the core, in words. */
import {
  type ApplyPlan,
  checkContent,
  type ContentCheck,
  Disk,
  judgeApply,
  type Judgement,
  planApply,
  planOf,
} from "../../../core-as/host/mod.ts";
import type { JudgementFacts } from "../../shared/protocol.ts";
import { type Bench, deltasOf } from "../disk/bench.ts";
import type { ChainSurvey } from "./findings.ts";
import { GuestView } from "../guest/guest_view.ts";
import type { Chain } from "../disk/chain.ts";
import { troubleOf } from "../disk/trouble.ts";

const NOTHING: ContentCheck = { agreed: [], against: [] };

/** What is known before any table was read: what is refused already, and no command. */
export function firstJudgement(chain: Chain): JudgementFacts {
  const judgement = judged(chain, undefined, NOTHING);
  return factsOf(chain, judgement, {
    content: NOTHING,
    plan: undefined,
    isFinal: judgement.state === "nothing",
  });
}

/**
 * The judgement when all tables were read.
 *
 * @param quick Links whose bytes are compared, where the content ids say nothing.
 * @param surveyed Links that were surveyed; the plan is made of them.
 */
export async function finalJudgement(
  quick: Bench,
  surveyed: { readonly bench: Bench; readonly survey: ChainSurvey },
): Promise<JudgementFacts> {
  const { chain } = quick;
  const { survey } = surveyed;
  const first = judged(chain, survey, NOTHING);
  const last = first.verdicts.at(-1);
  const isUnchecked = first.state === "unknown" && chain.isWhole && last?.state === "unknown";
  const content = isUnchecked ? await contentOf(quick) : NOTHING;
  const judgement = judged(chain, survey, content);
  const isApplied = judgement.state === "applies" || judgement.state === "unknown";
  const plan = isApplied ? await planOfDeltas(surveyed) : undefined;
  return factsOf(chain, judgement, { content, plan, isFinal: true });
}

function judged(chain: Chain, survey: ChainSurvey | undefined, { against }: ContentCheck): Judgement {
  const { identities, broken } = chain;
  const judgement = judgeApply({
    links: identities,
    findings: identities.map((_, i) => survey?.surveys[i]?.findings),
    against,
  });
  if (!broken || judgement.state === "nothing") return judgement;
  // A delta that cannot be opened cannot be applied, and what is above it must not be without it.
  return { ...judgement, state: "refused", refusals: [...judgement.refusals, broken], command: undefined };
}

/** Compares what the deltas and the base hold. */
async function contentOf(bench: Bench): Promise<ContentCheck> {
  const { links } = bench.chain;
  const delta = new GuestView(bench.view("deltas"));
  const base = new GuestView(bench.view(links.length - 1));
  const found = await checkContent({ delta, base, runs: (from, to) => delta.runs(from, to) });
  // Zeros in place of what cannot be read are no evidence.
  return delta.unread.length + base.unread.length > 0 ? NOTHING : found;
}

async function planOfDeltas(
  { bench, survey }: { readonly bench: Bench; readonly survey: ChainSurvey },
): Promise<ApplyPlan> {
  const { chain: { links }, kernels: { core, lock } } = bench;
  const disk = new Disk(core, deltasOf(links));
  const [only, ...others] = deltasOf(links);
  const [alone] = survey.surveys;
  // One link was walked already; a merge has to be walked to know what hides what.
  if (only && alone && others.length === 0) return planOf(disk, alone);
  return await lock.run(() => planApply(disk));
}

function factsOf(
  chain: Chain,
  { state, refusals, unknowns, command }: Judgement,
  { content, plan, isFinal }: {
    content: ContentCheck;
    plan: ApplyPlan | undefined;
    isFinal: boolean;
  },
): JudgementFacts {
  return {
    state,
    isFinal,
    deltas: chain.identities.length - (chain.hasBase ? 1 : 0),
    refusals: refusals.map(troubleOf),
    unknowns: unknowns.filter((unknown) => !content.against.includes(unknown)),
    agreed: content.agreed,
    against: content.against,
    command: isFinal ? command : undefined,
    plan: plan && { writeBytes: plan.writeBytes, zeroBytes: plan.zeroBytes, skipBytes: plan.skipBytes },
  };
}
