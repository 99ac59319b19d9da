/** `regrain forget`: removes snapshots by their ids. */
import { plural } from "../../core-as/host/mod.ts";
import { recordForgotten } from "../backup/keep/forgotten.ts";
import { forget, type Forgotten } from "../backup/keep/forget.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";
import { forgetRemoved } from "../session/newest_seen.ts";
import { openRepository, type RepoFlags } from "../session/open_repository.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";

export interface ForgetFlags extends CommonFlags, RepoFlags {
  readonly dryRun?: boolean | undefined;
}

export async function runForget(ids: readonly string[], flags: ForgetFlags): Promise<number> {
  const console = new Console(flags);
  const dryRun = flags.dryRun ?? false;
  const repository = await openRepository(flags);
  try {
    const forgotten = await forget(repository, ids, { dryRun });
    for (const each of forgotten) tell(each, { console, dryRun });
    const removed = forgotten.filter(({ fate }) => fate === "removed");
    const kept = forgotten.length - removed.length;
    if (!dryRun) {
      await forgetRemoved(repository, removed.map(({ name }) => name.id), console);
      const names = removed.map(({ name }) => name);
      await recordForgotten(repository, names, (sentence) => console.warn(sentence));
    }
    if (console.json) {
      console.outJson({
        type: "summary",
        dryRun,
        removed: removed.length,
        kept,
        ids: removed.map(({ name }) => name.id),
      });
    } else {
      console.out(
        `${plural(removed.length, "snapshot")} ${dryRun ? "would be removed" : "removed"}, ${kept} kept`,
      );
      if (removed.length > 0 && !dryRun) {
        console.tell("what only they need stays until regrain gc removes it");
      }
    }
    return kept === 0 ? 0 : EXIT_INCOMPLETE;
  } finally {
    repository.close();
    console.flush();
  }
}

function tell(
  { name: { id, source, key }, snapshot, fate, vm, heldIds }: Forgotten,
  { console, dryRun }: { console: Console; dryRun: boolean },
): void {
  const disk = snapshot?.source.name;
  const isVm = vm !== undefined && fate !== "part";
  if (console.json) {
    console.outJson({
      type: "snapshot",
      id,
      disk: disk ?? source,
      key,
      isDamaged: snapshot === undefined && !isVm,
      fate,
      ...heldIds === undefined ? {} : { heldIds },
    });
  }
  const what = isVm ? vm : disk === undefined ? `${key}, which cannot be read,` : `${disk}@${id}`;
  if (fate === "part") {
    console.warn(
      `${what} is part of a VM snapshot, and stays: regrain forget ${vm} removes it with all of its disks`,
    );
  } else if (fate === "held") {
    const others = heldIds!.filter((held) => held !== id);
    const why = others.length === 0
      ? "is held, and stays"
      : `stays, since ${others.join(", ")} of the same VM is held`;
    console.warn(
      `${what} ${why}: ${heldIds!.map((held) => `regrain release ${held}`).join("; ")} takes the hold away`,
    );
  } else if (fate === "locked") console.warn(`${what} is locked until a date, and stays`);
  else if (!console.json) console.out(`${what} ${dryRun ? "would be" : "is"} removed`);
}
