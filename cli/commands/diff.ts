/** `regrain diff`: what differs between two snapshots, as a table or as a list for `backup --changed`. */
import { diffSnapshots } from "../../core-as/host/repo/mod.ts";
import { findOne } from "../backup/snapshots/choose.ts";
import { diffReport } from "../report/diff.ts";
import { onRepository } from "../session/on_repository.ts";
import type { RepoFlags } from "../session/open_repository.ts";
import type { CommonFlags } from "../ui/mod.ts";

export async function runDiff(
  specs: readonly [string, string],
  flags: CommonFlags & RepoFlags,
): Promise<number> {
  return await onRepository(flags, async ({ repository, console }) => {
    const onSkipped = (sentence: string) => console.warn(sentence);
    const older = await findOne(repository, specs[0], onSkipped);
    const newer = await findOne(repository, specs[1], onSkipped);
    await diffReport(console).changes({ older, newer }, diffSnapshots(repository, older, newer));
    return 0;
  });
}
