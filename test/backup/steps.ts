/**
 * A store whose every operation stops until somebody lets it go on, and an actor that works against such a store.
 *
 * What runs in an actor is the code of the program. It is a function of the replies it gets: given the same replies it
 * asks for the same operations, so it can be taken back to any point by running it anew.
 */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers";
import type { ObjectInfo, ObjectStore, PutOptions, PutOutcome } from "../../core-as/host/repo/mod.ts";

/** What an actor wants to do next; a removal of many keys is as many operations. */
export type Operation =
  | { readonly kind: "put"; readonly key: string; readonly bytes: Uint8Array; readonly ifAbsent: boolean }
  | { readonly kind: "get" | "head" | "remove"; readonly key: string }
  | { readonly kind: "list"; readonly prefix: string }
  /** To be let go on when something changed that a collection waits for. */
  | { readonly kind: "sleep" }
  /** To be answered with the id of a backup that has an intent. */
  | { readonly kind: "choose" };

/** What an operation is answered with. */
export type Reply =
  | PutOutcome
  | Uint8Array<ArrayBuffer>
  | ObjectInfo
  | readonly ObjectInfo[]
  | string
  | undefined;

/** An operation that waits to be let go on. */
export interface Pending {
  readonly operation: Operation;
  settle(reply: Reply): void;
}

/** How an actor ended. */
export type Outcome =
  | { readonly kind: "backed up"; readonly key: string; readonly restarts: number }
  | { readonly kind: "ended" }
  | { readonly kind: "failed"; readonly reason: string };

/** What an actor has to work with. */
export interface Means {
  readonly store: ObjectStore;
  sleep(): Promise<void>;
  choose(): Promise<string>;
}

/** What an actor does. */
export type Script = (means: Means) => Promise<Outcome>;

/** One actor under way. */
export class LiveActor {
  readonly pending: Pending[] = [];
  outcome: Outcome | undefined;

  private constructor(script: Script) {
    const means: Means = {
      store: new SteppedStore((operation) => this.ask(operation)),
      sleep: async () => void await this.ask({ kind: "sleep" }),
      choose: async () => await this.ask({ kind: "choose" }) as string,
    };
    script(means).then((outcome) => this.outcome = outcome, (error: unknown) => {
      this.outcome = { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
    });
  }

  /** Starts an actor, and returns when it waits for its first operations. */
  static async start(script: Script): Promise<LiveActor> {
    const actor = new LiveActor(script);
    await quiet();
    return actor;
  }

  /** Answers one of the operations that wait, and returns when the actor waits again, or has ended. */
  async goOn(index: number, reply: Reply): Promise<void> {
    const [pending] = this.pending.splice(index, 1);
    pending!.settle(reply);
    await quiet();
  }

  private ask(operation: Operation): Promise<Reply> {
    return new Promise((settle) => this.pending.push({ operation, settle }));
  }
}

/** Returns when every promise that can settle by itself has done so. */
function quiet(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

class SteppedStore implements ObjectStore {
  readonly label = "steps";

  constructor(private readonly ask: (operation: Operation) => Promise<Reply>) {}

  async put(key: string, bytes: Uint8Array, { ifAbsent = false }: PutOptions = {}): Promise<PutOutcome> {
    return await this.ask({ kind: "put", key, bytes: bytes.slice(), ifAbsent }) as PutOutcome;
  }

  async get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return (await this.ask({ kind: "get", key }) as Uint8Array<ArrayBuffer> | undefined)?.slice();
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return await this.ask({ kind: "head", key }) as ObjectInfo | undefined;
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    yield* await this.ask({ kind: "list", prefix }) as readonly ObjectInfo[];
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.ask({ kind: "remove", key });
  }

  close(): void {}
}

/**
 * Hashes in this thread while `action` runs: WebCrypto does so in another, and then nobody could tell whether an actor
 * is at rest.
 */
export async function withHashingInThisThread<T>(action: () => Promise<T>): Promise<T> {
  const { digest } = crypto.subtle;
  const own = (algorithm: AlgorithmIdentifier, data: BufferSource): Promise<ArrayBuffer> => {
    if (algorithm !== "SHA-256" || !(data instanceof Uint8Array)) {
      throw new Error("another hash than expected");
    }
    return Promise.resolve(new Uint8Array(createHash("sha256").update(data).digest()).buffer);
  };
  Object.defineProperty(crypto.subtle, "digest", { value: own, configurable: true, writable: true });
  try {
    return await action();
  } finally {
    Object.defineProperty(crypto.subtle, "digest", { value: digest, configurable: true, writable: true });
  }
}

export function describe(operation: Operation): string {
  if (operation.kind === "list") return `list ${operation.prefix}`;
  return "key" in operation ? `${operation.kind} ${operation.key}` : operation.kind;
}
