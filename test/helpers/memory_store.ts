/** An object store in memory: what a finished call did is seen by every later one, as the protocol asks. */
import { RegrainError } from "../../core-as/host/errors.ts";
import type { ObjectInfo, ObjectStore, PutOptions, PutOutcome } from "../../core-as/host/repo/mod.ts";
import { checkKey } from "../../cli/store/keys.ts";

/** An object and when it was written. */
export interface StoredObject {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly modifiedMs: number;
}

export class MemoryStore implements ObjectStore {
  readonly objects: Map<string, StoredObject>;
  readonly label: string;
  /** Calls so far, one a key for `remove`. */
  calls = 0;
  private readonly nowMs: () => number;

  /** @param options.objects What is there already; the store has a map of its own. */
  constructor(
    options: { label?: string; objects?: ReadonlyMap<string, StoredObject>; nowMs?: () => number } = {},
  ) {
    this.label = options.label ?? "memory";
    this.objects = new Map(options.objects);
    this.nowMs = options.nowMs ?? Date.now;
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<PutOutcome> {
    checkKey(key);
    this.calls++;
    if (options.ifAbsent && this.objects.has(key)) return Promise.resolve("exists");
    this.objects.set(key, { bytes: new Uint8Array(bytes), modifiedMs: this.nowMs() });
    return Promise.resolve("created");
  }

  get(key: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    checkKey(key);
    this.calls++;
    const found = this.objects.get(key)?.bytes;
    if (found !== undefined && found.length > maxBytes) {
      const reason = `has ${found.length} bytes, and ${maxBytes} at most are due`;
      return Promise.reject(new RegrainError("LIMIT_EXCEEDED", reason, { path: `${this.label}/${key}` }));
    }
    return Promise.resolve(found?.slice());
  }

  head(key: string): Promise<ObjectInfo | undefined> {
    checkKey(key);
    this.calls++;
    return Promise.resolve(this.infoOf(key));
  }

  /** As it is when the first object is asked for. */
  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    this.calls++;
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
    for (const info of keys.map((key) => this.infoOf(key)!)) yield await Promise.resolve(info);
  }

  remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      checkKey(key);
      this.calls++;
      this.objects.delete(key);
    }
    return Promise.resolve();
  }

  close(): void {}

  private infoOf(key: string): ObjectInfo | undefined {
    const found = this.objects.get(key);
    return found && { key, sizeBytes: found.bytes.length, modifiedMs: found.modifiedMs };
  }
}
