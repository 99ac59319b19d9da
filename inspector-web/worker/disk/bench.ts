/**
 * A set of opened links with the kernels that walk them. There are three of them, each with a memory of its own: one
 * for what the page waits for, one for work in long steps, one for the search for damage, which has no steps at all.
 */
import { type Core, Disk, RegrainError } from "../../../core-as/host/mod.ts";
import type { View } from "../../shared/protocol.ts";
import type { OpenFiles } from "../sources/given.ts";
import { Lock } from "./lock.ts";
import { type Chain, openPlan } from "./chain.ts";
import type { Plan } from "./plan.ts";
import { DiskRuns } from "./disk_runs.ts";

/** Kernels, and the lock that all that use their memory share. */
export class Kernels {
  readonly lock = new Lock();
  constructor(readonly core: Core) {}
}

/** The kernels of a session; those that not every disk needs are made when there is work for them. */
export class KernelSet {
  /** For what the page waits for. */
  readonly quick: Kernels;
  private madeForSlow: Kernels | undefined;
  private madeForSurvey: Kernels | undefined;

  /** @param newCore Makes kernels with a memory of their own. */
  constructor(private readonly newCore: () => Core) {
    this.quick = new Kernels(newCore());
  }

  /** For work in long steps. */
  get slow(): Kernels {
    return this.madeForSlow ??= new Kernels(this.newCore());
  }

  /** For the search for damage, which may take minutes. */
  get survey(): Kernels {
    return this.madeForSurvey ??= new Kernels(this.newCore());
  }
}

export class Bench {
  private readonly views = new Map<View, DiskRuns>();
  private readonly belows = new Map<View, DiskRuns>();

  private constructor(readonly kernels: Kernels, readonly chain: Chain) {}

  static async open(kernels: Kernels, plan: Plan, files: OpenFiles): Promise<Bench> {
    return new Bench(kernels, await openPlan(plan, files.context(kernels.core)));
  }

  /** The runs of one link, or of all. */
  view(view: View): DiskRuns {
    const known = this.views.get(view);
    if (known) return known;
    const chosen = this.linksOf(view);
    if (chosen.length === 0) {
      throw new RegrainError("USAGE", `there is no link ${view} in a chain of ${this.chain.links.length}`);
    }
    const made = this.runsOf(chosen, typeof view === "number" ? view : 0);
    this.views.set(view, made);
    return made;
  }

  /** What a view is compared with: all links below it, merged; of everything merged, the base. */
  below(view: View): DiskRuns | undefined {
    const known = this.belows.get(view);
    if (known) return known;
    const { links } = this.chain;
    const first = typeof view === "number" ? view + 1 : deltasOf(links).length;
    if (first <= 0 || first >= links.length) return undefined;
    const made = this.runsOf(links.slice(first), first);
    this.belows.set(view, made);
    return made;
  }

  /** Shows as damaged what a survey found in the same links on another bench; true when that was anything. */
  learnDamage(surveyed: Bench): boolean {
    let isNew = false;
    for (const [i, { extents }] of this.chain.links.entries()) {
      for (const [j, { extent }] of extents.entries()) {
        const found = surveyed.chain.links[i]?.extents[j]?.extent.damagedGrains;
        if (!found || found.isEmpty) continue;
        extent.damagedGrains?.learn(found);
        isNew = true;
      }
    }
    return isNew;
  }

  private linksOf(view: View): Chain["links"] {
    const { links } = this.chain;
    if (view === "merged") return links;
    return view === "deltas" ? deltasOf(links) : links.slice(view, view + 1);
  }

  private runsOf(links: Chain["links"], first: number): DiskRuns {
    const { core, lock } = this.kernels;
    return new DiskRuns(new Disk(core, links), lock, first);
  }
}

/** The links of a chain without its base. */
export function deltasOf<T extends { readonly isBase: boolean }>(links: readonly T[]): readonly T[] {
  return links.filter(({ isBase }) => !isBase);
}
