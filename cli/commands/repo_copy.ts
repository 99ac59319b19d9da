/** `regrain repo copy`: snapshots of one repository into another. */
import { formatSize, plural, RegrainError } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { choose } from "../backup/choose.ts";
import { copySnapshot, CopyWorld, readCopies } from "../backup/copy.ts";
import { Repository } from "../backup/repository.ts";
import { readSnapshots } from "../backup/snapshots.ts";
import { openStore } from "../store/address.ts";
import { type CommonFlags, Console, Progress, type ProgressMode } from "../ui/mod.ts";
import { lanesOf, openRepository, type RepoFlags, THE_WORLD, toPassphraseOf } from "./repo_session.ts";

export interface CopyFlags extends CommonFlags, RepoFlags {
  readonly to: string;
  readonly toPassphraseFile?: string | undefined;
  readonly toEndpoint?: string | undefined;
  readonly toRegion?: string | undefined;
  readonly toProfile?: string | undefined;
  readonly toPathStyle?: boolean | undefined;
  readonly toCaFile?: string | undefined;
  readonly progress?: ProgressMode | undefined;
}

const EXIT_INCOMPLETE = 3;

/** @param specs As `regrain verify` takes them; none: every snapshot. */
export async function runRepoCopy(specs: readonly string[], flags: CopyFlags): Promise<number> {
  const console = new Console(flags);
  const from = await openRepository(flags);
  try {
    const { snapshots, damaged } = await choose(from, specs, (sentence) => console.warn(sentence));
    for (const { damage } of damaged) console.warn(`is not copied: ${damage!.message}`);
    const world = new CopyWorld(THE_WORLD);
    const to = await openOther(flags, world);
    try {
      if (to.description.id === from.description.id) {
        throw new RegrainError("USAGE", "this is the same repository", { path: to.store.label });
      }
      await copyAll({ from, to, world }, { snapshots, console, flags });
    } finally {
      to.close();
    }
    return damaged.length === 0 ? 0 : EXIT_INCOMPLETE;
  } finally {
    from.close();
    console.flush();
  }
}

async function openOther(flags: CopyFlags, world: CopyWorld): Promise<Repository> {
  const console = new Console(flags);
  const store = await openStore(flags.to, {
    endpoint: flags.toEndpoint,
    region: flags.toRegion,
    profile: flags.toProfile,
    pathStyle: flags.toPathStyle,
    caFile: flags.toCaFile,
  }, { warn: (line) => console.warn(line) });
  try {
    return await Repository.open(store, {
      world,
      unlock: async (description) => {
        const { unlockRepository } = await import("../backup/keyring.ts");
        return await unlockRepository(store, description, toPassphraseOf(flags));
      },
    });
  } catch (error) {
    store.close();
    throw error;
  }
}

async function copyAll(
  repositories: { from: Repository; to: Repository; world: CopyWorld },
  work: { snapshots: readonly Snapshot[]; console: Console; flags: CopyFlags },
): Promise<void> {
  const { from, to, world } = repositories;
  const { snapshots, console, flags } = work;
  using lanes = lanesOf(to);
  const copies = await readCopies(to);
  const originals = (await Array.fromAsync(readSnapshots(from))).flatMap(({ snapshot }) => snapshot ?? []);
  let [copied, storedBytes] = [0, 0];
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
    } finally {
      progress.end();
    }
  }
  const there = snapshots.length - copied;
  if (console.json) console.outJson({ type: "summary", copied, there, storedBytes });
  else {
    console.out(
      `${plural(copied, "snapshot")} copied, ${formatSize(storedBytes)} stored; ${there} were there already`,
    );
  }
}

function tellOne(snapshot: Snapshot, copy: Snapshot | undefined, console: Console): void {
  const { id, source: { name } } = snapshot;
  if (console.json) {
    console.outJson({ type: "snapshot", name, id, copy: copy?.id ?? null, stats: copy?.stats });
  } else if (copy !== undefined) {
    console.out(`${name}@${id} -> ${copy.id}, ${formatSize(copy.stats.storedBytes)} stored`);
  } else console.tell(`${name}@${id} was copied before`);
}
