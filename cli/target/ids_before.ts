/**
 * The ids that a descriptor had before an apply, and that come back with the data: also where the flat file is named
 * as the target, and the descriptor stands beside it.
 */
import {
  type Context,
  findDescriptorBeside,
  formatCid,
  parseDescriptor,
  RegrainError,
} from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { giveBackContentId } from "./content_id.ts";
import { type PreparedTarget, readTargetDescriptor } from "./prepare.ts";
import { requireRewritable } from "./rewritable.ts";
import type { PreparedDiff } from "./undo_file.ts";

/** A descriptor whose ids the undo file knows. */
export class IdsBefore {
  private constructor(
    /** The descriptor. */
    readonly path: string,
    private readonly prepared: PreparedDiff,
    private readonly io: Io,
  ) {}

  /** @returns `undefined` when the apply changed no descriptor, or none is here. */
  static async find(
    prepared: PreparedDiff,
    { target, path }: { target: PreparedTarget | undefined; path: string },
    { io, context }: { io: Io; context: Context },
  ): Promise<IdsBefore | undefined> {
    if (prepared.undo?.base === undefined) return undefined;
    const descriptor = target?.base?.path ?? await besideOf(path, context);
    return descriptor === undefined ? undefined : new IdsBefore(descriptor, prepared, io);
  }

  get cid(): number {
    return this.prepared.undo!.base!.cid;
  }

  /**
   * Makes sure that the descriptor can be changed, and has the ids that the apply gave it, or those from before.
   *
   * @throws {RegrainError} `PERMISSION`; `WRONG_BASE` when it took others since, as from a newer delta.
   */
  async requireOwn(force: boolean): Promise<void> {
    requireRewritable(this.path, this.io);
    const cidAfter = this.prepared.trailer?.cidAfter;
    const now = await this.present();
    if (force || cidAfter === undefined || now === undefined || now === cidAfter || now === this.cid) return;
    throw new RegrainError(
      "WRONG_BASE",
      `its CID is ${formatCid(now)}, and the ${this.prepared.undo!.operation} left ${
        formatCid(cidAfter)
      }: something was applied or written since`,
      {
        path: this.path,
        hint:
          "take back what was applied later first, by its own undo file; --force takes this one back all the same, " +
          `and leaves what was written since where this ${this.prepared.undo!.operation} wrote nothing`,
      },
    );
  }

  async giveBack(): Promise<void> {
    const { undo, trailer } = this.prepared;
    await giveBackContentId(this.path, { ids: undo!.base!, bytes: trailer?.descriptor }, this.io);
  }

  /**
   * Gives the ids back where only the data was taken back before.
   *
   * @returns whether they were not back yet.
   */
  async complete(): Promise<boolean> {
    const cidAfter = this.prepared.trailer?.cidAfter;
    const now = await this.present();
    if (now === this.cid || now === undefined || now !== cidAfter) return false;
    await this.giveBack();
    return true;
  }

  /** What to say of a descriptor with ids that the undo file does not know. */
  async doubt(): Promise<string | undefined> {
    const now = await this.present();
    if (now === this.cid || now === undefined) return undefined;
    return `${this.path}: its CID is ${formatCid(now)}, and was ${formatCid(this.cid)} before the ` +
      `${this.prepared.undo!.operation}: ` +
      "--force gives it back, which is right when nothing was applied since";
  }

  private async present(): Promise<number | undefined> {
    return parseDescriptor(await readTargetDescriptor(this.path, this.io), this.path).cid;
  }
}

async function besideOf(flat: string, context: Context): Promise<string | undefined> {
  try {
    return await findDescriptorBeside(flat, context);
  } catch (error) {
    // That it cannot be read was said when the target was opened.
    if (error instanceof RegrainError) return undefined;
    throw error;
  }
}
