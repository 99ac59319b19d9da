/** The header of an undo file, which says how far it and its apply are; replaced in place, and durable then. */
import type { LogFile } from "../io/mod.ts";
import { rbdDiffEnd, rbdDiffHeader } from "../stream/rbd_diff.ts";
import { type UndoIds, undoName } from "./undo_name.ts";

export class UndoHeader {
  /** @param ids What the file says now. */
  constructor(
    private readonly log: LogFile,
    private readonly sizeBytes: number,
    private current: UndoIds,
  ) {}

  get ids(): UndoIds {
    return this.current;
  }

  /** Bytes of the header; those of any ids. */
  get lengthBytes(): number {
    return this.bytes.length;
  }

  /** Begins a stream without records: in one write, so that none or all of it is there. */
  begin(): void {
    const header = this.bytes;
    const bytes = new Uint8Array(header.length + 1);
    bytes.set(header);
    bytes.set(rbdDiffEnd(), header.length);
    this.log.write(0, bytes);
    this.log.sync();
  }

  /** Replaces what the file says, durable. */
  replace(changes: Partial<UndoIds>): void {
    this.current = { ...this.current, ...changes };
    this.log.write(0, this.bytes);
    this.log.sync();
  }

  private get bytes(): Uint8Array<ArrayBuffer> {
    return rbdDiffHeader({ sizeBytes: this.sizeBytes, toSnapshot: undoName(this.current) });
  }
}
