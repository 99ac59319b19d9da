/** `regrain repo stats`: what a repository holds, and what would be free without one snapshot. */
import { measure } from "../backup/keep/stats.ts";
import { choose } from "../backup/snapshots/choose.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";
import { statsReport } from "../report/repo_stats.ts";
import { onRepository } from "../session/on_repository.ts";
import type { RepoFlags } from "../session/open_repository.ts";
import type { CommonFlags } from "../ui/mod.ts";

export async function runRepoStats(flags: CommonFlags & RepoFlags): Promise<number> {
  return await onRepository(flags, async ({ repository, console }) => {
    const { snapshots, damaged } = await choose(repository, [], (sentence) => console.warn(sentence));
    for (const { damage } of damaged) console.warn(`is not counted: ${damage!.message}`);
    statsReport(console).done(await measure(repository, snapshots));
    return damaged.length === 0 ? 0 : EXIT_DAMAGE;
  });
}
