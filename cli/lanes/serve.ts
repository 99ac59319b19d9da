/** A lane, as its own thread sees it: jobs come in, are done one after the other, and are answered. */
import { sendableError } from "./error_across.ts";
import type { JobMessage, Jobs, LaneMessage } from "./messages.ts";

/** What came of a job, and which of its buffers travel. */
export interface Answer<R> {
  readonly result: R;
  readonly transfer?: ArrayBuffer[];
}

/** How each kind of job is done. */
export type Handlers<J extends Jobs> = {
  readonly [T in keyof J]: (request: J[T]["request"]) => Promise<Answer<J[T]["result"]>>;
};

/** What a worker's global scope has and the main one has not. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<JobMessage>) => void) | null;
  postMessage(message: LaneMessage, transfer?: ArrayBuffer[]): void;
  close(): void;
}

/** Makes this thread a lane. */
export function serve<J extends Jobs>(handlers: Handlers<J>): void {
  const scope = globalThis as unknown as WorkerScope;
  let last: Promise<void> = Promise.resolve();
  scope.onmessage = ({ data }) => {
    last = last.then(() => answer(scope, data, handlers));
  };
  announceEnd(scope);
  scope.postMessage({ type: "ready" });
}

async function answer<J extends Jobs>(
  scope: WorkerScope,
  { job, type, request }: JobMessage,
  handlers: Handlers<J>,
): Promise<void> {
  try {
    const handler = handlers[type];
    if (handler === undefined) throw new Error(`a lane was asked for ${type}, which it does not know`);
    const { result, transfer } = await handler(request);
    scope.postMessage({ type: "done", job, result }, transfer);
  } catch (error) {
    scope.postMessage({ type: "failed", job, error: sendableError(error) });
  }
}

/** Deno tells nobody when a thread ends by `Deno.exit()` or `close()`. */
function announceEnd(scope: WorkerScope): void {
  const ended = () => scope.postMessage({ type: "ended" });
  globalThis.addEventListener("unload", ended);
  const close = scope.close.bind(scope);
  scope.close = () => {
    ended();
    close();
  };
}
