/** What a run of the benchmark is asked to do, and what all its parts tell while it lasts. */
import type { BenchPattern } from "../../fixtures/bench.ts";

export interface Options {
  /** Size of the disk in memory. */
  readonly diskBytes: number;
  /** Runs of each program. */
  readonly runs: number;
  /** Only cases whose name holds this. */
  readonly only: string;
  /** Whether qemu-img takes part. */
  readonly qemu: boolean;
  /** Folder of this run, in memory. */
  readonly folder: string;
  /** Size of the disk in each place. */
  readonly placeDiskBytes: number;
  /** Folder of this run on the machine's disk. */
  readonly placeFolder: string;
  /** The compiled loop, where there is a compiler. */
  readonly loop: string | undefined;
}

export const PATTERNS = ["big", "small"] as const satisfies BenchPattern[];

/** Whether `--only` leaves a case in. */
export function isWanted({ only }: Pick<Options, "only">, name: string): boolean {
  return name.toLowerCase().includes(only.toLowerCase());
}

/** Says on stderr what is done now. */
export function tell(step: string): void {
  console.error(`bench: ${step}`);
}
