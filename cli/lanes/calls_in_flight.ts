/** Calls of one medium, never more of them under way than it wants. */
import { RegrainError } from "../../core-as/host/mod.ts";

/** A call, and the first byte of the medium that it touches. */
export interface Call {
  readonly offsetBytes: number;
  run(): unknown;
}

interface Failure {
  readonly offsetBytes: number;
  readonly error: unknown;
}

export class CallsInFlight {
  private underWay = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly most: number) {}

  /**
   * Carries out calls, and returns when none of them is under way. After one that fails no more are begun.
   *
   * @throws of those that failed the error at the lowest offset.
   */
  async all(calls: Iterable<Call>): Promise<void> {
    const failures: Failure[] = [];
    const running: Promise<void>[] = [];
    for (const call of calls) {
      if (this.underWay >= this.most) await new Promise<void>((resolve) => this.waiting.push(resolve));
      else this.underWay++;
      if (failures.length > 0) {
        this.leave();
        break;
      }
      running.push(this.one(call, failures));
    }
    await Promise.all(running);
    const [first] = failures.toSorted((a, b) => a.offsetBytes - b.offsetBytes);
    if (first !== undefined) throw first.error;
  }

  private async one({ offsetBytes, run }: Call, failures: Failure[]): Promise<void> {
    try {
      await run();
    } catch (error) {
      const at = error instanceof RegrainError ? error.offsetBytes : undefined;
      failures.push({ offsetBytes: at ?? offsetBytes, error });
    } finally {
      this.leave();
    }
  }

  private leave(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.underWay--;
    else next();
  }
}
