/**
 * What a repository holds: how much of it is shared, how far it is packed, and what would be free without one snapshot.
 * Every page is read twice, however many snapshots share it.
 */
import { PAGE_ENTRIES, type Snapshot } from "../../../core-as/host/repo/mod.ts";
import { IdTable } from "../id_table.ts";
import { chunksOf, distinctPages, plainBytesOf, type RawChunk, type SharedPage } from "../places.ts";
import type { Repository } from "../repository.ts";

/** Sizes of some content. */
export interface Amount {
  /** Different chunks. */
  chunks: number;
  /** Bytes of disks that they hold. */
  plainBytes: number;
  /** Bytes of their objects. */
  storedBytes: number;
}

export interface SnapshotStats {
  readonly snapshot: Snapshot;
  /** What no other snapshot needs. */
  readonly alone: Amount;
}

export interface DiskStats {
  readonly name: string;
  readonly snapshots: readonly SnapshotStats[];
  /** Bytes that all its snapshots would hold if nothing were shared. */
  readonly referencedBytes: number;
  /** What its snapshots need, each chunk once. */
  readonly needed: Amount;
  /** What no other disk needs. */
  readonly alone: Amount;
}

export interface RepositoryStats {
  readonly disks: readonly DiskStats[];
  readonly referencedBytes: number;
  readonly needed: Amount;
  /** Every object of the store; what is more than what is needed is for a collection, or of a backup under way. */
  readonly objects: { readonly count: number; readonly bytes: number };
}

/** Owners of a chunk, in a number of 32 bits: one snapshot, several of one disk, or several disks. */
const MANY_DISKS = 0xffff_ffff;
const ONE_DISK = 0x8000_0000;
const COUNTED = 0;

/** @param snapshots Those that can be read. */
export async function measure(
  repository: Repository,
  snapshots: readonly Snapshot[],
): Promise<RepositoryStats> {
  return await new Measurement(repository, snapshots).run();
}

class Measurement {
  private readonly owners = new IdTable();
  private readonly disks: (readonly Snapshot[])[];
  private readonly numberOf = new Map<string, number>();
  private readonly diskOf: number[] = [];
  private readonly aloneOfSnapshot: Amount[];
  private readonly aloneOfDisk: Amount[];
  private readonly needed = nothing();

  constructor(private readonly repository: Repository, private readonly snapshots: readonly Snapshot[]) {
    this.disks = [...Map.groupBy(snapshots, ({ source }) => source.key).values()];
    this.disks.forEach((disk, diskIndex) => {
      for (const { id } of disk) {
        this.numberOf.set(id, this.diskOf.length);
        this.diskOf.push(diskIndex);
      }
    });
    this.aloneOfSnapshot = snapshots.map(nothing);
    this.aloneOfDisk = this.disks.map(nothing);
  }

  async run(): Promise<RepositoryStats> {
    const pages = [...distinctPages(this.snapshots).values()];
    await this.eachChunk(pages, ({ id, generation }, { owner }) => {
      const before = this.owners.get(id, generation);
      this.owners.set(id, generation, before === undefined ? owner : this.combine(before, owner));
    });
    await this.eachChunk(pages, (chunk, { plainBytes }) => this.count(chunk, plainBytes));
    const disks: DiskStats[] = [];
    for (const [i, disk] of this.disks.entries()) disks.push(await this.statsOf(disk, i));
    return {
      disks,
      referencedBytes: sum(disks.map(({ referencedBytes }) => referencedBytes)),
      needed: this.needed,
      objects: await this.countObjects(),
    };
  }

  private async eachChunk(
    pages: readonly (readonly SharedPage[])[],
    visit: (chunk: RawChunk, of: { owner: number; plainBytes: number }) => void,
  ): Promise<void> {
    for (const users of pages) {
      const { reference, entries, snapshot, index } = users[0]!;
      const owner = users.map((user) => this.numberOf.get(user.snapshot.id)! + 1)
        .reduce((a, b) => this.combine(a, b));
      const page = await this.repository.readPageOf(reference, entries);
      for (const chunk of chunksOf(page)) {
        visit(chunk, { owner, plainBytes: plainBytesOf(snapshot, index * PAGE_ENTRIES + chunk.at) });
      }
    }
  }

  private combine(a: number, b: number): number {
    if (a === b) return a;
    const [diskA, diskB] = [this.diskIn(a), this.diskIn(b)];
    return diskA === undefined || diskA !== diskB ? MANY_DISKS : ONE_DISK + diskA;
  }

  private diskIn(owner: number): number | undefined {
    if (owner === MANY_DISKS) return undefined;
    return owner >= ONE_DISK ? owner - ONE_DISK : this.diskOf[owner - 1];
  }

  private count({ id, generation, storedBytes }: RawChunk, plainBytes: number): void {
    const owner = this.owners.get(id, generation)!;
    if (owner === COUNTED) return;
    this.owners.set(id, generation, COUNTED);
    const amounts = [this.needed];
    const disk = this.diskIn(owner);
    if (disk !== undefined) amounts.push(this.aloneOfDisk[disk]!);
    if (owner < ONE_DISK) amounts.push(this.aloneOfSnapshot[owner - 1]!);
    for (const amount of amounts) add(amount, storedBytes, plainBytes);
  }

  private async statsOf(disk: readonly Snapshot[], index: number): Promise<DiskStats> {
    const seen = new IdTable();
    const needed = nothing();
    await this.eachChunk(
      [...distinctPages(disk).values()],
      ({ id, generation, storedBytes }, { plainBytes }) => {
        if (seen.has(id, generation)) return;
        seen.set(id, generation, 0);
        add(needed, storedBytes, plainBytes);
      },
    );
    return {
      name: disk.at(-1)!.source.name,
      snapshots: disk.map((snapshot) => ({
        snapshot,
        alone: this.aloneOfSnapshot[this.numberOf.get(snapshot.id)!]!,
      })),
      referencedBytes: sum(disk.map(dataBytes)),
      needed,
      alone: this.aloneOfDisk[index]!,
    };
  }

  private async countObjects(): Promise<{ count: number; bytes: number }> {
    const objects = { count: 0, bytes: 0 };
    for await (const { sizeBytes } of this.repository.store.list("")) {
      objects.count++;
      objects.bytes += sizeBytes;
    }
    return objects;
  }
}

/** Bytes of a disk that are not zeros, in whole chunks but never more than the disk has. */
export function dataBytes({ stats, chunkBytes, sizeBytes }: Snapshot): number {
  return Math.min(stats.chunks * chunkBytes, sizeBytes);
}

function nothing(): Amount {
  return { chunks: 0, plainBytes: 0, storedBytes: 0 };
}

function add(amount: Amount, storedBytes: number, plainBytes: number): void {
  amount.chunks++;
  amount.storedBytes += storedBytes;
  amount.plainBytes += plainBytes;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
