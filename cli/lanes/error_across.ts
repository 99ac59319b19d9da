/** Errors as they are sent from one thread to another, with code, path, offset and hint. */
import { type ErrorCode, ERRORS, RegrainError } from "../../core-as/host/errors.ts";

/** An error in a form that can be sent. */
export type SentError =
  | {
    readonly type: "known";
    readonly code: string;
    readonly reason: string;
    readonly path: string | undefined;
    readonly offsetBytes: number | undefined;
    readonly hint: string | undefined;
  }
  /** What is no {@link RegrainError} is a bug of ours, and is reported with where it came from. */
  | { readonly type: "bug"; readonly trace: string };

export function sendableError(error: unknown): SentError {
  if (error instanceof RegrainError) {
    const { code, reason, path, offsetBytes, hint } = error;
    return { type: "known", code, reason, path, offsetBytes, hint };
  }
  return { type: "bug", trace: error instanceof Error ? error.stack ?? error.message : String(error) };
}

/** @param where What the other thread is called, for a bug. */
export function receivedError(sent: SentError, where: string): Error {
  if (sent.type === "bug") return new Error(`in ${where}: ${sent.trace}`);
  const { code, reason, path, offsetBytes, hint } = sent;
  if (!(code in ERRORS)) return new Error(`${where} failed with the unknown code ${code}: ${reason}`);
  return new RegrainError(code as ErrorCode, reason, {
    ...path === undefined ? {} : { path },
    ...offsetBytes === undefined ? {} : { offsetBytes },
    ...hint === undefined ? {} : { hint },
  });
}
