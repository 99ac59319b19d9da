/** Bounds on what is under way at once, so that memory does not depend on the disk. */

/** Hands out a fixed number of buffers, made when they are first needed. */
export class BufferPool {
  private readonly free: Uint8Array<ArrayBuffer>[] = [];
  private readonly waiting: ((buffer: Uint8Array<ArrayBuffer>) => void)[] = [];
  private made = 0;

  constructor(private readonly bufferBytes: number, private readonly most: number) {}

  /** A buffer, as soon as there is one. */
  take(): Promise<Uint8Array<ArrayBuffer>> {
    const buffer = this.free.pop();
    if (buffer !== undefined) return Promise.resolve(buffer);
    if (this.made < this.most) {
      this.made++;
      return Promise.resolve(new Uint8Array(this.bufferBytes));
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  give(buffer: Uint8Array<ArrayBuffer>): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free.push(buffer);
    else next(buffer);
  }
}

/** Lets so many callers in at once. */
export class Gate {
  private inside = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly most: number) {}

  async run<T>(action: () => Promise<T>): Promise<T> {
    if (this.inside >= this.most) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.inside++;
    try {
      return await action();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.inside--;
      else next();
    }
  }
}

/** Tasks that run beside the caller; one that fails stops the rest, and of several the one started first is told. */
export class TaskGroup {
  private readonly running = new Set<Promise<void>>();
  private started = 0;
  private failure: { order: number; error: unknown } | undefined;

  constructor(private readonly most: number) {}

  /** Starts a task, when there is room for it. @throws as {@link check}; none is running then. */
  async start(task: () => Promise<void>): Promise<void> {
    while (this.running.size >= this.most) await Promise.race(this.running);
    if (this.failure !== undefined) await this.settle();
    this.check();
    const order = this.started++;
    const promise: Promise<void> = task().catch((error: unknown) => {
      if (this.failure === undefined || order < this.failure.order) this.failure = { order, error };
    }).finally(() => this.running.delete(promise));
    this.running.add(promise);
  }

  /** Returns when every task has ended, be it by an error. */
  async settle(): Promise<void> {
    while (this.running.size > 0) await Promise.race(this.running);
  }

  /** @throws what the first of the tasks that failed has thrown, in the order in which they were started. */
  check(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }
}
