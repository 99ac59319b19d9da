/**
 * Every order in which the operations of some actors can come about, breadth first: the first failure is a shortest.
 */
import type { ObjectInfo } from "../../core-as/host/repo/mod.ts";
import { type ActorNode, Automaton, type LastSeen, pathTo } from "./automaton.ts";
import type { Projection } from "./projections.ts";
import { StateTable } from "./state_table.ts";
import { describe, type Operation, type Outcome, type Reply, type Script } from "./steps.ts";
import { type Content, StoreStates } from "./store_states.ts";
import type { StoredObject } from "../helpers/memory_store.ts";
import type { Part } from "../helpers/tiers.ts";

export interface Actors {
  readonly [name: string]: Script;
}

export interface Exploration {
  readonly actors: Actors;
  readonly start: ReadonlyMap<string, StoredObject>;
  /** What is wrong with a state, given how actors have ended; called once for each pair. */
  judge(
    states: StoreStates,
    store: number,
    outcomes: readonly (Outcome | undefined)[],
  ): Promise<string | undefined>;
  readonly show: Projection;
  readonly part?: PartOfStates;
  /** More states than this are an error: the scenario has grown beyond what a test may take. */
  readonly most: number;
}

/**
 * A part of the states, by what one actor was answered at first: from there on no state is in two parts. The states
 * before are in all of them.
 */
export interface PartOfStates extends Part {
  /** Whose answers decide. */
  readonly actor: string;
  /** How many of them. */
  readonly replies: number;
}

export interface Explored {
  readonly states: number;
  readonly stores: number;
  readonly endings: number;
  /** Runs of the code, and thereby distinct lives of actors. */
  readonly runs: number;
  readonly elapsedMs: number;
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | undefined;
  /** How actors ended, and in how many last states. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Some state, for what is done with samples: its store and the outcomes so far. */
  sample(row: number): { objects: Map<string, StoredObject>; outcomes: (Outcome | undefined)[] };
}

export async function explore(exploration: Exploration): Promise<Explored> {
  return await (await Explorer.create(exploration)).run();
}

/** A move of an actor. */
interface At {
  readonly place: number;
  readonly actor: number;
  readonly row: number;
}

/** A reply to an actor that no run has had yet. */
interface Unknown {
  readonly actor: number;
  readonly node: ActorNode;
  readonly place: number;
  readonly reply: number;
}

/** What is asked of a node in every one of the millions of states that have it. */
interface Facts {
  readonly isBesideTheRest: boolean;
  /** How the actor has ended, as a number. */
  readonly outcome: number;
  /** Whether a store wakes the actor, if it sleeps. */
  readonly wokenBy: Map<number, boolean>;
}

/** Numbers of outcomes and of a store are one number together: with four actors some million stores have room. */
const MOST_OUTCOMES = 256;

function newFacts({ operations }: ActorNode, states: StoreStates, outcome: number): Facts {
  const [only, ...more] = operations.map((operation) => states.operation(operation));
  const isBesideTheRest = only !== undefined && more.length === 0 && isUnnoticed(only);
  return { isBesideTheRest, outcome, wokenBy: new Map() };
}

/** An operation that no other actor can influence or notice: it may as well come first. */
function isUnnoticed(operation: Operation): boolean {
  return operation.kind === "list" && operation.prefix === "damaged/" ||
    operation.kind === "head" && operation.key.startsWith("gc/");
}

class Explorer {
  private readonly startedMs = performance.now();
  private readonly table: StateTable;
  private readonly verdicts = new Map<number, string | undefined>();
  private readonly outcomes = new Map<string, number>();
  /** By actor, and by the number of its node. */
  private readonly facts: Facts[][];
  /** What an actor in a node is shown of a reply to an operation. */
  private readonly listings = new Map<ActorNode, Map<number, number>>();
  /** Replies that a choice can have, by store. */
  private readonly choices = new Map<number, readonly number[]>();
  private readonly wakeUp: number;
  /** The part that nodes belong to which decide about it. */
  private readonly parts = new Map<ActorNode, number>();
  private readonly endings = new Map<string, number>();
  private endingCount = 0;
  /** State that is looked at, and the one that is made of it. */
  private readonly state: Int32Array;
  private readonly next: Int32Array;

