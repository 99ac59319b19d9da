/**
 * One at a time. All disks of one core share its memory: a run list is valid until the next step of any walk, so steps
 * must not interleave.
 */
export class Lock {
  private tail: Promise<unknown> = Promise.resolve();

  /** Runs `work` when everything asked for before it has ended, well or not. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work, work);
    this.tail = result.catch(() => undefined);
    return result;
  }
}

/** Lets messages in: promises alone would keep them waiting. A timer would wait for 4 ms each time. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Leaves the processor to others. */
export function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ends work of which nobody waits for the result any more. */
export class Superseded extends Error {
  constructor() {
    super("something newer was asked");
  }
}
