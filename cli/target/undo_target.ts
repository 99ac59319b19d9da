/** A target whose old content is saved before each overwrite; for work that writes in no order. */
import { Batch, type Target } from "../../core-as/host/mod.ts";
import { pastEnd } from "../io/errno.ts";
import type { UndoSaver } from "./undo.ts";
import { SurvivingBlocks } from "./untouched.ts";
import { WrappedTarget } from "./wrapped_target.ts";

const NOTHING = new Uint8Array(0);

export class UndoTarget extends WrappedTarget {
  private readonly surviving: SurvivingBlocks;
  /** One stretch after the other is saved; what was saved may be overwritten while the next one is. */
  private saving: Promise<void> = Promise.resolve();

  constructor(target: Target, private readonly saver: UndoSaver) {
    super(target);
    this.surviving = new SurvivingBlocks(target.sizeBytes);
  }

  /** Blocks that nothing was written to. */
  get untouched(): readonly number[] {
    return this.surviving.finish();
  }

  override async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.guard(batch, buffer);
    await this.target.write(batch, buffer);
  }

  override async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    const stretches = new Batch();
    stretches.add({ ...stretch, at: -1 });
    await this.guard(stretches, NOTHING);
    await this.target.zero(stretch);
  }

  private async guard(stretches: Batch, buffer: Uint8Array): Promise<void> {
    for (let i = 0; i < stretches.count; i++) {
      const offsetBytes = stretches.offsetBytes[i]!;
      if (offsetBytes + stretches.lengthBytes[i]! > this.sizeBytes) throw pastEnd(this, offsetBytes);
    }
    // After one that failed nothing is saved, and so nothing overwritten: the undo file ends there.
    this.saving = this.saving.then(() => this.save(stretches, buffer));
    await this.saving;
  }

  private async save(stretches: Batch, buffer: Uint8Array): Promise<void> {
    for (let i = 0; i < stretches.count; i++) {
      const [offsetBytes, lengthBytes] = [stretches.offsetBytes[i]!, stretches.lengthBytes[i]!];
      this.surviving.touch({ offsetBytes, lengthBytes });
    }
    await this.saver.save(stretches);
    await this.saver.mark({ target: this.target, stretches, buffer });
  }
}
