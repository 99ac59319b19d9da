/**
 * The SHA-256 of all records of an undo file, as they are in it: what lay on a medium for weeks may have changed there,
 * and a byte that was not saved so must not come back as if it had been.
 */
import type { Hash } from "node:crypto";
import { MIB, readBytes, RegrainError, type Source } from "../../core-as/host/mod.ts";
import type { PreparedDiff } from "./undo_file.ts";

export class RecordSum {
  private constructor(private readonly hash: Hash) {}

  static async begin(): Promise<RecordSum> {
    // Loading it costs every other run its time.
    const { createHash } = await import("node:crypto");
    return new RecordSum(createHash("sha256"));
  }

  /** The sum of the records that a file has already. */
  static async of(source: Source, { diff, endBytes }: PreparedDiff): Promise<RecordSum> {
    const sum = await RecordSum.begin();
    for (let at = diff.dataStartBytes; at < endBytes; at += MIB) {
      sum.add(await readBytes(source, at, Math.min(MIB, endBytes - at)));
    }
    return sum;
  }

  add(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  /** @returns 64 hexadecimal digits; nothing is added any more. */
  end(): string {
    return this.hash.digest("hex");
  }
}

/** The error of a file that does not hold what was saved; of one that knows no sum it cannot be told. */
export async function damageOf(prepared: PreparedDiff): Promise<RegrainError | undefined> {
  const { source, trailer } = prepared;
  if (trailer?.saved === undefined) return undefined;
  if ((await RecordSum.of(source, prepared)).end() === trailer.saved) return undefined;
  return new RegrainError(
    "DAMAGED",
    "it does not hold what was saved: the file was changed or damaged since",
    {
      path: source.path,
      hint: "take a copy of it that is sound; --force takes it back all the same, damaged bytes and all",
    },
  );
}
