/** Whether the deltas that are open can be applied, as the page is told it. */
import type { Trouble } from "./notices.ts";

/** Whether the deltas can be applied; see `core-as/host/disk/judgement.ts`. */
export interface JudgementFacts {
  readonly state: "applies" | "refused" | "unknown" | "nothing";
  /** False while tables are still to be read: then there is no command yet, and what is refused stays refused. */
  readonly isFinal: boolean;
  /** How many deltas it is about. */
  readonly deltas: number;
  /** Why not, as `regrain apply` says it. */
  readonly refusals: readonly Trouble[];
  /** What cannot be checked, and why. */
  readonly unknowns: readonly string[];
  /** What the deltas and the base both hold and agree in, which proves nothing. */
  readonly agreed: readonly string[];
  /** What in the content of the base speaks against it. */
  readonly against: readonly string[];
  /** The line that will work; absent where none is known to. */
  readonly command: string | undefined;
  /** What the command writes; absent where it is refused, or not known yet. */
  readonly plan: PlanFacts | undefined;
}

export interface PlanFacts {
  readonly writeBytes: number;
  readonly zeroBytes: number;
  /** Not touched: no delta holds it. */
  readonly skipBytes: number;
}
