/** What `forget` says: what became of each snapshot, and why those stay that stay. */
import { plural } from "../../core-as/host/mod.ts";
import type { Forgotten } from "../backup/keep/forget.ts";
import type { Console } from "../ui/mod.ts";

export interface ForgetReport {
  /** Of each what became of it, or would. */
  fates(forgotten: readonly Forgotten[], how: { dryRun: boolean }): void;
  done(forgotten: readonly Forgotten[], how: { dryRun: boolean }): void;
}

export function forgetReport(console: Console): ForgetReport {
  return console.json ? new JsonForgetReport(console) : new TextForgetReport(console);
}

class JsonForgetReport implements ForgetReport {
  constructor(private readonly console: Console) {}

  fates(forgotten: readonly Forgotten[]): void {
    for (const each of forgotten) {
      const { name: { id, source, key }, snapshot, fate, heldIds } = each;
      this.console.outJson({
        type: "snapshot",
        id,
        disk: snapshot?.source.name ?? source,
        key,
        isDamaged: snapshot === undefined && !isWholeVm(each),
        fate,
        ...heldIds === undefined ? {} : { heldIds },
      });
      const why = whyItStays(each);
      if (why !== undefined) this.console.warn(why);
    }
  }

  done(forgotten: readonly Forgotten[], { dryRun }: { dryRun: boolean }): void {
    const ids = removedOf(forgotten).map(({ name }) => name.id);
    const kept = forgotten.length - ids.length;
    this.console.outJson({ type: "summary", dryRun, removed: ids.length, kept, ids });
  }
}

class TextForgetReport implements ForgetReport {
  constructor(private readonly console: Console) {}

  fates(forgotten: readonly Forgotten[], { dryRun }: { dryRun: boolean }): void {
    const { console } = this;
    for (const each of forgotten) {
      const why = whyItStays(each);
      if (why !== undefined) console.warn(why);
      else console.out(`${wordsOf(each)} ${dryRun ? "would be" : "is"} removed`);
    }
  }

  done(forgotten: readonly Forgotten[], { dryRun }: { dryRun: boolean }): void {
    const { console } = this;
    const removed = removedOf(forgotten).length;
    console.out(
      `${plural(removed, "snapshot")} ${dryRun ? "would be removed" : "removed"}, ` +
        `${forgotten.length - removed} kept`,
    );
    if (removed > 0 && !dryRun) console.tell("what only they need stays until regrain gc removes it");
  }
}

/** Those that are removed, or would be. */
export function removedOf(forgotten: readonly Forgotten[]): Forgotten[] {
  return forgotten.filter(({ fate }) => fate === "removed");
}

/** The manifest of a VM, with all of its disks. */
function isWholeVm({ vm, fate }: Forgotten): boolean {
  return vm !== undefined && fate !== "part";
}

function wordsOf(forgotten: Forgotten): string {
  const { name: { id, key }, snapshot, vm } = forgotten;
  if (isWholeVm(forgotten)) return vm!;
  const disk = snapshot?.source.name;
  return disk === undefined ? `${key}, which cannot be read,` : `${disk}@${id}`;
}

function whyItStays(forgotten: Forgotten): string | undefined {
  const { name: { id }, fate, vm, heldIds } = forgotten;
  const what = wordsOf(forgotten);
  if (fate === "part") {
    return `${what} is part of a VM snapshot, and stays: regrain forget ${vm} removes it with all of its disks`;
  }
  if (fate === "locked") return `${what} is locked until a date, and stays`;
  if (fate !== "held") return undefined;
  const others = heldIds!.filter((held) => held !== id);
  const why = others.length === 0
    ? "is held, and stays"
    : `stays, since ${others.join(", ")} of the same VM is held`;
  return `${what} ${why}: ${
    heldIds!.map((held) => `regrain release ${held}`).join("; ")
  } takes the hold away`;
}