  private constructor(
    private readonly exploration: Exploration,
    private readonly states: StoreStates,
    private readonly automata: readonly Automaton[],
  ) {
    const width = 1 + automata.length;
    this.table = new StateTable(width);
    this.state = new Int32Array(width);
    this.next = new Int32Array(width);
    this.facts = automata.map(() => []);
    this.wakeUp = states.numberOfReply("");
    this.next[0] = states.take(exploration.start);
    this.table.add(this.next, { from: -1, actor: -1 });
  }

  static async create(exploration: Exploration): Promise<Explorer> {
    const states = new StoreStates();
    const automata: Automaton[] = [];
    for (const [name, script] of Object.entries(exploration.actors)) {
      automata.push(await Automaton.create(name, script, states));
    }
    return new Explorer(exploration, states, automata);
  }

  async run(): Promise<Explored> {
    for (let row = 0; row < this.table.size; row++) {
      this.table.read(row, this.state);
      const what = this.verdicts.has(this.about()) ? this.verdicts.get(this.about()) : await this.judge();
      if (what !== undefined) return this.result({ what, trace: this.traceTo(row) });
      const before = this.moves;
      // What was entered before something had to be learned is known to the table when it is entered again.
      for (let unknown = this.expand(row); unknown !== undefined; unknown = this.expand(row)) {
        await this.automata[unknown.actor]!.learn(unknown.node, unknown.place, unknown.reply);
      }
      if (this.moves === before) {
        const stuck = this.finish();
        if (stuck !== undefined) return this.result({ what: stuck, trace: this.traceTo(row) });
      }
      if (this.table.size > this.exploration.most) {
        throw new Error(`more than ${this.exploration.most} states`);
      }
    }
    return this.result(undefined);
  }

  private moves = 0;

  private nodeOf(actor: number, state = this.state): ActorNode {
    return this.automata[actor]!.nodes[state[1 + actor]!]!;
  }

  /** What this explorer knows of a node that an actor is in. */
  private factsOf(actor: number): Facts {
    const facts = this.facts[actor]!;
    const number = this.state[1 + actor]!;
    return facts[number] ??= newFacts(this.nodeOf(actor), this.states, this.numberOfOutcome(actor));
  }

  /** @returns what an actor does then must be learned before the row can be expanded. */
  private expand(row: number): Unknown | undefined {
    const alone = this.automata.findIndex((_, actor) => this.factsOf(actor).isBesideTheRest);
    if (alone >= 0) return this.move(alone, row);
    for (let actor = 0; actor < this.automata.length; actor++) {
      const unknown = this.move(actor, row);
      if (unknown !== undefined) return unknown;
    }
    return undefined;
  }

  /** Every next operation of one actor. */
  private move(actor: number, row: number): Unknown | undefined {
    const node = this.nodeOf(actor);
    for (let place = 0; place < node.operations.length; place++) {
      const at = { place, actor, row };
      const { kind } = this.states.operation(node.operations[place]!);
      let unknown: Unknown | undefined;
      if (kind === "choose") unknown = this.moveByChoice(node, at);
      else if (kind !== "sleep") unknown = this.moveBy(node, at);
      else if (this.isWoken(node, actor)) {
        unknown = this.reach(node, { ...at, store: this.state[0]!, reply: this.wakeUp });
      }
      if (unknown !== undefined) return unknown;
    }
    return undefined;
  }

  private isWoken({ seen }: ActorNode, actor: number): boolean {
    const { wokenBy } = this.factsOf(actor);
    const store = this.state[0]!;
    let woken = wokenBy.get(store);
    if (woken === undefined) wokenBy.set(store, woken = wakes(this.states.content(store), seen));
    return woken;
  }

