/** A raw disk that comes as a stream: through standard input, or from a command. */
import { parseSize, RegrainError } from "../../core-as/host/mod.ts";
import { PIPE_NAME, type ReadNext } from "../../core-as/host/forward/mod.ts";
import type { Relay } from "../child.ts";
import type { Io } from "../io/mod.ts";
import { isNowhere } from "../places/null.ts";
import { openCommand } from "../stream/from_command.ts";
import { openStdin } from "../stream/stdin.ts";
import type { SyncedStream } from "../sync/sync_stream.ts";
import type { Console } from "../ui/mod.ts";
import { filesOfStdin } from "./standard_input.ts";

export interface RawStreamFlags {
  readonly fromCommand?: string | undefined;
  readonly size?: string | undefined;
}

/** The stream, and the files that it is known to be, none of which may be the target. */
export interface RawStream extends Disposable {
  readonly stream: SyncedStream;
  readonly inputs: readonly string[];
}

const EXAMPLE = "ssh esx dd if=/vmfs/volumes/ds/vm/vm-flat.vmdk bs=4M | regrain sync - TARGET";

/**
 * @param source What the command line says it is: the command, or `-`.
 * @param work Ends a wait for data that may never come.
 * @throws {RegrainError} `USAGE` when nobody knows how long it is to be; what starting the command may.
 */
export function openRawStream(
  source: string,
  { flags, target, console, io, work }: {
    flags: RawStreamFlags;
    target: string;
    console: Console;
    io: Io;
    work: { unlessStopped<T>(waited: Promise<T>): Promise<T> };
  },
): RawStream {
  const sizeBytes = sizeOf(target, flags, io);
  const tooLong = "--size says how long the disk is, and a file is made as long";
  if (flags.fromCommand === undefined) {
    const stdin = openStdin(io, EXAMPLE);
    const read: ReadNext = (into) => {
      const answer = stdin(into);
      return typeof answer === "number" ? answer : work.unlessStopped(answer);
    };
    const tooShort = tooShortHint("--from-command 'COMMAND' hears how the command ended; send it again");
    const hints = { tooShort, tooLong };
    return {
      stream: { read, path: PIPE_NAME, sizeBytes, hints },
      inputs: filesOfStdin(io),
      [Symbol.dispose]: () => undefined,
    };
  }
  const relay: Relay = (from, ended) => console.relay(from, ended);
  const command = openCommand(source, relay, "the target holds what came until then");
  const hints = { tooShort: tooShortHint("look at what the command writes"), tooLong };
  return {
    stream: {
      read: (into) => work.unlessStopped(Promise.resolve(command.read(into))),
      succeeded: () => command.succeeded(),
      path: source,
      sizeBytes,
      hints,
    },
    inputs: [],
    [Symbol.dispose]: () => command[Symbol.dispose](),
  };
}

function tooShortHint(again: string): string {
  return `what came is in the target, and all behind it is as it was; ${again}; ` +
    "--size says how long the disk is where the target is longer";
}

/** How long the stream has to be: what the user says, else as long as the target is. */
function sizeOf(target: string, { size }: RawStreamFlags, io: Io): number {
  if (size !== undefined) {
    const bytes = parseSize(size);
    if (bytes !== undefined && bytes > 0) return bytes;
    throw new RegrainError("USAGE", `--size ${size} is no size of a disk`, {
      hint: "such as 40G, or the bytes",
    });
  }
  const kind = isNowhere(target) ? undefined : io.stat(target)?.kind;
  if ((kind === "file" || kind === "device") && !target.endsWith(".vmdk")) {
    const source = io.openSource(target);
    try {
      return source.sizeBytes;
    } finally {
      source.close();
    }
  }
  throw new RegrainError("USAGE", `how long the stream is to be is not known: ${target} does not tell`, {
    hint: "--size 40G, or the bytes: the size that the disk has",
  });
}
