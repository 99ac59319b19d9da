/** The judgement in one sentence; what the page says first. */
import type { JudgementFacts } from "./judgement_facts.ts";

/** Colour of a judgement, and its first words. Each begins with a sign, so that none is told by colour alone. */
export function headOf(
  { state, isFinal, against }: JudgementFacts,
): readonly ["good" | "bad" | "doubt" | "", string] {
  if (state === "refused") return ["bad", "✗ Cannot be applied"];
  if (!isFinal) return ["", "Whether it can be applied is not known yet"];
  if (against.length > 0) return ["doubt", "? Mismatch likely, checked by content"];
  return state === "applies"
    ? ["good", "✓ Can be applied"]
    : ["doubt", "? Can be applied, and not all can be checked"];
}

/** The first words and the first reason. */
export function firstSentence(judgement: JudgementFacts): string {
  const { refusals, against, unknowns, isFinal } = judgement;
  const reason = refusals[0]?.message ?? against[0] ?? (isFinal ? unknowns[0] : undefined);
  const [, words] = headOf(judgement);
  return reason === undefined ? words : `${words}: ${reason}`;
}
