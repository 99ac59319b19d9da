/** The flags of `regrain apply`. */
import type { SparseMode } from "../apply/engine.ts";
import type { VerifyFlags } from "./apply_verify.ts";
import type { LongFlags } from "./session.ts";

export interface ApplyFlags extends LongFlags, Pick<VerifyFlags, "verify" | "hash"> {
  readonly chain?: boolean | undefined;
  readonly create?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly sparse?: SparseMode | undefined;
  readonly undo?: string | undefined;
  readonly journal?: string | undefined;
  readonly resume?: boolean | undefined;
  readonly spill?: string | boolean | undefined;
  readonly spillLimit?: string | undefined;
}
