/** Disks that became smaller: most often the copy was cut, and what is removed then is the last whole one. */
import { formatCount } from "../../../core-as/host/units.ts";
import type { Candidate, Fate } from "./retention.ts";

/** A snapshot, and how large its disk is; `undefined` when the manifest cannot be read. */
interface Sized extends Candidate {
  readonly disk: string;
  readonly sizeBytes: number | undefined;
}

/** A sentence for each disk whose newest snapshot is smaller than one that is removed. */
export function shrunkDisks(fates: readonly Fate<Sized>[], removed: ReadonlySet<string>): string[] {
  const disks = Map.groupBy(fates, ({ snapshot }) => snapshot.source);
  return [...disks.values()].flatMap((disk) => {
    const byId = disk.map(({ snapshot }) => snapshot).sort((a, b) => a.id < b.id ? 1 : -1);
    const newest = byId.find(({ sizeBytes }) => sizeBytes !== undefined);
    const larger = byId.find(({ id, sizeBytes = 0 }) =>
      removed.has(id) && sizeBytes > (newest?.sizeBytes ?? Infinity)
    );
    if (newest === undefined || larger === undefined) return [];
    return [
      `the newest snapshot of ${newest.disk}, ${newest.id}, has ${
        formatCount(newest.sizeBytes!)
      } bytes, and ` +
      `${larger.id}, which the rules remove, ${
        formatCount(larger.sizeBytes!)
      }: did the disk become smaller, or was ` +
      `its copy cut? regrain hold ${larger.id} keeps that one`,
    ];
  });
}
