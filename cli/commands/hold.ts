/** `regrain hold` and `regrain release`: what no rule may remove. */
import { checkWords } from "../../core-as/host/repo/mod.ts";
import { findName, findOne } from "../backup/snapshots/choose.ts";
import { hold, release } from "../backup/keep/holds.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";
import { openRepository, type RepoFlags } from "../session/open_repository.ts";

export interface HoldFlags extends CommonFlags, RepoFlags {
  readonly reason?: string | undefined;
}

/** @param spec `VM/DISK@WHICH`, or an id. */
export async function runHold(spec: string, flags: HoldFlags): Promise<number> {
  if (flags.reason !== undefined) checkWords(flags.reason, "--reason");
  const console = new Console(flags);
  const repository = await openRepository(flags);
  try {
    const { id, source } = await findOne(repository, spec, (sentence) => console.warn(sentence));
    const { since, reason } = await hold(repository, id, flags.reason);
    if (console.json) console.outJson({ type: "summary", id, name: source.name, held: true, since, reason });
    else console.out(`${source.name}@${id} is held: no rule of regrain prune removes it`);
    return 0;
  } finally {
    repository.close();
    console.flush();
  }
}

/** @param spec `VM/DISK@WHICH`, or an id. */
export async function runRelease(spec: string, flags: CommonFlags & RepoFlags): Promise<number> {
  const console = new Console(flags);
  const repository = await openRepository(flags);
  try {
    const { id, name } = await findName(repository, spec, (sentence) => console.warn(sentence));
    const wasHeld = await release(repository, id);
    if (console.json) console.outJson({ type: "summary", id, name, held: false, wasHeld });
    else console.out(`${name}@${id} ${wasHeld ? "is held no more" : "was not held"}`);
    return 0;
  } finally {
    repository.close();
    console.flush();
  }
}
