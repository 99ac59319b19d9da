/** Standard input as what a command reads a disk from: what it is, and where parts of it are kept for later. */
import { formatSize, GIB, parseSize, RegrainError } from "../../core-as/host/mod.ts";
import type { ReadNext, Scratch } from "../../core-as/host/forward/mod.ts";
import { variable } from "../environment.ts";
import type { Io } from "../io/mod.ts";
import { Spill } from "../stream/spill.ts";
import { openStdin } from "../stream/stdin.ts";
import { unpacked } from "../stream/unpack.ts";
import type { Console } from "../ui/mod.ts";

export interface SpillFlags {
  /** Folder of the file; false where there must be none. */
  readonly spill?: string | boolean | undefined;
  readonly spillLimit?: string | undefined;
}

/** Most that is kept in a temporary file unless `--spill-limit` says otherwise. */
const SPILL_LIMIT_BYTES = 8 * GIB;
/** By this name the system tells what standard input is, where it does. */
const STDIN_PATH = "/dev/stdin";

/** What is read of standard input, with what packs it taken off. */
export interface OpenedInput extends Disposable {
  readonly read: ReadNext;
  readonly scratch: Scratch;
}

/**
 * Opens standard input for a disk that comes in whatever order its format has.
 *
 * @param stopping Ends a wait for data that may never come.
 * @throws {RegrainError} `USAGE` when the limit is no size; what reading may.
 */
export async function openInput(
  { io, console }: { io: Io; console: Console },
  flags: SpillFlags,
  stopping: { unlessStopped<T>(waited: Promise<T>): Promise<T> },
): Promise<OpenedInput> {
  const stdin = openStdin(io);
  const stoppable: ReadNext = (into) => {
    const answer = stdin(into);
    return typeof answer === "number" ? answer : stopping.unlessStopped(answer);
  };
  const read = await unpacked(stoppable, (packing) => console.detail(`stdin: packed with ${packing}`));
  const scratch = openSpill(flags, console);
  return { read, scratch, [Symbol.dispose]: () => scratch.close() };
}

/** Standard input may itself be a file, and then it must not be the target. */
export function filesOfStdin(io: Pick<Io, "stat">): readonly string[] {
  if (Deno.build.os !== "linux") return [];
  const kind = io.stat(STDIN_PATH)?.kind;
  return kind === "file" || kind === "device" ? [STDIN_PATH] : [];
}

function openSpill(flags: SpillFlags, console: Console): Spill {
  const limitBytes = flags.spillLimit === undefined ? SPILL_LIMIT_BYTES : parseSize(flags.spillLimit);
  if (limitBytes === undefined) {
    throw new RegrainError("USAGE", `--spill-limit ${flags.spillLimit} is not a size such as 512M or 20G`);
  }
  const folder = typeof flags.spill === "string" ? flags.spill : temporaryFolder();
  return new Spill({
    folder: flags.spill === false ? undefined : folder,
    limitBytes,
    onCreate: () =>
      console.warn(
        "stdin: a part of it has to be kept until its turn comes; it is kept in a temporary file in " +
          `${folder}, at most ${formatSize(limitBytes)}`,
      ),
  });
}

/** The folder that the system has for temporary files. */
function temporaryFolder(): string {
  for (const name of ["TMPDIR", "TMP", "TEMP"]) {
    const folder = variable(name);
    if (folder) return folder;
  }
  return "/tmp";
}
