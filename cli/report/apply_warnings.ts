/** What an apply warns of, the same for a person and as JSON. */
import type { Link, LinkSurvey, Verdict } from "../../core-as/host/mod.ts";
import type { ApplyRequest } from "../apply/prepare.ts";
import { isNowhere } from "../places/null.ts";
import { isNewTarget, type PreparedTarget } from "../target/prepare.ts";
import type { Console } from "../ui/mod.ts";
import { tellVerdict, warnNotes } from "../ui/describe.ts";

/** What was looked at before the first write. */
export interface Looked {
  readonly surveys: readonly LinkSurvey[];
  readonly target: PreparedTarget | undefined;
  readonly verdicts?: readonly Verdict[];
  readonly oldest: Link;
}

/** Warns of all that is odd about what is about to happen. */
export function warnBefore(
  console: Console,
  request: Pick<ApplyRequest, "target" | "chain" | "force">,
  { surveys, target, verdicts = [], oldest }: Looked,
): void {
  warnNotes(console, surveys, request);
  for (const warning of target?.warnings ?? []) console.warn(warning);
  for (const verdict of verdicts) tellVerdict(console, verdict);
  for (const warning of unappliedParent({ ...request, isNew: isNewTarget(target) }, oldest)) {
    console.warn(warning);
  }
}

/** The oldest link given may itself stand on a delta, which then must have been applied before. */
function* unappliedParent(
  { target, chain, isNew }: Pick<ApplyRequest, "target" | "chain"> & { isNew: boolean },
  oldest: Link,
): Generator<string> {
  if (isNowhere(target)) return;
  if (oldest.isBase) {
    yield isNew
      ? `${oldest.path} has no parent: it is all of ${target}, what it does not hold is zeros`
      : `${oldest.path} has no parent: all of ${target} is overwritten, what it does not hold with zeros`;
  } else if (isNew) {
    yield `${target} is new, and the base of ${oldest.path} is not in it: what no delta holds reads as zeros`;
  } else if (oldest.delta === undefined) {
    yield `${oldest.path} does not say whether it has a parent: what it does not hold stays as it is`;
  }
  const hint = oldest.parent?.name;
  const uuid = oldest.identity?.parent.uuid;
  if (hint === undefined && uuid !== undefined) {
    yield `the parent of ${oldest.path} is told by ddb.uuid.parent ${uuid} alone: whether ${target} is it is not ` +
      "known";
  }
  if (!chain && hint !== undefined && /-\d{6}\.vmdk$/.test(hint)) {
    yield `the parent of ${oldest.path} is ${hint}, by its name a delta too: it must have been applied before`;
  }
}
