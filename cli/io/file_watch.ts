/** Whether an open file is still what it was when it was opened. */
import type { Identity } from "./types.ts";

/** What the system says of a file. */
interface Seen {
  readonly sizeBytes: number;
  readonly identity: Identity;
  /** When it was written to last; `undefined` where the system has no such time. */
  readonly modifiedNs: bigint | undefined;
}

/** Asks the system again: of the open file, and of what stands under its name. */
interface Asks {
  readonly open: () => Seen | undefined;
  readonly named: () => Seen | undefined;
}

export class FileWatch {
  constructor(private before: Seen, private readonly ask: Asks) {}

  /**
   * How the open file was changed. Only its own size and time count: a file that was put in its place does no harm to
   * what is read of the old one.
   */
  changed(): string | undefined {
    const now = this.ask.open();
    if (now === undefined) return undefined;
    if (now.sizeBytes !== this.before.sizeBytes) {
      return `it had ${this.before.sizeBytes} bytes, and has ${now.sizeBytes} now`;
    }
    return now.modifiedNs === this.before.modifiedNs ? undefined : "it was written to";
  }

  /** To be called by whoever gives the file another size. */
  resized(sizeBytes: number): void {
    this.before = { ...this.before, sizeBytes };
  }

  /** Why what was written into the open file is not what its name leads to. */
  displaced(): string | undefined {
    const open = this.ask.open();
    if (open !== undefined && open.sizeBytes !== this.before.sizeBytes) {
      return `it had ${this.before.sizeBytes} bytes, and has ${open.sizeBytes} now`;
    }
    const named = this.ask.named();
    if (named === undefined) return "it was removed, or moved away";
    const { device, inode } = this.before.identity;
    // Where a system has no numbers for its files, they are NaN, and tell nothing.
    if (Number.isNaN(device) || Number.isNaN(inode)) return undefined;
    const isSame = named.identity.device === device && named.identity.inode === inode;
    return isSame ? undefined : "another file was put in its place";
  }
}
