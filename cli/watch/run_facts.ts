/** What is told of a run when it has ended, be it to a metrics file, a hook, or a collector. */

/** Sizes and counts of a run by their names in camel case, ending in their unit: `readBytes`, `newChunks`. */
export type Figures = Readonly<Record<string, number>>;

export interface RunFacts {
  /** `backup`, `restore`. */
  readonly operation: string;
  /** `VM/DISK`. */
  readonly name: string;
  /** How messages name the repository. */
  readonly repository: string | undefined;
  /** Id of the snapshot that was made or restored. */
  readonly snapshot: string | undefined;
  readonly exit: number;
  /** Code and message of what ended the run. */
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly startedMs: number;
  readonly elapsedMs: number;
  readonly figures: Figures;
}
