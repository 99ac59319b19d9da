/** A target whose old content is saved before each overwrite; for work that writes in no order. */
import { Batch, type MaybePromise, type Run, type Target } from "../../core-as/host/mod.ts";
import type { UndoSaver } from "./undo.ts";

export class UndoTarget implements Target {
  readonly kind: Target["kind"];
  readonly path: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** The target below. */
  readonly targets: readonly [Target];
  readonly runs?: (fromBytes: number, toBytes: number) => MaybePromise<Run[]>;
  private readonly stretch = new Batch();

  constructor(private readonly target: Target, private readonly saver: UndoSaver) {
    this.kind = target.kind;
    this.path = target.path;
    this.sizeBytes = target.sizeBytes;
    this.blockBytes = target.blockBytes;
    this.targets = [target];
    if (target.runs) this.runs = (fromBytes, toBytes) => target.runs!(fromBytes, toBytes);
  }

  read(batch: Batch, buffer: Uint8Array): MaybePromise<void> {
    return this.target.read(batch, buffer);
  }

  async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.saver.save(batch);
    await this.target.write(batch, buffer);
  }

  async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    this.stretch.clear();
    this.stretch.add({ ...stretch, at: 0 });
    await this.saver.save(this.stretch);
    await this.target.zero(stretch);
  }

  flush(): MaybePromise<void> {
    return this.target.flush();
  }

  close(): void {
    this.target.close();
  }
}
