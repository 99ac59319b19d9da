/** The one bound on how many go on at once. */

/** A place inside of a gate, until it is left. Leaving it again does nothing. */
export class Place implements Disposable {
  #leave: (() => void) | undefined;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  get isHeld(): boolean {
    return this.#leave !== undefined;
  }

  leave(): void {
    const leave = this.#leave;
    this.#leave = undefined;
    leave?.();
  }

  [Symbol.dispose](): void {
    this.leave();
  }
}

/** Lets so many in at once; those who wait come in one by one, in the order they came. */
export class Gate {
  #inside = 0;
  readonly #waiting: ((place: Place) => void)[] = [];

  constructor(private readonly most: number) {}

  /** A place, as soon as there is one. */
  enter(): Promise<Place> {
    const place = this.tryEnter();
    return place === undefined
      ? new Promise((resolve) => this.#waiting.push(resolve))
      : Promise.resolve(place);
  }

  /** A place, or `undefined` where there is none now. Nobody is overtaken: with somebody waiting, there is none. */
  tryEnter(): Place | undefined {
    if (this.#inside >= this.most) return undefined;
    this.#inside++;
    return new Place(() => this.#handOn());
  }

  /** Does something inside; the place is left however that ends. */
  async run<T>(action: () => Promise<T>): Promise<T> {
    using _place = await this.enter();
    return await action();
  }

  /** The place goes to whoever waits longest, and stays taken in between. */
  #handOn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inside--;
    else next(new Place(() => this.#handOn()));
  }
}
