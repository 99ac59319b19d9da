/**
 * Whether a delta and a base belong together by what they hold, where no content id says so: what a guest keeps in two
 * places is compared, one in the delta and the other in the base.
 *
 * It can only speak against a base. That everything agrees proves nothing: clones of one template agree, and the guest
 * writes all that is read here.
 *
 * This module is browser compatible.
 */
import { type Batch, type MaybePromise, readBytes, type Run, type Source } from "../source.ts";
import { type Copy, familiesOf, type Family, tableFamilies } from "./copies.ts";
import { FILE_SYSTEM_NAMES, HEAD_BYTES } from "./file_system.ts";
import { recogniseAll } from "./file_systems.ts";
import { readPartitions } from "./partitions.ts";
import type { Stretch } from "./pieces.ts";

/** What is compared. */
export interface Compared {
  /** All deltas, merged. */
  readonly delta: Pick<Source, "path" | "sizeBytes" | "read">;
  /** What the deltas hold of a stretch; holes are what only the base has. */
  runs(fromBytes: number, toBytes: number): MaybePromise<readonly Run[]>;
  readonly base: Pick<Source, "path" | "sizeBytes" | "read">;
}

/** What was seen, in sentences. */
export interface ContentCheck {
  /** What both hold and agree in; empty where there was nothing to compare. */
  readonly agreed: readonly string[];
  /** What speaks against the base: it is likely another disk, or was changed. */
  readonly against: readonly string[];
}

/** Partitions that are looked into. */
const MAX_AREAS = 16;

/**
 * Compares. Reads some dozens of sectors.
 *
 * @throws {RegrainError} what reading either may.
 */
export async function checkContent(compared: Compared): Promise<ContentCheck> {
  const seen = new Seen(compared);
  for (const family of tableFamilies(compared.delta.sizeBytes)) await seen.compare(family, 0);
  const merged = new Merged(compared);
  const { partitions } = await readPartitions(merged);
  const areas = partitions.filter(({ isExtended }) => !isExtended).slice(0, MAX_AREAS)
    .map(({ startBytes, lengthBytes }): Stretch => ({ offsetBytes: startBytes, lengthBytes }))
    .filter(({ offsetBytes, lengthBytes }) => offsetBytes + lengthBytes <= merged.sizeBytes);
  if (areas.length === 0) areas.push({ offsetBytes: 0, lengthBytes: merged.sizeBytes });
  await compareFileSystems(merged, areas, seen);
  for (const { offsetBytes, lengthBytes } of areas) {
    const head = new Uint8Array(HEAD_BYTES);
    head.set(await readBytes(merged, offsetBytes, Math.min(HEAD_BYTES, lengthBytes)));
    for (const family of familiesOf(head, lengthBytes)) await seen.compare(family, offsetBytes);
  }
  return { agreed: seen.agreed, against: seen.against };
}

/** A file system of one kind where the base has another one was not made by going on with that base. */
async function compareFileSystems(merged: Merged, areas: readonly Stretch[], seen: Seen): Promise<void> {
  const { compared: { base, delta } } = merged;
  const [now, before] = await Promise.all([
    recogniseAll(merged, areas),
    recogniseAll({ ...asSource(base), sizeBytes: Math.min(base.sizeBytes, merged.sizeBytes) }, areas),
  ]);
  for (const [i, { offsetBytes, lengthBytes }] of areas.entries()) {
    const [found, old] = [now[i], before[i]];
    if (!found || found.type === "empty") continue;
    if (old && old.type !== "empty" && kindOf(old.type) !== kindOf(found.type)) {
      const names = [FILE_SYSTEM_NAMES[found.type], FILE_SYSTEM_NAMES[old.type]];
      seen.against.push(
        `with ${delta.path} there is ${names[0]} at byte ${offsetBytes}, and ${base.path} has ${
          names[1]
        } there`,
      );
    } else if (!hasFamily(found.type) && old && found.uuid !== old.uuid) {
      seen.against.push(
        `with ${delta.path} the ${FILE_SYSTEM_NAMES[found.type]} at byte ${offsetBytes} is ${
          found.uuid ?? "without UUID"
        }, ` +
          `in ${base.path} ${old.uuid ?? "without"}`,
      );
    }
    if (found.sizeBytes !== undefined && found.sizeBytes > lengthBytes) {
      seen.against.push(
        `with ${delta.path} the ${FILE_SYSTEM_NAMES[found.type]} at byte ${offsetBytes} says that it has ` +
          `${found.sizeBytes} bytes, and there are ${lengthBytes}`,
      );
    }
  }
}

