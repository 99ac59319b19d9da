/**
 * Every order in which the operations of some actors can come about, breadth first: the first failure is a shortest.
 */
import type { ObjectInfo } from "../../core-as/host/repo/mod.ts";
import { type ActorNode, Automaton, type LastSeen } from "./automaton.ts";
import type { Projection } from "./projections.ts";
import { StateTable } from "./state_table.ts";
import { describe, type Outcome, type Script } from "./steps.ts";
import { type Content, StoreStates } from "./store_states.ts";
import type { StoredObject } from "../helpers/memory_store.ts";

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
  /** More states than this are an error: the scenario has grown beyond what a test may take. */
  readonly most: number;
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

class Explorer {
  private readonly startedMs = performance.now();
  private readonly table: StateTable;
  private readonly verdicts = new Map<string, string | undefined>();
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
      const what = await this.verdict();
      if (what !== undefined) return this.result({ what, trace: this.traceTo(row) });
      const before = this.moves;
      await this.expand(row);
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

  private async expand(row: number): Promise<void> {
    const alone = this.automata.findIndex((_, actor) => this.isBesideTheRest(this.nodeOf(actor)));
    if (alone >= 0) return await this.move(alone, row);
    for (let actor = 0; actor < this.automata.length; actor++) await this.move(actor, row);
  }

  /** An operation that no other actor can influence or notice: it may as well come first. */
  private isBesideTheRest({ operations }: ActorNode): boolean {
    if (operations.length !== 1) return false;
    const operation = this.states.operation(operations[0]!);
    return operation.kind === "list" && operation.prefix === "damaged/" ||
      operation.kind === "head" && operation.key.startsWith("gc/");
  }

  /** Every next operation of one actor. */
  private async move(actor: number, row: number): Promise<void> {
    const node = this.nodeOf(actor);
    for (let place = 0; place < node.operations.length; place++) {
      const { kind } = this.states.operation(node.operations[place]!);
      if (kind === "choose") await this.moveByChoice(node, { actor, row });
      else if (kind !== "sleep") await this.moveBy(node, { place, actor, row });
      else if (wakes(this.states.content(this.state[0]!), node.seen)) {
        await this.reach(node, {
          place,
          actor,
          row,
          store: this.state[0]!,
          reply: this.states.numberOfReply(""),
        });
      }
    }
  }

  private async moveBy(node: ActorNode, at: { place: number; actor: number; row: number }): Promise<void> {
    const operation = node.operations[at.place]!;
    const { store, reply } = this.states.apply(this.state[0]!, operation);
    await this.reach(node, { ...at, store, reply: this.shown(node, operation, reply) });
  }

  /** What the actor is shown of a reply. */
  private shown({ seen }: ActorNode, number: number, reply: number): number {
    const operation = this.states.operation(number);
    if (operation.kind !== "list") return reply;
    const infos = this.states.reply(reply) as readonly ObjectInfo[];
    const context = { last: seen.last, manifests: seen.snaps };
    const shown = this.exploration.show(operation.prefix, infos, context);
    return shown === infos ? reply : this.states.numberOfListing(shown);
  }

  /** The choice and the operation that follows from it are one step. */
  private async moveByChoice(node: ActorNode, at: { actor: number; row: number }): Promise<void> {
    for (const id of liveIntents(this.states.content(this.state[0]!))) {
      const chosen = await this.childOf(node, {
        place: 0,
        actor: at.actor,
        reply: this.states.numberOfReply(id),
      });
      await this.moveBy(chosen, { place: 0, ...at });
    }
  }

  private async reach(
    node: ActorNode,
    to: { place: number; actor: number; row: number; store: number; reply: number },
  ): Promise<void> {
    const known = this.automata[to.actor]!.known(node, to.place, to.reply);
    const child = known ?? await this.childOf(node, to);
    this.next.set(this.state);
    this.next[0] = to.store;
    this.next[1 + to.actor] = child.number;
    this.table.add(this.next, { from: to.row, actor: to.actor });
    this.moves++;
  }

  private async childOf(
    node: ActorNode,
    { place, actor, reply }: { place: number; actor: number; reply: number },
  ): Promise<ActorNode> {
    const automaton = this.automata[actor]!;
    return automaton.known(node, place, reply) ?? await automaton.learn(node, place, reply);
  }

  private outcomesOf(state = this.state): (Outcome | undefined)[] {
    return this.automata.map((_, actor) => this.nodeOf(actor, state).outcome);
  }

  private async verdict(): Promise<string | undefined> {
    const outcomes = this.outcomesOf();
    const about = `${this.state[0]} ${outcomes.map((outcome) => outcome && JSON.stringify(outcome)).join()}`;
    if (!this.verdicts.has(about)) {
      this.verdicts.set(about, await this.exploration.judge(this.states, this.state[0]!, outcomes));
    }
    return this.verdicts.get(about);
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
