/** What is said of a target that was read back. */
import { formatCount } from "../../core-as/host/mod.ts";
import type { Verification, VerifyCounts } from "../apply/verify.ts";
import { type Console, formatDuration, type ProgressState } from "../ui/mod.ts";

/** A verification with how long it took. */
export interface Verified extends Verification {
  readonly elapsedMs: number;
}

/** The counts of a verification as its progress shows them. */
export function readBackOf(
  { verifiedBytes, otherBytes }: Readonly<VerifyCounts>,
  { hash }: { hash: boolean },
): ProgressState {
  return {
    doneBytes: hash ? verifiedBytes + otherBytes : verifiedBytes,
    parts: { verified: verifiedBytes, [hash ? "hashed" : "skipped"]: otherBytes },
  };
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
