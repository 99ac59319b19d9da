/** What a name on the command line means: one of several kinds of places, each with what can be done there. */
import type { Bounds, MaybePromise, Source, Target } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";

/**
 * What can be done with a place. `read`: as a disk, anywhere in it. `receive`: once, front to back. `write`: anywhere
 * in it. `send`: once, front to back. `delta`: it may be a delta, a file with others beside it.
 */
export type Ability = "read" | "receive" | "write" | "send" | "delta";

/** What an argument of a command is there for. */
export interface Need {
  /** The command, as it is typed behind `regrain`. */
  readonly command: string;
  /** What its help calls the argument. */
  readonly argument: string;
  /** One of these is enough. */
  readonly anyOf: readonly Ability[];
}

/** A disk that a command only reads. */
export function imageOf(command: string, argument = "IMAGE"): Need {
  return { command, argument, anyOf: ["read"] };
}

/** What places are opened with. */
export interface PlaceTools {
  readonly io: Io;
  /** Opens `VM/DISK@WHICH` of the repository that the flags or the environment name. */
  readonly openSnapshot: (spec: string) => Promise<Source>;
}

/** One entry of the registry. */
export interface PlaceKind {
  /** What its names begin with, before the colon; absent of kinds that are recognised otherwise. */
  readonly scheme?: string;
  /** How a name is written, for refusals: `repo:VM/DISK@latest`. */
  readonly form: string;
  /** What it is, behind `means`: `a snapshot in a repository`. */
  readonly noun: string;
  readonly can: readonly Ability[];
  /** @returns `undefined` when the name is not written as {@link form} says. */
  find(name: string): Place | undefined;
  /** What to do instead where a command cannot use it. */
  instead?(need: Need, name: string): string | undefined;
}

/** A place that a name means. Nothing was opened yet. */
export interface Place {
  readonly kind: PlaceKind;
  /** As it was typed. */
  readonly name: string;
  /** Absent where nothing can be read but front to back. */
  openSource?(tools: PlaceTools, bounds?: Bounds): MaybePromise<Source>;
  /**
   * Opens what is written to, which needs no judgement: nothing is lost there. Absent of paths, which `cli/target`
   * judges and opens, and where nothing can be written.
   */
  openTarget?(disk: { readonly sizeBytes: number }): Target;
  /** True when what is written to one is seen in the other, or both read the same; of places of one kind. */
  isSame?(other: Place, tools: PlaceTools): boolean;
}
