/** When the journal of a run is written. */
import { RegrainError, type Stretch } from "../../core-as/host/mod.ts";
import type { Difference } from "./differences.ts";
import type { Journal } from "./journal.ts";

/** What was handed to the target in one go. */
export interface Passed {
  readonly totalBytes: number;
  /** The last stretch of it; `undefined` when there was none. */
  readonly last: Stretch | undefined;
}

export class Checkpoints {
  private doneBytes: number;
  private savedBytes: number;
  private movedBytes = 0;

  constructor(
    private readonly journal: Journal,
    private readonly options: { fromBytes: number; everyBytes: number },
  ) {
    this.doneBytes = options.fromBytes;
    this.savedBytes = options.fromBytes;
  }

  /** Writes the first journal, so that one that cannot be written is found out before anything else is. */
  async begin(): Promise<void> {
    await this.save();
  }

  /** Takes what is about to change. */
  willChange(differences: readonly Difference[]): Promise<void> {
    return this.journal.willChange(differences);
  }

  /** The target has taken everything below a byte; more may be under way above it, of which nothing is said. */
  async reached(doneBytes: number, { totalBytes, last }: Passed): Promise<void> {
    if (last) this.journal.wrote(last);
    this.movedBytes += totalBytes;
    this.doneBytes = doneBytes;
    if (this.movedBytes >= this.options.everyBytes) await this.save();
  }

  /**
   * The work ends early by another error, which is the one to tell: what is done so far is written down if it can be,
   * and otherwise the last checkpoint holds.
   */
  async stop(): Promise<void> {
    if (this.doneBytes === this.savedBytes) return;
    await this.saveIfPossible();
  }

  /** What was done is not to be trusted: a run that resumes does all of it again. */
  async restart(): Promise<void> {
    this.doneBytes = 0;
    await this.saveIfPossible();
  }

  private async saveIfPossible(): Promise<void> {
    try {
      await this.save();
    } catch (error) {
      if (!(error instanceof RegrainError)) throw error;
    }
  }

  finish(): void {
    this.journal.remove();
  }

  private async save(): Promise<void> {
    await this.journal.checkpoint(this.doneBytes);
    this.savedBytes = this.doneBytes;
    this.movedBytes = 0;
  }
}
