/** Listens on this machine's loopback. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { type AnswerLimits, AnswersUnderWay, ReaderStalled } from "./answers.ts";
import { textAnswer } from "./file_answer.ts";
import { guarded, type Routes } from "./routes.ts";
import { hasErrno, isDenied, isForbidden } from "../deno_errors.ts";

const LOOPBACK = "127.0.0.1";
/** How long answers that are under way may take when the server is to end. */
const LAST_ANSWERS_MS = 1000;

export interface ServerOptions {
  /** 0 for any that is free. */
  readonly port: number;
  /** Told of what is a bug of ours; who asked gets a 500. */
  readonly onBug: (error: unknown) => void;
  /** Called when a one-time address was used twice, and that was answered. */
  readonly onReused: () => void;
  readonly limits?: AnswerLimits | undefined;
}

/** What ends a server whose one-time address was used twice. */
export function reusedError(): RegrainError {
  return new RegrainError(
    "ADDRESS_REUSED",
    "the one-time address was used a second time, and the server has ended: who used it first may be somebody else, " +
      "and may have read what was served",
    {
      hint:
        "start it again, and open its address once; that browser finds the page again at the address that it shows",
    },
  );
}

/**
 * Starts to serve, until the process ends.
 *
 * @returns the origin, such as `http://127.0.0.1:8023`; paths are those of the routes.
 * @throws {RegrainError} `PERMISSION`; `USAGE` when the port is taken, or when the environment makes Deno listen where
 * others could connect.
 */
export async function startServer(routes: Routes, options: ServerOptions): Promise<string> {
  const { port, onBug, onReused } = options;
  // Who stalls does not keep it from ending.
  const stop = async () => {
    await Promise.race([server.shutdown(), new Promise((resolve) => setTimeout(resolve, LAST_ANSWERS_MS))]);
    onReused();
  };
  const answers = new AnswersUnderWay(options.limits);
  const server = listen(
    port,
    async (request, { remoteAddr, completed }) => {
      const answer = await routes.answer(request, { remote: remoteAddr, port: server.addr.port });
      if (routes.entry.isClosed) void completed.then(stop, stop);
      return guarded(answers.bound(answer, completed));
    },
    onBug,
  );
  const { hostname, port: found } = server.addr;
  if (hostname === LOOPBACK && (port === 0 || port === found)) return `http://${LOOPBACK}:${found}`;
  await server.shutdown();
  throw new RegrainError("USAGE", `Deno was told to listen elsewhere than on ${LOOPBACK}`, {
    hint: "unset DENO_SERVE_ADDRESS",
  });
}

function listen(
  port: number,
  handler: Deno.ServeHandler<Deno.NetAddr>,
  onBug: (error: unknown) => void,
): Deno.HttpServer<Deno.NetAddr> {
  const onError = (error: unknown) => {
    if (error instanceof ReaderStalled) return guarded(textAnswer(503, error.message));
    onBug(error);
    return guarded(textAnswer(500, "a bug in regrain"));
  };
  try {
    // Deno would print a line of its own.
    return Deno.serve({ hostname: LOOPBACK, port, onListen: () => {}, onError }, handler);
  } catch (cause) {
    throw listenError(port, cause);
  }
}

function listenError(port: number, cause: unknown): unknown {
  if (isForbidden(cause)) {
    return new RegrainError("PERMISSION", "Deno was not told to allow to listen", {
      hint: `grant --allow-net=${LOOPBACK}`,
      cause,
    });
  }
  if (isDenied(cause)) {
    return new RegrainError("PERMISSION", `the system does not allow to listen on port ${port}`, {
      hint: "take one from 1024 on, or leave --port out",
      cause,
    });
  }
  if (hasErrno(cause, "EADDRINUSE")) {
    return new RegrainError("USAGE", `another program listens on port ${port}`, {
      hint: "leave --port out to take any that is free",
      cause,
    });
  }
  return cause;
}
