/** Whether a target reads as the source does, after it was written. */
import { Differences, type Disk, type Target } from "../../core-as/host/mod.ts";
import { readBackOtherwise } from "../target/read_back.ts";
import { gatherSideBySide } from "./side_by_side.ts";

export interface VerifyOptions {
  readonly onProgress: (doneBytes: number) => void;
}

/**
 * Reads both again and compares every byte. What the target's file system calls a hole is zeros.
 *
 * @throws {RegrainError} `VERIFY_FAILED`, and what reading may.
 */
export async function verifySynced(disk: Disk, target: Target, { onProgress }: VerifyOptions): Promise<void> {
  const differences = new Differences(disk.core);
  await gatherSideBySide(disk, target, {
    isBlind: false,
    take: ({ items, doneBytes }) => {
      for (let i = 0; i < items.count; i++) {
        differences.add({
          offsetBytes: items.offsetBytes[i]!,
          lengthBytes: items.lengthBytes[i]!,
          at: items.at[i]!,
        });
      }
      onProgress(doneBytes);
      return Promise.resolve();
    },
  });
  const { bytes, blocks, first } = differences;
  if (first === undefined) return;
  // The source comes first of the two.
  const [expected, found] = first.values;
  throw readBackOtherwise(target, {
    bytes,
    blocks,
    first: { offsetBytes: first.offsetBytes, expected, found },
  });
}
