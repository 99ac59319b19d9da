/** `regrain restore VM/DISK@latest null:`: everything is fetched, checked and unpacked, and nothing is kept. */
import type { Target } from "../../core-as/host/mod.ts";
import { refuseNowhere } from "../places/null.ts";
import { Progress } from "../ui/mod.ts";
import { rateLimitOf } from "../session/flags.ts";
import { interruptible } from "../session/interruption.ts";
import { withHint } from "./restore_damage.ts";
import { type RestoreWork, tellRestored, writeFreely } from "./restore_work.ts";

/** Flags about what a target holds, or is to be. */
const ABOUT_CONTENT = ["delta", "format", "mode", "undo", "journal", "resume", "verify"];

/** Refuses flags that mean nothing without a target that keeps what is written. */
export function refuseFlagsNowhere(flags: object): void {
  const given = new Map(Object.entries(flags));
  const isGiven = (name: string) => given.get(name) !== undefined && given.get(name) !== "raw";
  refuseNowhere(ABOUT_CONTENT.filter(isGiven).map((name) => `--${name}`));
}

/** @param target What keeps nothing; it is closed in the end. */
export async function restoreToNowhere(target: Target, work: RestoreWork): Promise<void> {
  const { snapshot, session: { console }, flags } = work;
  const progress = new Progress(console, flags.progress ?? "auto", snapshot.sizeBytes);
  try {
    using stoppable = interruptible(target, { console, progress, bytesPerSecond: rateLimitOf(flags) });
    const place = { target: stoppable.target, content: "zeros" } as const;
    const counts = await writeFreely(place, { ...work, progress });
    progress.end();
    const { path } = target;
    tellRestored(counts, { ...work, path, elapsedMs: progress.elapsedMs, verified: undefined });
  } catch (error) {
    throw withHint(error, { part: undefined, isPipe: true });
  } finally {
    progress.end();
    target.close();
  }
}
