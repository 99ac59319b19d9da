/** What `repo repair` says. */
import type { RepairPlan } from "../backup/verify/repair_plan.ts";
import { copyKey } from "../backup/second_copies.ts";
import type { Console } from "../ui/mod.ts";

export abstract class RepairReport {
  constructor(protected readonly console: Console) {}

  /** @param repository Its id. */
  done(plan: RepairPlan, about: { repository: string; dryRun: boolean }): void {
    for (const { key, what } of plan.left) this.console.warn(`${key}: ${what}`);
    this.summary(plan, about);
  }

  protected abstract summary(plan: RepairPlan, about: { repository: string; dryRun: boolean }): void;
}

export function repairReport(console: Console): RepairReport {
  return console.json ? new JsonRepairReport(console) : new TextRepairReport(console);
}

class JsonRepairReport extends RepairReport {
  protected summary(
    { putBack, copied, left }: RepairPlan,
    { repository, dryRun }: { repository: string; dryRun: boolean },
  ): void {
    this.console.outJson({
      type: "summary",
      repository,
      dryRun,
      putBack: putBack.map(({ key }) => key),
      copied: copied.map(({ key }) => key),
      left,
    });
  }
}

class TextRepairReport extends RepairReport {
  protected summary({ putBack, copied, left }: RepairPlan, { dryRun }: { dryRun: boolean }): void {
    const verb = dryRun ? "would be " : "";
    for (const { key } of putBack) this.console.out(`${key}: ${verb}put back from ${copyKey(key)}`);
    for (const { key } of copied) this.console.out(`${key}: ${verb}made`);
    if (putBack.length + copied.length + left.length === 0) {
      this.console.out("repo.json and every key slot are whole, and so are their copies");
    }
  }
}
