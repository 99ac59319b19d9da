/** What a target could not do the good way. */
import type { Target } from "../../core-as/host/mod.ts";

/** One sentence each; a target of several files has those of each. */
export function fallbacksOf(target: Target): readonly string[] {
  return target.targets?.flatMap(fallbacksOf) ?? target.fallbacks ?? [];
}
