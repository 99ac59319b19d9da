/** When a second lane is worth its start, and what it is hired for. */
import type { ApplyPlan, Context, Disk } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { isWorthwhile, type LaneForHire, SecondLane } from "./lanes.ts";
import type { ApplyRequest } from "./prepare.ts";

/** What decides whether there may be two lanes. */
export interface LaneOptions {
  /** A thread of its own may open all files again. */
  readonly secondLane: boolean;
  readonly undo?: string | undefined;
  readonly journal?: string | undefined;
  readonly hash?: boolean | undefined;
}

/** Starts the second lane while the deltas are looked at, and lets it go when there is too little for it to do. */
export class LaneStarter implements Disposable {
  private lane: SecondLane | undefined;

  constructor(
    private readonly request: ApplyRequest,
    private readonly options: LaneOptions,
    private readonly tools: { io: Io; context: Context; detail: (sentence: string) => void },
  ) {}

  start(disk: Disk): void {
    if (this.request.dryRun || this.inOrder || !this.allowed) return;
    const files = new Set(disk.links.flatMap((link) => link.files));
    const fileBytes = [...files].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (isWorthwhile(fileBytes)) this.lane = new SecondLane();
  }

  hireToApply(plan: ApplyPlan): LaneForHire | undefined {
    return this.inOrder || this.lane === undefined ? undefined : this.hire(plan);
  }

  /** Reading back has no order, so that it has a second lane even where the apply could not. */
  hireToVerify(plan: ApplyPlan): LaneForHire | undefined {
    return this.allowed && !this.options.hash ? this.hire(plan) : undefined;
  }

  private hire(plan: ApplyPlan): LaneForHire | undefined {
    if (!isWorthwhile(plan.writeBytes)) return undefined;
    this.tools.detail("two lanes: one reads while the other writes");
    this.lane ??= new SecondLane();
    const { names, ignoreJournal, format } = this.tools.context;
    return { lane: this.lane, job: { request: this.request, names, ignoreJournal, format } };
  }

  private get inOrder(): boolean {
    return this.options.undo !== undefined || this.options.journal !== undefined;
  }

  private get allowed(): boolean {
    return this.options.secondLane && this.tools.io.name === "linux";
  }

  [Symbol.dispose](): void {
    this.lane?.close();
  }
}
