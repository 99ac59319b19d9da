/** How messages speak of a run that keeps an undo file or a journal: what it is, and what it writes. */

/** The commands that keep them. */
export type GuardedOperation = "apply" | "restore" | "sync";

interface Spoken {
  /** The run that did it. */
  readonly run: string;
  /** A run of the same kind that wrote something else. */
  readonly other: string;
  /** What it writes, by a pronoun and by a noun. */
  readonly pronoun: string;
  readonly own: string;
  /** What it writes, as the subject of a sentence with `are not those` or `is not that`. */
  readonly differs: string;
  /** The same again, as the object of a sentence. */
  readonly same: string;
  readonly ofThatRun: string;
  /** What is right for a target that nobody knows. */
  readonly anew: string;
}

const SPOKEN: Record<GuardedOperation, Spoken> = {
  apply: {
    run: "apply",
    other: "an apply of other deltas",
    pronoun: "them",
    own: "its own deltas",
    differs: "the deltas are not those of the interrupted run, or were changed since",
    same: "these deltas",
    ofThatRun: "the deltas of that run",
    anew: "copy the base again, then run without --resume",
  },
  restore: {
    run: "restore",
    other: "a restore of another snapshot",
    pronoun: "it",
    own: "its own snapshot",
    differs: "the snapshot, or the delta over it, is not that of the interrupted run",
    same: "this snapshot",
    ofThatRun: "the snapshot of that run, and its delta",
    anew: "run without --resume, which compares all of the target",
  },
  sync: {
    run: "sync",
    other: "a sync of another source",
    pronoun: "it",
    own: "its own source",
    differs: "the source is not that of the interrupted run, or was changed since",
    same: "this source",
    ofThatRun: "the source of that run",
    anew: "run without --resume, which compares all of the target",
  },
};

export function spoken(operation: GuardedOperation): Spoken {
  return SPOKEN[operation];
}
