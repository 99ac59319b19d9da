/** Deltas to be laid over a snapshot: those that came after it, found by their names and content ids. */
import {
  Disk,
  formatCid,
  type Link,
  MAX_CHAIN_LINKS,
  openLink,
  parentPath,
  RegrainError,
} from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { planDelta } from "../backup/delta_origin.ts";
import type { Lanes } from "../backup/lanes.ts";
import { cidText } from "../backup/origins.ts";
import type { BackupPlan } from "../backup/plan.ts";
import type { Repository } from "../backup/repository.ts";
import type { Session } from "./session.ts";

/** A delta that is opened, and the links below it as far as a snapshot needs them. */
export class DeltaOverSnapshot implements Disposable {
  private readonly links: Link[];

  private constructor(private readonly session: Session, newest: Link, private readonly force: boolean) {
    this.links = [newest];
  }

  /** @param path Descriptor or bare extent of the newest delta. */
  static async open(
    path: string,
    { session, force }: { session: Session; force: boolean },
  ): Promise<DeltaOverSnapshot> {
    const link = await openLink(path, session.context, "vmdk");
    if (!link.isBase) return new DeltaOverSnapshot(session, link, force);
    link.close();
    throw new RegrainError("USAGE", "a delta is needed here, and this disk has no parent", { path });
  }

  get sizeBytes(): number {
    return new Disk(this.session.context.core, this.links).sizeBytes;
  }

  /** What the snapshot is with the deltas over it. @throws what {@link planDelta} does. */
  async plan(
    snapshot: Snapshot | undefined,
    { repository, name, lanes }: { repository: Repository; name: string; lanes?: Lanes },
  ): Promise<BackupPlan> {
    const { console, context } = this.session;
    const links = await this.linksOver(snapshot?.cid);
    const disk = new Disk(context.core, links);
    const onNotice = (sentence: string) => console.warn(sentence);
    const means = { repository, name, onNotice, ...lanes === undefined ? {} : { lanes } };
    return await planDelta({ disk, links, force: this.force }, snapshot, means);
  }

  [Symbol.dispose](): void {
    for (const link of this.links) link.close();
  }

  /**
   * The links from the newest down to the one that was made against the disk of that CID. Where the way down does not
   * come to such a one the newest alone is taken, and whether it belongs there is judged as ever. Over a snapshot
   * without a CID every link that is here is laid: whichever of them it has already, the upper ones win.
   */
  private async linksOver(cid: string | undefined): Promise<Link[]> {
    // The snapshot has this delta already: nothing below it is asked for.
    if (cid !== undefined && cidText(this.links[0]!) === cid) return this.links.slice(0, 1);
    for (let i = 0; i < MAX_CHAIN_LINKS; i++) {
      const link = this.links[i]!;
      const { parentCid } = link.descriptor ?? {};
      if (cid !== undefined && parentCid !== undefined && formatCid(parentCid) === cid) {
        return this.links.slice(0, i + 1);
      }
      if (this.links[i + 1] === undefined && !await this.goDown(link)) break;
    }
    if (cid === undefined) return [...this.links];
    for (const link of this.links.splice(1)) link.close();
    return this.links.slice(0, 1);
  }

  /** Opens the delta below. @returns false when there is none here. */
  private async goDown(link: Link): Promise<boolean> {
    const below = await this.openParent(link);
    if (below === undefined) return false;
    this.session.console.detail(`${link.path} stands on ${below.path} (CID ${cidText(below) ?? "unknown"})`);
    this.links.push(below);
    return true;
  }

  /** The delta below, if there is one here. */
  private async openParent(link: Link): Promise<Link | undefined> {
    const { context } = this.session;
    try {
      const path = await parentPath(link, context);
      if (path === undefined) return undefined;
      const below = await openLink(path, context, "vmdk");
      if (!below.isBase) return below;
      below.close();
      return undefined;
    } catch (error) {
      if (error instanceof RegrainError && (error.code === "NOT_FOUND" || error.code === "OUTSIDE_FOLDER")) {
        return undefined;
      }
      throw error;
    }
  }
}
