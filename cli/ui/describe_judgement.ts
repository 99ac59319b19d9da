/** Words and JSON for a judgement, the same in every command. */
import type { Judgement, RegrainError } from "../../core-as/host/mod.ts";

/** `can be applied`, or why not, or what cannot be checked; then the command, where one works. */
export function judgementLines(judgement: Judgement): string[] {
  const { state, refusals, unknowns, command } = judgement;
  if (state === "nothing") return [];
  const lines = state === "applies"
    ? ["can be applied"]
    : state === "refused"
    ? refusals.map((error) => `refused: ${error.message} [${error.code}]${hintOf(error)}`)
    : unknowns.map((sentence) => `not checked: ${sentence}`);
  return command === undefined ? lines : [...lines, `command: ${command}`];
}

function hintOf({ hint }: RegrainError): string {
  return hint === undefined ? "" : ` (${hint})`;
}

/** A judgement as `--json` shows it. */
export function judgementJson(judgement: Judgement): Record<string, unknown> {
  const { state, verdicts, refusals, taken, unknowns, command } = judgement;
  return {
    state,
    verdicts,
    refusals: refusals.map(errorJson),
    takenByForce: taken.map(errorJson),
    unknowns,
    command: command ?? null,
  };
}

function errorJson({ code, message, hint }: RegrainError): Record<string, unknown> {
  return { code, message, hint: hint ?? null };
}
