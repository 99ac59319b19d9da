/**
 * The page's end of the talk with the worker: a request goes out with a number, its promise is kept until the
 * answer with that number comes. What the worker tells unasked goes to one listener.
 */
import type { Answers, Notice, Reply, Request, Told, Trouble, ZstdParts } from "../../shared/protocol.ts";

/** What the client needs of a `Worker`. */
export interface Port {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<Told>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

/** A request that the worker refused, with what it said. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(readonly trouble: Trouble) {
    super(trouble.message);
  }
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

export class Client {
  readonly #port: Port;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  /** The request that opened what is open. */
  #opener: number | undefined;
  #dead: Trouble | undefined;

  constructor(port: Port, onNotice: (notice: Notice) => void) {
    this.#port = port;
    port.onmessage = ({ data }) => "notice" in data ? onNotice(data) : this.#settle(data);
    port.onerror = (event) => {
      event.preventDefault();
      this.#die({ ...WORKER_DIED, message: `the reader stopped: ${event.message || "no reason given"}` });
      onNotice({ notice: "trouble", trouble: this.#dead ?? WORKER_DIED });
    };
  }

  /** @throws {Refusal} When the worker cannot do it. */
  ask<R extends Request>(request: R): Promise<Answers[R["type"]]> {
    if (this.#dead) return Promise.reject(new Refusal(this.#dead));
    const id = ++this.#lastId;
    return new Promise<Answers[R["type"]]>((resolve, reject) => {
      // The worker answers each type with what `Answers` says for it: that is the protocol.
      const kept = resolve as (answer: unknown) => void;
      const opened = (answer: unknown) => {
        this.#opener = id;
        kept(answer);
      };
      this.#waiting.set(id, { resolve: OPENERS.has(request.type) ? opened : kept, reject });
      this.#port.postMessage({ ...request, id, opener: this.#opener }, []);
    });
  }

  /** Hands the worker something that it does not answer. */
  tell(message: { readonly zstd: ZstdParts } | Reply): void {
    if (!this.#dead) this.#port.postMessage(message, []);
  }

  #settle(told: Exclude<Told, Notice>): void {
    const waiting = this.#waiting.get(told.id);
    this.#waiting.delete(told.id);
    if (told.ok) waiting?.resolve(told.answer);
    else waiting?.reject(new Refusal(told.trouble));
  }

  #die(trouble: Trouble): void {
    this.#dead = trouble;
    for (const { reject } of this.#waiting.values()) reject(new Refusal(trouble));
    this.#waiting.clear();
  }
}

const OPENERS: ReadonlySet<Request["type"]> = new Set(["open", "open-repository", "open-snapshot"]);

const WORKER_DIED: Trouble = {
  code: "WORKER",
  message: "the reader stopped",
  path: undefined,
  offsetBytes: undefined,
  hint: "reload the page and open the files again",
};

/** Any error as a trouble that can be shown. */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof Refusal) return error.trouble;
  const message = error instanceof Error ? error.message : String(error);
  return { code: "PAGE", message, path: undefined, offsetBytes: undefined, hint: undefined };
}
