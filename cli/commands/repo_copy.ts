/** `regrain repo copy`: snapshots of one repository into another. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { CopyWorld } from "../backup/make/copy.ts";
import { copyAll } from "../backup/make/copy_all.ts";
import type { Repository } from "../backup/repository.ts";
import { choose, type Chosen } from "../backup/snapshots/choose.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";
import { copyReport } from "../report/repo_copy.ts";
import { openAdmitted, OTHER_WORDS } from "../session/admission.ts";
import { onRepository } from "../session/on_repository.ts";
import {
  hasToPassphrase,
  lanesOf,
  type RepoFlags,
  THE_WORLD,
  toPassphraseOf,
} from "../session/open_repository.ts";
import { guardWire } from "../session/wire.ts";
import { ofOtherStore, type OtherStoreFlags } from "../store/flags.ts";
import { OTHER_STORE } from "../store/refusal.ts";
import { findStore, openStore } from "../store/registry.ts";
import { type CommonFlags, Console, Progress, type ProgressMode } from "../ui/mod.ts";

export interface CopyFlags extends CommonFlags, RepoFlags, OtherStoreFlags {
  readonly to: string;
  readonly toPassphraseFile?: string | undefined;
  readonly toUnencrypted?: boolean | undefined;
  readonly toReplaced?: boolean | undefined;
  readonly progress?: ProgressMode | undefined;
}

/** @param specs As `regrain verify` takes them; none: every snapshot. */
export async function runRepoCopy(specs: readonly string[], flags: CopyFlags): Promise<number> {
  findStore(flags.to, OTHER_STORE);
  return await onRepository(flags, async ({ repository: from, console }) => {
    const chosen = await choose(from, specs, (sentence) => console.warn(sentence));
    for (const { damage } of chosen.damaged) console.warn(`is not copied: ${damage!.message}`);
    const world = new CopyWorld(THE_WORLD);
    const to = await openOther(flags, { world, from });
    try {
      if (to.description.id === from.description.id) {
        throw new RegrainError("USAGE", "this is the same repository", { path: to.store.label });
      }
      const isWhole = await copyChosen({ from, to, world }, { chosen, console, flags });
      return isWhole ? 0 : EXIT_INCOMPLETE;
    } finally {
      to.close();
    }
  });
}

/** What was encrypted is not copied into a repository that anybody can read, unless that is said. */
async function openOther(
  flags: CopyFlags,
  { world, from }: { world: CopyWorld; from: Repository },
): Promise<Repository> {
  const console = new Console(flags);
  const storeFlags = ofOtherStore(flags);
  const use = { warn: (line: string) => console.warn(line) };
  const store = await openStore(flags.to, storeFlags, use, OTHER_STORE);
  const isEncrypted = from.description.encryption !== "none";
  const repository = await openAdmitted(store, {
    console,
    world,
    storeFlags,
    unencrypted: flags.toUnencrypted === true,
    replaced: flags.toReplaced === true,
    passphrase: hasToPassphrase(flags) ? "given" : isEncrypted ? "of the other" : "absent",
    passphraseOf: () => toPassphraseOf(flags),
    words: OTHER_WORDS,
  });
  try {
    guardWire(flags.to, storeFlags, {
      isEncrypted: repository.description.encryption !== "none",
      console,
      words: OTHER_STORE,
    });
    return repository;
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Copies what is chosen, each with a progress of its own. @returns false when one was left out. */
async function copyChosen(
  { from, to, world }: { from: Repository; to: Repository; world: CopyWorld },
  { chosen, console, flags }: { chosen: Chosen; console: Console; flags: CopyFlags },
): Promise<boolean> {
  using lanes = lanesOf(to);
  const report = copyReport(console);
  let progress: Progress | undefined;
  const totals = await copyAll({ from, to }, chosen, {
    lanes,
    world,
    onNotice: (sentence) => console.warn(sentence),
    events: {
      begin: ({ sizeBytes }) => progress = new Progress(console, flags.progress ?? "auto", sizeBytes),
      progress: ({ doneBytes, readBytes, storedBytes }) =>
        progress?.update({ doneBytes, parts: { read: readBytes, stored: storedBytes } }),
      end: () => progress?.end(),
      copied: (snapshot, copy) => report.copied(snapshot, copy),
      leftOut: (snapshot, error) => report.leftOut(snapshot, error),
    },
  });
  report.done(totals);
  return totals.leftOut === 0;
}
