/** Calls of one medium, never more of them under way than it wants. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { Gate, type Place } from "./gate.ts";

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
  private readonly gate: Gate;

  constructor(most: number) {
    this.gate = new Gate(most);
  }

  /**
   * Carries out calls, and returns when none of them is under way. After one that fails no more are begun.
   *
   * @throws of those that failed the error at the lowest offset.
   */
  async all(calls: Iterable<Call>): Promise<void> {
    const failures: Failure[] = [];
    const running: Promise<void>[] = [];
    for (const call of calls) {
      const place = this.gate.tryEnter() ?? await this.gate.enter();
      if (failures.length > 0) {
        place.leave();
        break;
      }
      running.push(this.one(call, { place, failures }));
    }
    await Promise.all(running);
    const [first] = failures.toSorted((a, b) => a.offsetBytes - b.offsetBytes);
    if (first !== undefined) throw first.error;
  }

  private async one(
    { offsetBytes, run }: Call,
    { place, failures }: { place: Place; failures: Failure[] },
  ): Promise<void> {
    try {
      await run();
    } catch (error) {
      const at = error instanceof RegrainError ? error.offsetBytes : undefined;
      failures.push({ offsetBytes: at ?? offsetBytes, error });
    } finally {
      place.leave();
    }
  }
}