  private moveBy(node: ActorNode, at: At): Unknown | undefined {
    const operation = node.operations[at.place]!;
    const { store, reply } = this.states.apply(this.state[0]!, operation);
    return this.reach(node, { ...at, store, reply: this.shown(node, operation, reply) });
  }

  /** What the actor is shown of a reply. */
  private shown(node: ActorNode, number: number, reply: number): number {
    const operation = this.states.operation(number);
    if (operation.kind !== "list") return reply;
    const about = reply * 0x100000 + number;
    let shown = this.listings.get(node)?.get(about);
    if (shown === undefined) {
      const { last, snaps: manifests } = node.seen;
      const infos = this.states.reply(reply) as readonly ObjectInfo[];
      const some = this.exploration.show(operation.prefix, infos, { last, manifests });
      shown = some === infos ? reply : this.states.numberOfListing(some);
      const known = this.listings.get(node) ?? new Map<number, number>();
      this.listings.set(node, known.set(about, shown));
    }
    return shown;
  }

  /** The choice and the operation that follows from it are one step. */
  private moveByChoice(node: ActorNode, at: At): Unknown | undefined {
    for (const reply of this.choicesIn(this.state[0]!)) {
      const chosen = this.automata[at.actor]!.known(node, 0, reply);
      if (chosen === undefined) return { actor: at.actor, node, place: 0, reply };
      const unknown = this.moveBy(chosen, { ...at, place: 0 });
      if (unknown !== undefined) return unknown;
    }
    return undefined;
  }

  private choicesIn(store: number): readonly number[] {
    let replies = this.choices.get(store);
    if (replies === undefined) {
      replies = liveIntents(this.states.content(store)).map((id) => this.states.numberOfReply(id));
      this.choices.set(store, replies);
    }
    return replies;
  }

  private reach(node: ActorNode, to: At & { store: number; reply: number }): Unknown | undefined {
    const { actor, place, row, store, reply } = to;
    const child = this.automata[actor]!.known(node, place, reply);
    if (child === undefined) return { actor, node, place, reply };
    this.moves++;
    if (this.isOfAnotherPart(child, actor)) return undefined;
    this.next.set(this.state);
    this.next[0] = store;
    this.next[1 + actor] = child.number;
    this.table.add(this.next, { from: row, actor });
    return undefined;
  }

  private isOfAnotherPart(node: ActorNode, actor: number): boolean {
    const { part } = this.exploration;
    if (part === undefined || node.replies !== part.replies) return false;
    if (this.automata[actor]!.name !== part.actor) return false;
    let number = this.parts.get(node);
    if (number === undefined) {
      // The numbers of replies depend on the order in which they were met, and that on the part.
      const replies = pathTo(node).map(({ place, reply }) => `${place} ${textOf(this.states.reply(reply))}`);
      this.parts.set(node, number = 1 + hashOf(replies.join("\n")) % part.of);
    }
    return number !== part.number;
  }

  private outcomesOf(state = this.state): (Outcome | undefined)[] {
    return this.automata.map((_, actor) => this.nodeOf(actor, state).outcome);
  }

  /** What a verdict is about: the store, and how actors have ended. */
  private about(): number {
    let about = this.state[0]!;
    for (let actor = 0; actor < this.automata.length; actor++) {
      about = about * MOST_OUTCOMES + this.factsOf(actor).outcome;
    }
    return about;
  }

  private async judge(): Promise<string | undefined> {
    const what = await this.exploration.judge(this.states, this.state[0]!, this.outcomesOf());
    this.verdicts.set(this.about(), what);
    return what;
  }

  /** How an actor has ended, as a number. */
  private numberOfOutcome(actor: number): number {
    const text = JSON.stringify(this.nodeOf(actor).outcome) ?? "";
    let number = this.outcomes.get(text);
    if (number === undefined) this.outcomes.set(text, number = this.outcomes.size);
    if (number >= MOST_OUTCOMES) throw new Error("actors end in more ways than are provided for");
    return number;
  }

