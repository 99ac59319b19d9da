/**
 * A lane: a thread with kernels and descriptors of its own, as the thread that started it sees it.
 *
 * However a lane ends, no job waits for ever: one that throws outside of a job, that ends by itself, or that is closed,
 * fails every job it has and every later one. Memory that runs out ends the whole process, by V8.
 */
import { receivedError } from "./error_across.ts";
import type { JobMessage, Jobs, LaneMessage } from "./messages.ts";

type Waiting = { resolve: (result: unknown) => void; reject: (error: unknown) => void };
type Kind<J extends Jobs> = keyof J & string;

export class Lane<J extends Jobs> implements Disposable {
  #worker: Worker | undefined;
  readonly #jobs = new Map<number, Waiting>();
  /** What is to be sent once the lane listens. */
  #unsent: (() => void)[] | undefined = [];
  #next = 0;
  /** Why it does not answer any more. */
  #failure: { readonly error: unknown } | undefined;

  /** @param startThread Called when there is a first job, or earlier by {@link start}: see {@link startWorker}. */
  constructor(private readonly name: string, private readonly startThread: () => Worker) {}

  /** Starts the thread, unless it was started or has failed: what is to come needs not wait for that then. */
  start(): void {
    if (this.#worker !== undefined || this.#failure !== undefined) return;
    const worker = this.#worker = this.startThread();
    worker.onmessage = ({ data }) => this.#hear(data as LaneMessage);
    worker.onmessageerror = () => this.#fail("an answer could not be read");
    worker.onerror = (event) => {
      // It is reported where the job is waited for.
      event.preventDefault();
      this.#fail(event.message);
    };
  }

  /** Jobs that it has not answered yet. */
  get waiting(): number {
    return this.#jobs.size;
  }

  /**
   * Has a job done. Jobs are done in the order they are asked for.
   *
   * @param transfer Buffers of the request that travel, and are gone here.
   * @throws {RegrainError} what ended the job there. @throws {Error} when the lane has ended.
   */
  ask<T extends Kind<J>>(
    type: T,
    request: J[T]["request"],
    transfer: ArrayBuffer[] = [],
  ): Promise<J[T]["result"]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    this.start();
    const job = this.#next++;
    return new Promise((resolve, reject) => {
      this.#jobs.set(job, { resolve, reject });
      const send = () => this.#send({ job, type, request }, transfer);
      if (this.#unsent === undefined) send();
      else this.#unsent.push(send);
    });
  }

  /** Ends the thread, whatever it does. */
  close(): void {
    this.#fail("it was closed");
  }

  /** Ends the thread: every job fails with this error. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#unsent = undefined;
    this.#worker?.terminate();
    for (const { reject } of this.#jobs.values()) reject(error);
    this.#jobs.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #send(message: JobMessage, transfer: ArrayBuffer[]): void {
    try {
      this.#worker!.postMessage(message, transfer);
    } catch (error) {
      this.#settle(message.job, ({ reject }) => reject(error));
    }
  }

  #hear(message: LaneMessage): void {
    switch (message.type) {
      case "ready": {
        const unsent = this.#unsent ?? [];
        this.#unsent = undefined;
        for (const send of unsent) send();
        break;
      }
      case "done":
        this.#settle(message.job, ({ resolve }) => resolve(message.result));
        break;
      case "failed":
        this.#settle(message.job, ({ reject }) => reject(receivedError(message.error, this.#where)));
        break;
      case "ended":
        this.#fail("its thread ended");
    }
  }

  #settle(job: number, how: (waiting: Waiting) => void): void {
    const waiting = this.#jobs.get(job);
    this.#jobs.delete(job);
    if (waiting !== undefined) how(waiting);
  }

  #fail(why: string): void {
    this.fail(new Error(`in ${this.#where}: ${why}`));
  }

  get #where(): string {
    return `the lane "${this.name}"`;
  }
}
