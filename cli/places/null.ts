/**
 * `null:`: a target that keeps nothing, for measuring. What reading, unpacking and merging take is then seen without
 * what a disk takes to write.
 */
import {
  type Batch,
  ONE_AT_A_TIME,
  RegrainError,
  type Run,
  type Target,
  type TargetMedium,
} from "../../core-as/host/mod.ts";
import type { PlaceKind } from "./place.ts";

export const NOWHERE: PlaceKind = {
  scheme: "null",
  form: "null:",
  noun: "a target that keeps nothing",
  can: ["write"],
  find: (name) =>
    name === NOWHERE.form
      ? { kind: NOWHERE, name, openTarget: ({ sizeBytes }) => new NullTarget(sizeBytes) }
      : undefined,
};

/** True for the name of a target that keeps nothing. */
export function isNowhere(name: string): boolean {
  return name === NOWHERE.form;
}

/** What is said of a run that wrote to it. */
export const KEPT_NOTHING = "null: keeps nothing: this is the time that all but writing takes";

/**
 * Refuses flags that are about what a target holds: there is nothing to take back, resume or read back.
 *
 * @param given The flags that are given, as they are typed.
 * @throws {RegrainError} `USAGE`.
 */
export function refuseNowhere(given: readonly string[]): void {
  const [flag] = given;
  if (flag === undefined) return;
  throw new RegrainError("USAGE", `${flag} is about what a target holds, and null: keeps nothing`, {
    hint: `leave ${flag} out to measure without it; or name a file as the target, and remove it afterwards`,
  });
}

/** As large as the disk, all zeros whatever is written, and as free with its holes as a file. */
class NullTarget implements Target {
  readonly medium: TargetMedium = { ...ONE_AT_A_TIME, granularityBytes: 4096, holesAreFree: true };
  readonly path = NOWHERE.form;
  readonly zerosWrittenBytes = 0;

  constructor(readonly sizeBytes: number) {}

  /** There is nothing in it to look at. */
  runs(fromBytes: number, toBytes: number): Run[] {
    return [{ start: fromBytes, length: toBytes - fromBytes, kind: "zero" }];
  }

  read(batch: Batch, buffer: Uint8Array): void {
    for (let i = 0; i < batch.count; i++) {
      buffer.fill(0, batch.at[i]!, batch.at[i]! + batch.lengthBytes[i]!);
    }
  }

  write(): void {}

  zero(): void {}

  flush(): void {}

  close(): void {}
}
