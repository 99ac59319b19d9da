/**
 * Bounds on answers that are under way, so that readers who stall do not hold memory and open files without end.
 *
 * A connection cannot be closed from here while its reader takes nothing. What was read for it is let go and its file
 * closed; the connection itself, with what the system buffers, counts against a second bound until it ends.
 */
import { Gate, type Place } from "../lanes/gate.ts";
import { textAnswer } from "./file_answer.ts";

export interface AnswerLimits {
  /** Answers under way at once. A browser has six connections to a server, and each tab may have as many waiting. */
  readonly most: number;
  /** The same with those that were given up and whose connections are still open. */
  readonly mostOpen: number;
  /** How long a reader may take nothing. */
  readonly stalledMs: number;
}

export const LIMITS: AnswerLimits = { most: 64, mostOpen: 128, stalledMs: 60_000 };

/** What an answer breaks off with when its reader took nothing for too long. */
export class ReaderStalled extends Error {
  override readonly name = "ReaderStalled";
}

/** Calls `work` after a time, unless what is returned is called before. */
export type After = (ms: number, work: () => void) => () => void;

/** Answers that fit the buffers of the system are not counted: they are gone at once, and refusals must always be. */
const SMALL_BYTES = 16 * 1024;

export class AnswersUnderWay {
  readonly #moving: Gate;
  readonly #open: Gate;

  constructor(
    private readonly limits: AnswerLimits = LIMITS,
    private readonly after: After = afterTime,
  ) {
    this.#moving = new Gate(limits.most);
    this.#open = new Gate(limits.mostOpen);
  }

  /**
   * The answer, which breaks off where its reader stalls; 503 where too many are under way.
   *
   * @param completed Settles when the answer was sent or its connection ended.
   */
  bound(answer: Response, completed: Promise<void>): Response {
    const isSmall = Number(answer.headers.get("content-length") ?? 0) <= SMALL_BYTES;
    if (isSmall || answer.body === null) return answer;
    const moving = this.#moving.tryEnter();
    const open = moving && this.#open.tryEnter();
    if (open === undefined) {
      moving?.leave();
      // Closes the file.
      void answer.body.cancel();
      return textAnswer(503, "too many answers are under way, and their readers take nothing", {
        "retry-after": "1",
      });
    }
    const watched = this.#watch(answer.body, moving!);
    const ended = () => {
      open.leave();
      watched.end();
    };
    void completed.then(ended, ended);
    return new Response(watched.body, { status: answer.status, headers: answer.headers });
  }

  #watch(
    body: ReadableStream<Uint8Array>,
    moving: Place,
  ): { body: ReadableStream<Uint8Array>; end: () => void } {
    const reader = body.getReader();
    let stopClock = () => {};
    const end = () => {
      stopClock();
      moving.leave();
    };
    const watch = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      stopClock = this.after(this.limits.stalledMs, () => {
        end();
        controller.error(new ReaderStalled("the reader took nothing for too long"));
        void reader.cancel();
      });
    };
    const stream = new ReadableStream<Uint8Array>({
      start: watch,
      // Called when the connection has taken what there was. A slow disk is not the reader's fault.
      pull: async (controller) => {
        stopClock();
        const { done, value } = await reader.read();
        if (done) return controller.close();
        controller.enqueue(value);
        if (moving.isHeld) watch(controller);
      },
      cancel: (reason) => {
        stopClock();
        return reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
    return { body: stream, end };
  }
}

function afterTime(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  // It does not keep the process from ending.
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
}
