/** `regrain forget`: removes snapshots by their ids. */
import { forget } from "../backup/keep/forget.ts";
import { recordForgotten } from "../backup/keep/forgotten.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";
import { forgetReport, removedOf } from "../report/forget.ts";
import { forgetRemoved } from "../session/newest_seen.ts";
import { onRepository } from "../session/on_repository.ts";
import type { RepoFlags } from "../session/open_repository.ts";
import type { CommonFlags } from "../ui/mod.ts";

export interface ForgetFlags extends CommonFlags, RepoFlags {
  readonly dryRun?: boolean | undefined;
}

export async function runForget(ids: readonly string[], flags: ForgetFlags): Promise<number> {
  const { dryRun = false } = flags;
  return await onRepository(flags, async ({ repository, console }) => {
    const forgotten = await forget(repository, ids, { dryRun });
    const report = forgetReport(console);
    report.fates(forgotten, { dryRun });
    const removed = removedOf(forgotten).map(({ name }) => name);
    if (!dryRun) {
      await forgetRemoved(repository, removed.map(({ id }) => id), console);
      await recordForgotten(repository, removed, (sentence) => console.warn(sentence));
    }
    report.done(forgotten, { dryRun });
    return removed.length === forgotten.length ? 0 : EXIT_INCOMPLETE;
  });
}
