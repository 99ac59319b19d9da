/** Bounds on what is under way at once, so that memory does not depend on the disk. */
import { Gate, type Place } from "./gate.ts";

/** Hands out a fixed number of buffers, made when they are first needed. */
export class BufferPool {
  readonly #gate: Gate;
  /** Of the buffers that are out. */
  readonly #places: Place[] = [];
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  constructor(private readonly bufferBytes: number, most: number) {
    this.#gate = new Gate(most);
  }

  /** A buffer, as soon as there is one. */
  async take(): Promise<Uint8Array<ArrayBuffer>> {
    this.#places.push(await this.#gate.enter());
    return this.#free.pop() ?? new Uint8Array(this.bufferBytes);
  }

  /** @param buffer One that was taken, or another in the place of one that was lost. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    const place = this.#places.pop();
    if (place === undefined) throw new Error("a buffer came back that was not taken");
    this.#free.push(buffer);
    place.leave();
  }
}

/** Tasks that run beside the caller; one that fails stops the rest, and of several the one started first is told. */
export class TaskGroup {
  readonly #gate: Gate;
  readonly #running = new Set<Promise<void>>();
  #started = 0;
  #failure: { readonly order: number; readonly error: unknown } | undefined;

  constructor(most: number) {
    this.#gate = new Gate(most);
  }

  /** Starts a task, when there is room for it. @throws as {@link check}; none is running then. */
  async start(task: () => Promise<void>): Promise<void> {
    const place = await this.#gate.enter();
    if (this.#failure !== undefined) {
      place.leave();
      await this.settle();
      this.check();
    }
    const running = this.#run(task, place).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Returns when every task has ended, well or not. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** @throws what the first of the tasks that failed has thrown, in the order in which they were started. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #run(task: () => Promise<void>, place: Place): Promise<void> {
    const order = this.#started++;
    try {
      await task();
    } catch (error) {
      if (this.#failure === undefined || order < this.#failure.order) this.#failure = { order, error };
    } finally {
      place.leave();
    }
  }
}
