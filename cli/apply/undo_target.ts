/** A target whose old content is saved before each overwrite; for work that writes in no order. */
import { Batch, type Target } from "../../core-as/host/mod.ts";
import type { UndoSaver } from "./undo.ts";
import { WrappedTarget } from "./wrapped_target.ts";

export class UndoTarget extends WrappedTarget {
  private readonly stretch = new Batch();

  constructor(target: Target, private readonly saver: UndoSaver) {
    super(target);
  }

  override async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.saver.save(batch);
    await this.target.write(batch, buffer);
  }

  override async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    this.stretch.clear();
    this.stretch.add({ ...stretch, at: 0 });
    await this.saver.save(this.stretch);
    await this.target.zero(stretch);
  }
}
