/** Contents that a store can have, each once, by number; and what an operation makes of them. */
import type { ObjectInfo } from "../../core-as/host/repo/mod.ts";
import type { StoredObject } from "../helpers/memory_store.ts";
import type { Operation, Reply } from "./steps.ts";

/** Time stands still: what would take a day is done by an actor of its own. */
export const NOW_MS = Date.UTC(2026, 10, 21);

const LATIN1 = new TextDecoder("latin1");

/** Values of some kind by number, and the number of a value by what tells it from others. */
class Numbered<T> {
  readonly values: T[] = [];
  private readonly numbers = new Map<string, number>();

  numberOf(text: string, make: () => T): number {
    let number = this.numbers.get(text);
    if (number === undefined) {
      number = this.values.push(make()) - 1;
      this.numbers.set(text, number);
    }
    return number;
  }
}

/** Key to number of the object. */
export type Content = ReadonlyMap<string, number>;

/** What an operation did: both by number. */
export interface Step {
  readonly store: number;
  readonly reply: number;
}

export class StoreStates {
  private readonly objects = new Numbered<Uint8Array<ArrayBuffer>>();
  private readonly contents = new Numbered<Content>();
  private readonly operations = new Numbered<Operation>();
  private readonly replies = new Numbered<Reply>();
  private readonly steps = new Map<number, Step>();

  /** Stores that were met. */
  get count(): number {
    return this.contents.values.length;
  }

  content(store: number): Content {
    return this.contents.values[store]!;
  }

  object(number: number): Uint8Array<ArrayBuffer> {
    return this.objects.values[number]!;
  }

  reply(number: number): Reply {
    return this.replies.values[number]!;
  }

  operation(number: number): Operation {
    return this.operations.values[number]!;
  }

  numberOfOperation(operation: Operation): number {
    const { kind } = operation;
    if (kind === "list") return this.operations.numberOf(`list ${operation.prefix}`, () => operation);
    if (kind === "sleep" || kind === "choose") return this.operations.numberOf(kind, () => operation);
    const put = kind === "put" ? `${operation.ifAbsent} ${this.numberOfObject(operation.bytes)}` : "";
    return this.operations.numberOf(`${kind} ${operation.key} ${put}`, () => operation);
  }

  numberOfReply(reply: string): number {
    return this.replies.numberOf(`text ${reply}`, () => reply);
  }

  numberOfListing(infos: readonly ObjectInfo[]): number {
    const text = infos.map(({ key, sizeBytes }) => `${key} ${sizeBytes}`).join();
    return this.replies.numberOf(`list ${text}`, () => infos);
  }

  /** Takes a store as it is for one of the states. */
  take(objects: ReadonlyMap<string, StoredObject>): number {
    return this.numberOfContent(
      new Map([...objects].map(([key, { bytes }]) => [key, this.numberOfObject(bytes)])),
    );
  }

  /** A state as a store of its own would hold it. */
  give(store: number): Map<string, StoredObject> {
    const give = ([key, number]: [string, number]): [string, StoredObject] => {
      return [key, { bytes: this.object(number), modifiedMs: NOW_MS }];
    };
    return new Map([...this.content(store)].map(give));
  }

  /** What an operation does to a store, and what it answers. */
  apply(store: number, operation: number): Step {
    const at = store * 0x100000 + operation;
    let step = this.steps.get(at);
    if (step === undefined) this.steps.set(at, step = this.work(store, this.operation(operation)));
    return step;
  }

  private work(store: number, operation: Operation): Step {
    const content = this.content(store);
    switch (operation.kind) {
      case "put": {
        const { key, bytes, ifAbsent } = operation;
        if (ifAbsent && content.has(key)) return { store, reply: this.numberOfReply("exists") };
        const after = new Map(content).set(key, this.numberOfObject(bytes));
        return { store: this.numberOfContent(after), reply: this.numberOfReply("created") };
      }
      case "remove": {
        const reply = this.numberOfReply("removed");
        if (!content.has(operation.key)) return { store, reply };
        const after = new Map(content);
        after.delete(operation.key);
        return { store: this.numberOfContent(after), reply };
      }
      case "get": {
        const number = content.get(operation.key);
        const value = number === undefined ? undefined : this.object(number);
        return { store, reply: this.replies.numberOf(`get ${number}`, () => value) };
      }
      case "head": {
        const info = this.infoOf(operation.key, content);
        return {
          store,
          reply: this.replies.numberOf(`head ${operation.key} ${info?.sizeBytes}`, () => info),
        };
      }
      case "list": {
        const keys = [...content.keys()].filter((key) => key.startsWith(operation.prefix)).sort();
        const infos = keys.map((key) => this.infoOf(key, content)!);
        return { store, reply: this.numberOfListing(infos) };
      }
      default:
        throw new Error(`${operation.kind} is no operation of a store`);
    }
  }

  private infoOf(key: string, content: Content): ObjectInfo | undefined {
    const number = content.get(key);
    return number === undefined
      ? undefined
      : { key, sizeBytes: this.object(number).length, modifiedMs: NOW_MS };
  }

  private numberOfObject(bytes: Uint8Array): number {
    return this.objects.numberOf(LATIN1.decode(bytes), () => new Uint8Array(bytes));
  }

  private numberOfContent(content: Content): number {
    const text = [...content].map(([key, number]) => `${key} ${number}`).sort().join();
    return this.contents.numberOf(text, () => content);
  }
}
