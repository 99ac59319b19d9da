/** `regrain apply --verify` and `--hash`: reads back what was written, with progress, and tells what came of it. */
import { type ApplyPlan, type Disk, formatCount, type Target } from "../../core-as/host/mod.ts";
import type { LaneForHire } from "../apply/lanes.ts";
import { type Verification, verifyTarget } from "../apply/verify.ts";
import { type Console, formatDuration, Progress, type ProgressMode } from "../ui/mod.ts";

export interface VerifyFlags {
  readonly verify?: boolean | undefined;
  /** Verifies too: a sum of what may be wrong is worth nothing. */
  readonly hash?: boolean | undefined;
  readonly progress?: ProgressMode | undefined;
}

/** A verification with how long it took. */
export interface Verified extends Verification {
  readonly elapsedMs: number;
}

/**
 * Verifies as the flags say; to be called between the flush and whatever says that the target is done.
 *
 * @param work The disk that was applied, by what plan, and the target; one wrapped around it may end the reading, or
 *   let it pass.
 * @returns `undefined` when nobody asked.
 * @throws {RegrainError} `VERIFY_FAILED`.
 */
export async function verifyApplied(
  work: { disk: Disk; plan: ApplyPlan; target: Target },
  how: { flags: VerifyFlags; console: Console; second?: LaneForHire | undefined },
): Promise<Verified | undefined> {
  const { flags, console } = how;
  const { disk, plan, target } = work;
  const hash = flags.hash ?? false;
  if (!flags.verify && !hash) return undefined;
  // A sum is of the whole target; without one, what was left alone is not read.
  const totalBytes = hash ? target.sizeBytes : plan.writeBytes + plan.zeroBytes;
  const progress = new Progress(console, flags.progress ?? "auto", totalBytes);
  console.detail(`${target.path}: reading back what was written`);
  try {
    const verification = await verifyTarget(disk, target, {
      hash,
      second: how.second,
      onProgress: ({ verifiedBytes, otherBytes }) =>
        progress.update({
          doneBytes: hash ? verifiedBytes + otherBytes : verifiedBytes,
          parts: { verified: verifiedBytes, [hash ? "hashed" : "skipped"]: otherBytes },
        }),
    });
    return { ...verification, elapsedMs: progress.elapsedMs };
  } finally {
    progress.end();
  }
}

/** What a summary carries of a verification. */
export function verifiedJson({ verifiedBytes, obstacles, sums, elapsedMs }: Verified): unknown {
  return {
    verifiedBytes,
    fromMedium: obstacles.length === 0,
    obstacles,
    elapsedMs: Math.round(elapsedMs),
    ...(sums && { sha256OfWritten: sums.written, sha256OfTarget: sums.target }),
  };
}

/**
 * The same for a person. The sum of the target goes to stdout, as `sha256sum` writes it; of a VMDK it is that of the
 * disk, which `sha256sum` cannot make, so the line says so.
 */
export function tellVerified(
  console: Console,
  done: { path: string; isVmdk: boolean; verified: Verified },
): void {
  const { path, isVmdk, verified } = done;
  const { verifiedBytes, obstacles, sums, elapsedMs } = verified;
  for (const obstacle of obstacles) console.warn(`${path}: read back, perhaps from memory: ${obstacle}`);
  console.tell(
    `${path}: ${formatCount(verifiedBytes)} bytes read back as written; ${formatDuration(elapsedMs)}`,
  );
  if (!sums) return;
  console.tell(`${path}: SHA-256 of what was written: ${sums.written}`);
  console.out(`${sums.target}  ${isVmdk ? `the disk of ${path}` : path}`);
}
