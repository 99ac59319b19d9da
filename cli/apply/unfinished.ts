/** What an error says of work that it ended: how far that came, and how it is completed. */
import type { ApplyPlan, RegrainError } from "../../core-as/host/mod.ts";
import { type ApplyCounts, plannedBytesOf, workBytesOf } from "../target/counts.ts";
import { isDisturbed } from "../target/undisturbed.ts";

/** The same error, which also says how far the work came and how it is completed. */
export function withProgressHint(
  error: RegrainError,
  done: ApplyCounts,
  at: {
    plan: Pick<ApplyPlan, "writeBytes" | "zeroBytes">;
    journal: string | undefined;
    /** A whole disk that began to fill a target made for it: it overwrites one by then. */
    needsForce?: boolean;
  },
): RegrainError {
  // The hints of these say what to do with all of it.
  if (isDisturbed(error)) return error;
  const moved = workBytesOf(done);
  const all = plannedBytesOf(at.plan);
  const force = at.needsForce ? ", and --force since the target is there now," : "";
  const how = at.journal === undefined
    ? `running the same command again${force} completes it`
    : `the same command with --resume${force} completes it`;
  const progress = `${moved} of ${all} bytes were applied; ${how}`;
  return error.withHint(error.hint === undefined ? progress : `${error.hint}; ${progress}`);
}
