/** `regrain repo copy`: snapshots of one repository into another. */
import { formatSize, plural, RegrainError } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { choose, type Chosen } from "../backup/snapshots/choose.ts";
import { copySnapshot, copyVms, CopyWorld, readCopies } from "../backup/make/copy.ts";
import { isDamage } from "../backup/places.ts";
import type { Repository } from "../backup/repository.ts";
import { readSnapshots } from "../backup/snapshots/snapshots.ts";
import { ofOtherStore, type OtherStoreFlags } from "../store/flags.ts";
import { OTHER_STORE } from "../store/refusal.ts";
import { findStore, openStore } from "../store/registry.ts";
import { type CommonFlags, Console, Progress, type ProgressMode } from "../ui/mod.ts";
import { openAdmitted, OTHER_WORDS } from "../session/admission.ts";
import {
  hasToPassphrase,
  lanesOf,
  openRepository,
  type RepoFlags,
  THE_WORLD,
  toPassphraseOf,
} from "../session/open_repository.ts";
import { guardWire } from "../session/wire.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";

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
  const console = new Console(flags);
  const from = await openRepository(flags);
  try {
    const { snapshots, damaged } = await choose(from, specs, (sentence) => console.warn(sentence));
    for (const { damage } of damaged) console.warn(`is not copied: ${damage!.message}`);
    const world = new CopyWorld(THE_WORLD);
    const to = await openOther(flags, { world, from });
    try {
      if (to.description.id === from.description.id) {
        throw new RegrainError("USAGE", "this is the same repository", { path: to.store.label });
      }
      const isWhole = await copyAll({ from, to, world }, { snapshots, damaged, console, flags });
      return isWhole ? 0 : EXIT_INCOMPLETE;
    } finally {
      to.close();
    }
  } finally {
    from.close();
    console.flush();
  }
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

/**
 * Copies one after the other; one that is damaged does not keep the others from being copied.
 *
 * @returns false when one was left out.
 */
async function copyAll(
  repositories: { from: Repository; to: Repository; world: CopyWorld },
  work: Chosen & { console: Console; flags: CopyFlags },
): Promise<boolean> {
  const { from, to, world } = repositories;
  const { snapshots, console, flags } = work;
  using lanes = lanesOf(to);
  const copies = await readCopies(to);
  const originals = (await Array.fromAsync(readSnapshots(from))).flatMap(({ snapshot }) => snapshot ?? []);
  let [copied, storedBytes, leftOut] = [0, 0, work.damaged.length];
  for (const snapshot of snapshots) {
    const progress = new Progress(console, flags.progress ?? "auto", snapshot.sizeBytes);
    const known = { copies, originals: originals.filter(({ source }) => source.key === snapshot.source.key) };
    try {
      const report = await copySnapshot({ from, to }, snapshot, known, {
        lanes,
        world,
        onProgress: ({ doneBytes, readBytes, storedBytes }) =>
          progress.update({ doneBytes, parts: { read: readBytes, stored: storedBytes } }),
        onNotice: (sentence) => console.warn(sentence),
      });
      const copy = report?.snapshot;
      if (copy !== undefined) {
        copied++;
        storedBytes += copy.stats.storedBytes;
      }
      progress.end();
      tellOne(snapshot, copy, console);
    } catch (error) {
      if (!isDamage(error)) throw error;
      leftOut++;
      progress.end();
      tellLeftOut(snapshot, error, console);
    } finally {
      progress.end();
    }
  }
  const vms = await copyVms({ from, to }, await readCopies(to));
  if (vms > 0 && !console.json) console.out(`${plural(vms, "snapshot")} of whole VMs copied`);
  const there = snapshots.length + work.damaged.length - copied - leftOut;
  if (console.json) console.outJson({ type: "summary", copied, there, leftOut, vms, storedBytes });
  else {
    console.out(
      `${plural(copied, "snapshot")} copied, ${formatSize(storedBytes)} stored; ${there} ${
        there === 1 ? "was" : "were"
      } there already` +
        (leftOut === 0 ? "" : `; ${leftOut} damaged, left out`),
    );
  }
  return leftOut === 0;
}

function tellLeftOut(
  { id, source: { name } }: Snapshot,
  { message, code }: RegrainError,
  console: Console,
): void {
  if (console.json) console.outJson({ type: "snapshot", name, id, copy: null, damage: { code, message } });
  console.warn(
    `${name}@${id} is not copied: ${message}; regrain restore --damaged zeros writes what can be read of it`,
  );
}

function tellOne(snapshot: Snapshot, copy: Snapshot | undefined, console: Console): void {
  const { id, source: { name } } = snapshot;
  if (console.json) {
    console.outJson({ type: "snapshot", name, id, copy: copy?.id ?? null, stats: copy?.stats });
  } else if (copy !== undefined) {
    console.out(`${name}@${id} -> ${copy.id}, ${formatSize(copy.stats.storedBytes)} stored`);
  } else console.tell(`${name}@${id} was copied before`);
}
