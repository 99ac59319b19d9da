/** What a lane and the thread that started it say to each other. */
import type { SentError } from "./error_across.ts";

/** What a lane can be asked to do: the request of each kind of job, and what comes of it. */
export type Jobs = Record<string, { readonly request: unknown; readonly result: unknown }>;

/** To the lane. The number ties the answer to it. */
export interface JobMessage {
  readonly job: number;
  readonly type: string;
  readonly request: unknown;
}

/** From the lane. */
export type LaneMessage =
  /** It listens from now on: Deno loses messages that come before. */
  | { readonly type: "ready" }
  | { readonly type: "done"; readonly job: number; readonly result: unknown }
  | { readonly type: "failed"; readonly job: number; readonly error: SentError }
  /** The thread ends, and answers nothing any more. Deno reports an uncaught error itself, but not a plain end. */
  | { readonly type: "ended" };
