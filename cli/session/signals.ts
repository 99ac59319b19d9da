/**
 * Signals for work that takes long.
 *
 * SIGINT, SIGTERM and SIGHUP ask the work to stop where that is clean; the second one kills at once. SIGUSR2 (and
 * SIGUSR1, and SIGINFO where the terminal sends it on Ctrl-T) asks how far it came.
 *
 * SIGUSR2 is the one to tell people about: `deno run` opens its debugger on SIGUSR1, whatever a program says.
 *
 * Deno hands a signal over only when the event loop turns, and work made of system calls never turns it. So the work
 * says by {@link Signals.safePoint} where it may be stopped, and now and then the loop is turned there.
 */
import { RegrainError } from "../../core-as/host/errors.ts";
import type { MaybePromise } from "../../core-as/host/source.ts";
import { isAbsent, isDenied } from "../deno_errors.ts";

/** What each signal that stops ends the work with. */
const STOP_CODES = { SIGINT: "INTERRUPTED", SIGTERM: "TERMINATED", SIGHUP: "HUNG_UP" } as const;
export type StopSignal = keyof typeof STOP_CODES;

/**
 * A turn by a timer takes 2 ms, and in it every signal that has come is heard: the loop waits, and only then does it
 * look. What is faster (`setImmediate`, a message to oneself) comes back without waiting and leaves most unseen.
 */
const TIMER_EVERY_MS = 250;
/**
 * A turn by work on another thread takes 0.2 ms. Mostly the loop has to wait for it, and then hears as well; when the
 * other thread is quicker, it does not. Both together take about one per cent.
 */
const TURN_EVERY_MS = 50;
const NO_BYTES = new Uint8Array(0);

export interface SignalHandlers {
  /** The first signal that stops has come; the next safe point ends the work. */
  readonly onStop: (signal: StopSignal) => void;
  /** After `onStop`: no safe point came any more, the work has ended by itself. */
  readonly onMissed?: (signal: StopSignal) => void;
  /** Somebody wants to know how far the work is. */
  readonly onStatus: () => void;
}

/** A signal that was heard, and the error that ends the work for it. */
interface Stop {
  readonly signal: StopSignal;
  readonly error: RegrainError;
}

/**
 * Listens until it is disposed of. A signal is heard for certain at the first safe point that comes `TIMER_EVERY_MS` or
 * more after the last turn by a timer, mostly within `TURN_EVERY_MS`, and wherever the work itself waits. Whoever is
 * told of a stop by `onStop` is told what became of it: a safe point answers with the error, once, or `onMissed` is
 * called in the end. A signal that comes after the last turn is not heard, and nothing is said.
 *
 * For these three it listens from the first safe point on: before it nothing is half done, and they may just
 * kill.
 */
export class Signals implements Disposable {
  /**
   * Comes true when a signal that stops is heard, with the error that ends the work: for work that waits for something
   * else than a safe point.
   */
  readonly stopped: Promise<RegrainError>;
  readonly #tellStopped: (error: RegrainError) => void;
  #stop: Stop | undefined;
  #turnedMs = -Infinity;
  #timerMs = -Infinity;
  readonly #stopListeners = new Map<Deno.Signal, () => void>();
  readonly #statusListeners = new Map<Deno.Signal, () => void>();

  constructor(private readonly handlers: SignalHandlers) {
    const { promise, resolve } = Promise.withResolvers<RegrainError>();
    this.stopped = promise;
    this.#tellStopped = resolve;
    for (const signal of statusSignals()) listen(this.#statusListeners, signal, handlers.onStatus);
  }

  /**
   * To be called where the work may end.
   *
   * @returns the error to end it with, once; what cleans up afterwards is not stopped again.
   */
  safePoint(): MaybePromise<RegrainError | undefined> {
    const nowMs = performance.now();
    if (nowMs - this.#turnedMs < TURN_EVERY_MS) return this.#takeStop()?.error;
    if (this.#turnedMs === -Infinity) this.#listenForStop();
    this.#turnedMs = nowMs;
    return this.#turnEventLoop(nowMs).then(() => this.#takeStop()?.error);
  }

  [Symbol.dispose](): void {
    unlisten(this.#stopListeners);
    unlisten(this.#statusListeners);
    const missed = this.#takeStop();
    if (missed) this.handlers.onMissed?.(missed.signal);
  }

  #listenForStop(): void {
    for (const signal of stopSignals()) {
      listen(this.#stopListeners, signal, () => {
        // Without a listener the system's way holds again, so the next signal kills even within a system call.
        unlisten(this.#stopListeners);
        const error = new RegrainError(STOP_CODES[signal], `stopped by ${signal}`);
        this.#stop = { signal, error };
        this.handlers.onStop(signal);
        this.#tellStopped(error);
      });
    }
  }

  async #turnEventLoop(nowMs: number): Promise<void> {
    if (nowMs - this.#timerMs < TIMER_EVERY_MS) {
      await crypto.subtle.digest("SHA-256", NO_BYTES);
    } else {
      this.#timerMs = nowMs;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  #takeStop(): Stop | undefined {
    const stop = this.#stop;
    this.#stop = undefined;
    return stop;
  }
}

/** Windows knows Ctrl-C and Ctrl-Break alone. SIGTERM comes last: then all are listened to. */
function stopSignals(): readonly StopSignal[] {
  if (Deno.build.os === "windows") return ["SIGINT"];
  return hangupIsIgnored ? ["SIGINT", "SIGTERM"] : ["SIGINT", "SIGHUP", "SIGTERM"];
}

/** Bit of SIGHUP in the masks of `/proc/self/status`. */
const SIGHUP_BIT = 1n;

let hangupIsIgnored = false;

/**
 * A process that `nohup` started is to go on. Deno's own handlers make it end on SIGHUP; they come with the first
 * listener, and soon after the start for its debugger. So before all else it is looked what was ignored, and a listener
 * that does nothing takes the place of that.
 */
export function keepIgnoringHangup(): void {
  if (Deno.build.os === "windows") return;
  hangupIsIgnored = ignoresHangup();
  if (hangupIsIgnored) Deno.addSignalListener("SIGHUP", () => undefined);
}

/** Without the right to look, a hangup is taken for a wish to stop: that ends cleanly, and running it again goes on. */
function ignoresHangup(): boolean {
  let status = "";
  try {
    status = Deno.readTextFileSync("/proc/self/status");
  } catch (error) {
    if (!isAbsent(error) && !isDenied(error)) throw error;
  }
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  return (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
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
