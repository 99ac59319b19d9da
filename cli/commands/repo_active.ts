/** `regrain repo active`: which backups are running, and which are dead. */
import { runningBackups } from "../backup/signs/active.ts";
import { activeReport } from "../report/active_backups.ts";
import { onRepository } from "../session/on_repository.ts";
import { type RepoFlags, repositoryWords } from "../session/open_repository.ts";
import type { CommonFlags } from "../ui/mod.ts";

export async function runRepoActive(flags: CommonFlags & RepoFlags): Promise<number> {
  return await onRepository(flags, async ({ repository, console }) => {
    const at = { label: repository.store.label, words: repositoryWords(flags) };
    activeReport(console).list(await runningBackups(repository), at);
    return 0;
  });
}
