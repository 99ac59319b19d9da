/** Deltas to be laid over a snapshot: those that came after it, found by their names and content ids. */
import {
  type Context,
  Disk,
  doubtsOf,
  type Finding,
  formatCid,
  identifyParents,
  isDeltaName,
  isKnownDelta,
  type Link,
  type LinkIdentity,
  newerBeside,
  openLink,
  RegrainError,
  type Source,
} from "../../../core-as/host/mod.ts";
import type { Snapshot } from "../../../core-as/host/repo/mod.ts";
import { planDelta } from "./delta_origin.ts";
import type { Lanes } from "../lanes.ts";
import type { Lineage } from "./lineage.ts";
import { cidText } from "./origins.ts";
import type { BackupPlan } from "./plan.ts";
import type { Repository } from "../repository.ts";

/** What deltas are opened with, and who hears of what is odd. */
export interface DeltaMeans {
  readonly context: Context;
  /** What cannot be told is taken as it is. */
  readonly force: boolean;
  /** Refuses what is in doubt, or says that it is taken all the same. */
  takeDoubts(doubts: readonly Finding[]): void;
  warn(sentence: string): void;
  detail(sentence: string): void;
}

/** A delta that is opened, and the links below it as far as a snapshot needs them. */
export class DeltaOverSnapshot implements Disposable {
  private readonly links: Link[];

  private constructor(private readonly means: DeltaMeans, newest: Link) {
    this.links = [newest];
  }

  /** @param path Descriptor or bare extent of the newest delta. */
  static async open(path: string, means: DeltaMeans): Promise<DeltaOverSnapshot> {
    const link = await openLink(path, means.context, "delta");
    try {
      if (link.isBase) {
        throw new RegrainError("USAGE", "a delta is needed here, and this disk has no parent", { path });
      }
      means.takeDoubts(doubtsOf([link]));
      return new DeltaOverSnapshot(means, link);
    } catch (error) {
      link.close();
      throw error;
    }
  }

  get newest(): Link {
    return this.links[0]!;
  }

  /** All links that are open. */
  get opened(): readonly Link[] {
    return this.links;
  }

  /** Those of all links that are open. */
  get files(): readonly Source[] {
    return this.links.flatMap((link) => link.files);
  }

  /** Every file that is read, by its name: none of them may be written. */
  get inputs(): readonly string[] {
    const names = this.links.flatMap((link) => [link.path, ...link.files.map(({ path }) => path)]);
    return [...new Set(names)];
  }

  get sizeBytes(): number {
    return new Disk(this.means.context.core, this.links).sizeBytes;
  }

  /** What the snapshot is with the deltas over it. @throws what {@link planDelta} does. */
  async plan(
    snapshot: Snapshot | undefined,
    { repository, name, lanes, lineage }: {
      repository: Repository;
      name: string;
      lanes?: Lanes;
      lineage?: Lineage | undefined;
    },
  ): Promise<BackupPlan> {
    const { context, force } = this.means;
    const links = await this.linksOver(snapshot, lineage);
    const disk = new Disk(context.core, links);
    const onNotice = (sentence: string) => this.means.warn(sentence);
    const work = { repository, name, lineage, onNotice, ...lanes === undefined ? {} : { lanes } };
    return await planDelta({ disk, links, force }, snapshot, work);
  }

  [Symbol.dispose](): void {
    for (const link of this.links) link.close();
  }

  /**
   * The links from the newest down to the lowest that was made against a disk of that CID. A CID may be that of several
   * links, as in a chain made while the VM ran; then all of these are laid over the snapshot: whichever of them it has
   * already, the upper ones win. Where none was made against it the newest alone is taken, and whether it belongs there
   * is judged as ever. Over a snapshot without a CID every link that is here is laid.
   */
  private async linksOver(snapshot: Snapshot | undefined, lineage: Lineage | undefined): Promise<Link[]> {
    // A backup that has to start again asks once more.
    for (const link of this.links.splice(1)) link.close();
    const newest = this.links[0]!;
    if (snapshot?.cid !== undefined && !lineage?.isTold) await this.requireNewest(snapshot.cid);
    const { parents, error } = await identifyParents(newest, this.means.context);
    const deltas = [newest, ...parents.filter(isKnownDelta)];
    const cid = snapshot?.cid;
    const madeAgainstIt = deltas.filter(({ identity }) => cidOf(identity?.parent.cid) === cid);
    const lowest = cid === undefined ? deltas.at(-1)! : madeAgainstIt.at(-1) ?? newest;
    if (error && cid !== undefined && lowest === deltas.at(-1)) this.requireNothingBetween(lowest, cid);
    if (cid !== undefined && madeAgainstIt.length > 1) {
      const laid = deltas.slice(0, deltas.indexOf(lowest) + 1).map(({ path }) => path).reverse().join(", ");
      this.means.warn(
        `CID ${cid} is that of several links, so it does not tell which of them the snapshot has: ` +
          `all that may be missing are laid over it: ${laid}`,
      );
    }
    for (const { path } of deltas.slice(1, deltas.indexOf(lowest) + 1)) await this.openBelow(path);
    return [...this.links];
  }

  /**
   * A delta with the CID that it was made against leaves the CID of the snapshot as it is: one that is laid once more,
   * after newer ones, would hide what these hold.
   */
  private async requireNewest(cid: string): Promise<void> {
    const { path, identity } = this.newest;
    if (cidOf(identity?.own.cid) !== cid || cidOf(identity?.parent.cid) !== cid) return;
    const newer = await newerBeside(this.newest, this.means.context);
    if (newer.length === 0) {
      return this.means.warn(
        `CID ${cid} is that of several links, so it does not tell whether the snapshot has ${path} already, or ` +
          "newer ones: it is laid over what is there",
      );
    }
    const message =
      `CID ${cid} does not tell whether the snapshot has newer deltas already, which stand beside it: ` +
      newer.join(", ");
    if (this.means.force) return this.means.warn(`taken by --force: ${path}: ${message}`);
    throw new RegrainError("WRONG_BASE", message, {
      path,
      hint:
        "give the newest of them: those below it are laid with it; --since ID says which snapshot this one was made " +
        "against; --force lays this one alone, which hides " +
        "what newer ones hold if the snapshot has them",
    });
  }

  /** A delta that is not here may have the very CID of the snapshot, and then the snapshot may lack it. */
  private requireNothingBetween({ path, identity, parent }: LinkIdentity, cid: string): void {
    const hint = parent?.name;
    if (hint === undefined || !isDeltaName(hint) || cidOf(identity?.parent.cid) !== cid) return;
    const message =
      `it names "${hint}" as its parent, which is not here: whether the snapshot has that delta ` +
      `is not told by its CID ${cid}`;
    if (this.means.force) return this.means.warn(`taken by --force: ${path}: ${message}`);
    throw new RegrainError("WRONG_BASE", message, {
      path,
      hint:
        "put the descriptor of that delta beside it; --force goes on all the same, and what that delta holds " +
        "may then be missing",
    });
  }

  private async openBelow(path: string): Promise<void> {
    const above = this.links.at(-1)!;
    const below = await openLink(path, this.means.context, "parent");
    this.links.push(below);
    this.means.takeDoubts(doubtsOf([below]));
    this.means.detail(`${above.path} stands on ${below.path} (CID ${cidText(below) ?? "unknown"})`);
  }
}

function cidOf(cid: number | undefined): string | undefined {
  return cid === undefined ? undefined : formatCid(cid);
}