/** True of what has copies, which are compared one by one. */
function hasFamily(type: string): boolean {
  return /^(ext\d|xfs|btrfs|ntfs)$/.test(type);
}

/** Generations of one file system are one kind: a journal may be added to ext2. */
function kindOf(type: string): string {
  return type.replace(/^ext\d$/, "ext").replace(/^fat\d+$/, "fat");
}

/** A copy that was found, and what it says. */
interface FoundCopy {
  readonly copy: Copy;
  readonly id: string | undefined;
}

/** Gathers what the two agree in, and what not. */
class Seen {
  readonly agreed: string[] = [];
  readonly against: string[] = [];

  constructor(private readonly compared: Compared) {}

  /** Compares the copies that the delta holds with those that only the base has. */
  async compare({ what, copies }: Family, areaBytes: number): Promise<void> {
    const { delta, base } = this.compared;
    const inDelta: FoundCopy[] = [];
    const inBase: FoundCopy[] = [];
    for (const copy of copies) {
      const place = { ...copy.stretch, offsetBytes: areaBytes + copy.stretch.offsetBytes };
      const isHeld = await this.isHeld(place);
      if (isHeld === undefined || place.offsetBytes + place.lengthBytes > delta.sizeBytes) continue;
      const old = await this.oldId(copy, place);
      if (!isHeld) inBase.push({ copy, id: old });
      else {
        const bytes = await readBytes(asSource(delta), place.offsetBytes, place.lengthBytes);
        inDelta.push({ copy, id: copy.idOf(bytes) });
        // What stood there before the delta says the same, unless there was nothing of the kind.
        if (old !== undefined) inBase.push({ copy, id: old });
      }
    }
    const [held] = inDelta.filter(({ id }) => id !== undefined);
    if (!held || inBase.length === 0) return;
    const other = inBase.find(({ id }) => id !== held.id);
    const at = areaBytes === 0 ? "" : ` at byte ${areaBytes}`;
    if (!other) this.agreed.push(`${what}${at}: ${held.id}`);
    else {
      this.against.push(
        `${what}${at}: ${held.id} in the ${held.copy.label} of ${delta.path}, ` +
          `${other.id ?? "none"} in the ${other.copy.label} of ${base.path}`,
      );
    }
  }

  private async oldId(copy: Copy, place: Stretch): Promise<string | undefined> {
    const { base } = this.compared;
    if (place.offsetBytes + place.lengthBytes > base.sizeBytes) return undefined;
    return copy.idOf(await readBytes(asSource(base), place.offsetBytes, place.lengthBytes));
  }

  /** Whether the delta has all of a stretch, or nothing of it; undefined where it has a part. */
  private async isHeld({ offsetBytes, lengthBytes }: Stretch): Promise<boolean | undefined> {
    const runs = await this.compared.runs(offsetBytes, offsetBytes + lengthBytes);
    const kinds = new Set(runs.map(({ kind }) => kind));
    if (kinds.size === 1 && kinds.has("hole")) return false;
    return [...kinds].every((kind) => kind === "data" || kind === "zero") ? true : undefined;
  }
}

/** The deltas over the base, as the guest will see the disk. */
class Merged implements Source {
  readonly path: string;
  readonly sizeBytes: number;

  constructor(readonly compared: Compared) {
    this.path = compared.delta.path;
    this.sizeBytes = compared.delta.sizeBytes;
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      const [offsetBytes, lengthBytes, at] = [batch.offsetBytes[i]!, batch.lengthBytes[i]!, batch.at[i]!];
      await this.readOne(offsetBytes, buffer.subarray(at, at + lengthBytes));
    }
  }

  private async readOne(offsetBytes: number, into: Uint8Array): Promise<void> {
    const { delta, base, runs } = this.compared;
    const present = Math.max(0, Math.min(into.length, base.sizeBytes - offsetBytes));
    into.fill(0);
    if (present > 0) into.set(await readBytes(asSource(base), offsetBytes, present));
    for (
      const { start, length, kind } of await runs.call(this.compared, offsetBytes, offsetBytes + into.length)
    ) {
      if (kind !== "data" && kind !== "zero") continue;
      const from = Math.max(start, offsetBytes);
      const end = Math.min(start + length, offsetBytes + into.length);
      if (end > from) into.set(await readBytes(asSource(delta), from, end - from), from - offsetBytes);
    }
  }

  close(): void {
    // Both belong to the caller.
  }
}

/** Something that is read here and closed elsewhere. */
function asSource(read: Pick<Source, "path" | "sizeBytes" | "read">): Source {
  return { path: read.path, sizeBytes: read.sizeBytes, read: read.read.bind(read), close: () => undefined };
}
