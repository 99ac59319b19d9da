/** A target whose old content is saved before each overwrite; for work that writes in no order. */
import { Batch, type Target } from "../../core-as/host/mod.ts";
import type { UndoSaver } from "./undo.ts";
import { SurvivingBlocks } from "./untouched.ts";
import { WrappedTarget } from "./wrapped_target.ts";

const NOTHING = new Uint8Array(0);

export class UndoTarget extends WrappedTarget {
  private readonly stretch = new Batch();
  private readonly surviving: SurvivingBlocks;

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
    this.stretch.clear();
    this.stretch.add({ ...stretch, at: -1 });
    await this.guard(this.stretch, NOTHING);
    await this.target.zero(stretch);
  }

  private async guard(stretches: Batch, buffer: Uint8Array): Promise<void> {
    for (let i = 0; i < stretches.count; i++) {
      const [offsetBytes, lengthBytes] = [stretches.offsetBytes[i]!, stretches.lengthBytes[i]!];
      this.surviving.touch({ offsetBytes, lengthBytes });
    }
    await this.saver.save(stretches);
    await this.saver.mark({ target: this.target, stretches, buffer });
  }
}
