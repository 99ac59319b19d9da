/** `regrain hold` and `regrain release`: what no rule may remove. */
import { checkWords } from "../../core-as/host/repo/mod.ts";
import { hold, release } from "../backup/keep/holds.ts";
import { findName, findOne } from "../backup/snapshots/choose.ts";
import { onRepository } from "../session/on_repository.ts";
import type { RepoFlags } from "../session/open_repository.ts";
import type { CommonFlags } from "../ui/mod.ts";

export interface HoldFlags extends CommonFlags, RepoFlags {
  readonly reason?: string | undefined;
}

/** @param spec `VM/DISK@WHICH`, or an id. */
export async function runHold(spec: string, flags: HoldFlags): Promise<number> {
  if (flags.reason !== undefined) checkWords(flags.reason, "--reason");
  return await onRepository(flags, async ({ repository, console }) => {
    const { id, source } = await findOne(repository, spec, (sentence) => console.warn(sentence));
    const { since, reason } = await hold(repository, id, flags.reason);
    console.result(
      { type: "summary", id, name: source.name, held: true, since, reason },
      `${source.name}@${id} is held: no rule of regrain prune removes it`,
    );
    return 0;
  });
}

/** @param spec `VM/DISK@WHICH`, or an id. */
export async function runRelease(spec: string, flags: CommonFlags & RepoFlags): Promise<number> {
  return await onRepository(flags, async ({ repository, console }) => {
    const { id, name } = await findName(repository, spec, (sentence) => console.warn(sentence));
    const wasHeld = await release(repository, id);
    console.result(
      { type: "summary", id, name, held: false, wasHeld },
      `${name}@${id} ${wasHeld ? "is held no more" : "was not held"}`,
    );
    return 0;
  });
}
