/** The body of an answer, read whole or not at all. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { IdleConnection, ShortAnswer } from "./failure.ts";

/** What the SDK gives: a stream of Node's. */
export type Body = AsyncIterable<Uint8Array> & { destroy?: (error?: Error) => void };

/**
 * Reads exactly as many bytes as the answer's head names.
 *
 * @throws {RegrainError} `LIMIT_EXCEEDED` for more than `maxBytes`, before anything is allocated.
 * @throws {ShortAnswer} For more bytes than named, or fewer, or no word of how many.
 */
export async function readBody(
  body: Body | undefined,
  { sizeBytes, maxBytes, path, progress, signal, forMs = Infinity, nowMs = () => performance.now() }: {
    sizeBytes: number | undefined;
    maxBytes: number;
    path: string;
    /** Called whenever bytes came. */
    progress: () => void;
    signal: AbortSignal;
    /** The body may take this long: one that trickles is given up like one that stalls. */
    forMs?: number;
    /** For tests. */
    nowMs?: () => number;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  if (sizeBytes === undefined) {
    body?.destroy?.();
    throw new ShortAnswer("an answer that does not name its length");
  }
  if (sizeBytes > maxBytes) {
    body?.destroy?.();
    throw new RegrainError("LIMIT_EXCEEDED", `has ${sizeBytes} bytes, and ${maxBytes} at most are due`, {
      path,
    });
  }
  const whole = new Uint8Array(sizeBytes);
  let filled = 0;
  const endMs = nowMs() + forMs;
  const onAbort = () => body?.destroy?.();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for await (const part of body ?? []) {
      progress();
      if (nowMs() > endMs) throw new IdleConnection(`${filled} of ${sizeBytes} bytes came in time`);
      if (filled + part.length > sizeBytes) {
        throw new ShortAnswer(`more than the ${sizeBytes} bytes that were due`);
      }
      whole.set(part, filled);
      filled += part.length;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  if (filled < sizeBytes) throw new ShortAnswer(`an answer of ${filled} bytes instead of ${sizeBytes}`);
  return whole;
}