  /** A state after which nothing happens: everybody must have ended, or have had nothing to choose from. */
  private finish(): string | undefined {
    this.endingCount++;
    const said: string[] = [];
    for (const [actor, { name }] of this.automata.entries()) {
      const { outcome, operations } = this.nodeOf(actor);
      const waits = operations.map((operation) => describe(this.states.operation(operation)));
      if (outcome === undefined && waits[0] !== "choose") {
        return `${name} waits for ever: ${waits.join(", ")}`;
      }
      const text = outcome?.kind === "backed up" ? `backed up, ${outcome.restarts} restarts` : outcome?.kind;
      said.push(`${name}: ${text ?? "nothing to choose"}`);
    }
    for (const each of said) this.endings.set(each, (this.endings.get(each) ?? 0) + 1);
    return undefined;
  }

  private traceTo(row: number): string[] {
    const trace: string[] = [];
    const state = this.state.slice();
    const before = this.state.slice();
    for (let at = row; at > 0;) {
      const { from, actor } = this.table.originOf(at);
      this.table.read(at, state);
      this.table.read(from, before);
      trace.push(this.stepBetween(actor, before, state));
      at = from;
    }
    return trace.reverse();
  }

  private stepBetween(actor: number, before: Int32Array, after: Int32Array): string {
    const { path, outcome } = this.nodeOf(actor, after);
    const { name } = this.automata[actor]!;
    const operation = describe(this.states.operation(path!.parent.operations[path!.place]!));
    const reply = this.states.reply(path!.reply);
    const answer = Array.isArray(reply)
      ? `[${reply.map(({ key }) => key).join(" ")}]`
      : typeof reply === "string"
      ? reply
      : reply === undefined
      ? "none"
      : "found";
    const ended = outcome === undefined ? "" : ` => ${JSON.stringify(outcome)}`;
    const changed = before[0] === after[0] ? "" : " *";
    return `${name}: ${operation} -> ${answer}${changed}${ended}`;
  }

  private result(violation: Explored["violation"]): Explored {
    return {
      states: this.table.size,
      stores: this.states.count,
      endings: this.endingCount,
      runs: this.automata.reduce((sum, { nodes }) => sum + nodes.length, 0),
      elapsedMs: performance.now() - this.startedMs,
      violation,
      outcomes: this.endings,
      sample: (row) => {
        const state = new Int32Array(this.state.length);
        this.table.read(row, state);
        return { objects: this.states.give(state[0]!), outcomes: this.outcomesOf(state) };
      },
    };
  }
}

/** A reply as text that is the same in every run. */
function textOf(reply: Reply): string {
  if (reply instanceof Uint8Array) return Array.from(reply).join();
  return JSON.stringify(reply) ?? "none";
}

/** FNV-1a. */
function hashOf(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return (sum ^ sum >>> 15) >>> 0;
}

/** True when a collection that looks again would see more than before of the backups it waits for. */
export function wakes(
  content: Content | ReadonlyMap<string, unknown>,
  seen: Pick<LastSeen, "active" | "snaps">,
): boolean {
  const keys = new Set(seen.active.map(({ key }) => key));
  const manifests = new Set(seen.snaps.map(({ key }) => idOfManifest(key)));
  for (const key of keys) {
    const [, id, sign] = key.split("/");
    if (sign !== "intent.json" || keys.has(`active/${id}/done`)) continue;
    if (!content.has(key) || content.has(`active/${id}/done`)) return true;
    if (manifests.has(id!)) continue;
    for (const each of content.keys()) {
      if (each.startsWith("snaps/") && idOfManifest(each) === id) return true;
    }
  }
  return false;
}

function idOfManifest(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1, key.lastIndexOf("."));
}

/** Backups that can be taken for dead. */
export function liveIntents(content: Content | ReadonlyMap<string, unknown>): string[] {
  return [...content.keys()].filter((key) => /^active\/[^/]+\/intent\.json$/.test(key)).map((key) =>
    key.split("/")[1]!
  );
}
