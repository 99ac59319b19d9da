/** Choosing snapshots by what the command line names, with a warning where this host remembers newer ones. */
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import type { Repository } from "../backup/repository.ts";
import { choose, type Chosen } from "../backup/snapshots/choose.ts";
import { findSnapshot, parseSnapshotSpec } from "../backup/snapshots/snapshots.ts";
import type { Console } from "../ui/mod.ts";
import { rememberNewest, warnOfHidden, warnOfOlder } from "./newest_seen.ts";

/** Chooses snapshots, and warns where this host remembers a newer one of a disk that is not there. */
export async function chooseRemembered(
  repository: Repository,
  specs: readonly string[],
  console: Console,
): Promise<Chosen> {
  const named = await disksOf(repository, specs);
  await warnOfHidden(repository, { console, disks: named });
  const chosen = await choose(repository, specs, (sentence) => console.warn(sentence));
  if (named !== undefined) {
    // What is named by an id is of a disk that is known only now.
    const others = chosen.snapshots.filter(({ source }) => !named.has(source.key));
    const disks = new Map(others.map(({ source }) => [source.key, source.name]));
    await warnOfHidden(repository, { console, disks });
  }
  await rememberNewest(repository, chosen.snapshots, console);
  return chosen;
}

/** The disks that are named; `undefined` where none is, and every disk is meant. */
async function disksOf(
  repository: Repository,
  specs: readonly string[],
): Promise<ReadonlyMap<string, string> | undefined> {
  if (specs.length === 0) return undefined;
  const disks = new Map<string, string>();
  for (const { name } of specs.map(parseSnapshotSpec)) disks.set(await repository.sourceKey(name), name);
  return disks;
}

/** Finds one snapshot, and warns where this host remembers a newer one of the disk that is not there. */
export async function findRemembered(
  repository: Repository,
  spec: string,
  console: Console,
): Promise<Snapshot> {
  const { name, which } = parseSnapshotSpec(spec);
  const hidden = await warnOfHidden(repository, {
    console,
    disks: new Map([[await repository.sourceKey(name), name]]),
  });
  const passedOver: string[] = [];
  const snapshot = await findSnapshot(repository, spec, (sentence) => {
    passedOver.push(sentence);
    console.warn(sentence);
  });
  const isSaid = (id: string) => hidden.has(id) || passedOver.some((sentence) => sentence.includes(id));
  if (which === "latest") warnOfOlder(repository, snapshot, { console, isSaid });
  await rememberNewest(repository, [snapshot], console);
  return snapshot;
}
