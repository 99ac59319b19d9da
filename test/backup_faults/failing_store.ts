/** A store that fails when it is told to. */
import { RegrainError } from "../../core-as/host/errors.ts";
import type { ObjectInfo, ObjectStore, PutOptions, PutOutcome } from "../../core-as/host/repo/mod.ts";

/** `lost` does what it was asked, and fails all the same, as when the answer does not come back. */
export type Failure = "once" | "from-there-on" | "lost";

export class FailingStore implements ObjectStore {
  readonly label: string;
  /** Calls so far. */
  calls = 0;
  /** The key of the put that failed; `undefined` while none has. */
  failedPut: string | undefined;

  constructor(private readonly store: ObjectStore, private readonly fails: { at: number; how: Failure }) {
    this.label = store.label;
  }

  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<PutOutcome> {
    if (this.calls === this.fails.at) this.failedPut = key;
    return this.call(() => this.store.put(key, bytes, options));
  }

  get(key: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.call(() => this.store.get(key, maxBytes));
  }

  head(key: string): Promise<ObjectInfo | undefined> {
    return this.call(() => this.store.head(key));
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    yield* await this.call(() => Array.fromAsync(this.store.list(prefix)));
  }

  remove(keys: readonly string[]): Promise<void> {
    return this.call(() => this.store.remove(keys));
  }

  close(): void {
    this.store.close();
  }

  private async call<T>(action: () => Promise<T>): Promise<T> {
    const { at, how } = this.fails;
    const call = this.calls++;
    if (how === "from-there-on" ? call < at : call !== at) return await action();
    if (how === "lost") await action();
    throw new RegrainError("STORE_FAILED", `call ${call} fails, as the test wants it`, { path: this.label });
  }
}
