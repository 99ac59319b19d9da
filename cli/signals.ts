/**
 * Signals for work that takes long.
 *
 * SIGINT and SIGTERM ask the work to stop where that is clean; the second one kills at once. SIGUSR2 (and SIGUSR1,
 * and SIGINFO where the terminal sends it on Ctrl-T) asks how far it came.
 *
 * SIGUSR2 is the one to tell people about: `deno run` opens its debugger on SIGUSR1, whatever a program says.
 *
 * Deno hands a signal over only when the event loop turns, and work made of system calls never turns it. So the work
 * says by {@link Signals.safePoint} where it may be stopped, and now and then the loop is turned there.
 */
import { RegrainError } from "../core-as/host/errors.ts";
import type { MaybePromise } from "../core-as/host/source.ts";

/** What each signal that stops ends the work with. */
const STOP_CODES = { SIGINT: "INTERRUPTED", SIGTERM: "TERMINATED" } as const;
export type StopSignal = keyof typeof STOP_CODES;

/**
 * A turn of the event loop by a timer takes 1 to 2 ms, so it costs half a per cent; nobody feels the delay. What is
 * faster (`setImmediate`, a message to oneself) comes back without waiting, and then signals may never arrive.
 */
const TURN_EVERY_MS = 250;

export interface SignalHandlers {
  /** The first signal that stops has come; the next safe point ends the work. */
  readonly onStop: (signal: StopSignal) => void;
  /** Somebody wants to know how far the work is. */
  readonly onStatus: () => void;
}

/**
 * Listens until it is disposed of. For SIGINT and SIGTERM it does so from the first safe point on: before it nothing is
 * half done, and they may just kill.
 */
export class Signals implements Disposable {
  #stop: RegrainError | undefined;
  #turnedMs = -Infinity;
  readonly #stopListeners = new Map<Deno.Signal, () => void>();
  readonly #statusListeners = new Map<Deno.Signal, () => void>();

  constructor(private readonly handlers: SignalHandlers) {
    for (const signal of statusSignals()) listen(this.#statusListeners, signal, handlers.onStatus);
  }

  /**
   * To be called where the work may end.
   *
   * @returns the error to end it with, once; what cleans up afterwards is not stopped again.
   */
  safePoint(): MaybePromise<RegrainError | undefined> {
    const nowMs = performance.now();
    if (nowMs - this.#turnedMs < TURN_EVERY_MS) return this.#takeStop();
    if (this.#turnedMs === -Infinity) this.#listenForStop();
    this.#turnedMs = nowMs;
    return turnEventLoop().then(() => this.#takeStop());
  }

  [Symbol.dispose](): void {
    unlisten(this.#stopListeners);
    unlisten(this.#statusListeners);
  }

  #listenForStop(): void {
    for (const signal of stopSignals()) {
      listen(this.#stopListeners, signal, () => {
        // Without a listener the system's way holds again, so the next signal kills even within a system call.
        unlisten(this.#stopListeners);
        this.#stop = new RegrainError(STOP_CODES[signal], `stopped by ${signal}`);
        this.handlers.onStop(signal);
      });
    }
  }

  #takeStop(): RegrainError | undefined {
    const stop = this.#stop;
    this.#stop = undefined;
    return stop;
  }
}

/** Windows knows Ctrl-C and Ctrl-Break alone. */
function stopSignals(): readonly StopSignal[] {
  return Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
}

function statusSignals(): readonly Deno.Signal[] {
  if (Deno.build.os === "windows") return [];
  return Deno.build.os === "darwin" ? ["SIGUSR1", "SIGUSR2", "SIGINFO"] : ["SIGUSR1", "SIGUSR2"];
}

function listen(listeners: Map<Deno.Signal, () => void>, signal: Deno.Signal, listener: () => void): void {
  Deno.addSignalListener(signal, listener);
  listeners.set(signal, listener);
}

function unlisten(listeners: Map<Deno.Signal, () => void>): void {
  for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  listeners.clear();
}

function turnEventLoop(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
