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

/** Lets messages in: promises alone would keep them waiting. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
