/**
 * An actor as everything it can meet: a tree whose nodes are the replies it got so far. Only to learn what it does
 * after replies that no run has had yet is its code run: on from the node before where a run still waits there, else
 * from the start.
 */
import type { ObjectInfo } from "../../core-as/host/repo/mod.ts";
import { LiveActor, type Operation, type Outcome, type Script } from "./steps.ts";
import type { StoreStates } from "./store_states.ts";

/** What an actor looks at before it sleeps: the answers to its last listings. */
export interface LastSeen {
  readonly active: readonly ObjectInfo[];
  readonly snaps: readonly ObjectInfo[];
  /** The operation before. */
  readonly last: Operation | undefined;
}

export interface ActorNode {
  readonly number: number;
  /** Numbers of the operations that wait. */
  readonly operations: readonly number[];
  readonly outcome: Outcome | undefined;
  readonly seen: LastSeen;
  readonly path: Path | undefined;
  /** How many replies it has had. */
  readonly replies: number;
  /** By place of the operation and number of the reply. */
  readonly children: Map<number, ActorNode>;
}

interface Path {
  readonly parent: ActorNode;
  readonly place: number;
  readonly reply: number;
}

const PLACES = 16;
/** Runs that are kept waiting. Nodes are learned breadth first, so that those which are needed again are young. */
const MOST_WAITING = 8192;

export class Automaton {
  readonly nodes: ActorNode[] = [];
  /** Runs by the number of the node that they wait in, the oldest first. */
  private readonly waiting = new Map<number, LiveActor>();

  private constructor(
    readonly name: string,
    private readonly script: Script,
    private readonly states: StoreStates,
  ) {}

  static async create(name: string, script: Script, states: StoreStates): Promise<Automaton> {
    const automaton = new Automaton(name, script, states);
    automaton.add(await LiveActor.start(script), {
      seen: { active: [], snaps: [], last: undefined },
      path: undefined,
    });
    return automaton;
  }

  /** What the actor is in after a reply, when that is known. */
  known(node: ActorNode, place: number, reply: number): ActorNode | undefined {
    return node.children.get(reply * PLACES + place);
  }

  /** Runs the actor up to a reply that is new. */
  async learn(parent: ActorNode, place: number, reply: number): Promise<ActorNode> {
    const path = { parent, place, reply };
    const live = await this.runTo(parent);
    await live.goOn(place, this.states.reply(reply));
    const child = this.add(live, { seen: this.seenAfter(path), path });
    parent.children.set(reply * PLACES + place, child);
    return child;
  }

  private async runTo(node: ActorNode): Promise<LiveActor> {
    const waiting = this.waiting.get(node.number);
    if (waiting !== undefined) {
      this.waiting.delete(node.number);
      return waiting;
    }
    const live = await LiveActor.start(this.script);
    for (const { place, reply } of pathTo(node)) await live.goOn(place, this.states.reply(reply));
    return live;
  }

  private keep(live: LiveActor, { number }: ActorNode): void {
    if (live.outcome !== undefined) return;
    this.waiting.set(number, live);
    if (this.waiting.size <= MOST_WAITING) return;
    const [oldest] = this.waiting.keys();
    this.waiting.delete(oldest!);
  }

  private add(live: LiveActor, from: Pick<ActorNode, "seen" | "path">): ActorNode {
    const operations = live.pending.map(({ operation }) => this.states.numberOfOperation(operation));
    if (operations.length === 0 && live.outcome === undefined) throw new Error(`${this.name} is stuck`);
    if (operations.length > PLACES) throw new Error(`${this.name} does more at once than is provided for`);
    const node = {
      number: this.nodes.length,
      operations,
      outcome: live.outcome,
      replies: from.path === undefined ? 0 : from.path.parent.replies + 1,
      ...from,
      children: new Map(),
    };
    this.nodes.push(node);
    this.keep(live, node);
    return node;
  }

  private seenAfter({ parent, place, reply }: Path): LastSeen {
    const last = this.states.operation(parent.operations[place]!);
    const seen = { ...parent.seen, last };
    if (last.kind !== "list") return seen;
    const infos = this.states.reply(reply) as readonly ObjectInfo[];
    if (last.prefix === "active/") return { ...seen, active: infos };
    return last.prefix.startsWith("snaps/") ? { ...seen, snaps: infos } : seen;
  }
}

/** The replies that lead to a node, from the first one on. */
export function pathTo(end: ActorNode): Path[] {
  const steps: Path[] = [];
  for (let { path } = end; path !== undefined; path = path.parent.path) steps.push(path);
  return steps.reverse();
}
