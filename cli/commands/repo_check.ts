/** `regrain repo check`: whether everything in a repository has its place. */
import { checkStructure } from "../backup/verify/structure.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";
import { damageCount, structureReport } from "../report/repo_check.ts";
import { onRepository } from "../session/on_repository.ts";
import type { RepoFlags } from "../session/open_repository.ts";
import type { CommonFlags } from "../ui/mod.ts";

export async function runRepoCheck(flags: CommonFlags & RepoFlags): Promise<number> {
  return await onRepository(flags, async ({ repository, console }) => {
    const result = await checkStructure(repository);
    structureReport(console).done(result);
    return damageCount(result) === 0 ? 0 : EXIT_DAMAGE;
  });
}
