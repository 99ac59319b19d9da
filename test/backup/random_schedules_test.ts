/**
 * Random schedules at a size that no exploration comes through: three backups, two collections, a prune, expiries, and
 * kills. `REGRAIN_SEED` starts at another schedule, `REGRAIN_SCHEDULES` says how many.
 */
import assert from "node:assert/strict";
import { Rng } from "../../fixtures/mod.ts";
import type { ObjectInfo } from "../../core-as/host/repo/mod.ts";
import { LEASE_MS } from "../../cli/backup/signs/intents.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { countOf } from "../helpers/tiers.ts";
import { liveIntents, wakes } from "./explorer.ts";
import { Invariants, objectsIn } from "./invariants.ts";
import { assertRecoversFrom } from "./recovery.ts";
import { Scenario } from "./scenario.ts";
import {
  describe,
  LiveActor,
  type Operation,
  type Outcome,
  type Reply,
  type Script,
  withHashingInThisThread,
} from "./steps.ts";
import { NOW_MS } from "./store_states.ts";

const FIRST_SEED = Number(Deno.env.get("REGRAIN_SEED") ?? 2026);
const SCHEDULES = Number(Deno.env.get("REGRAIN_SCHEDULES") ?? countOf({ share: 300, full: 5000 }));
const CHUNKS = 8;
const LETTERS = "abcdefgh..";

const scenario = await withHashingInThisThread(() =>
  Scenario.create({ old: "abcd.ab.", garbage: ["efgh....", "..ab..gh"] })
);

interface Actor {
  readonly name: string;
  readonly live: LiveActor;
  active: readonly ObjectInfo[];
  snaps: readonly ObjectInfo[];
  isDead: boolean;
}

function randomBackup(rng: Rng, actor: number): Script {
  const disk = Array.from({ length: CHUNKS }, () => LETTERS[rng.int(LETTERS.length)]).join("");
  const touched = Array.from({ length: CHUNKS }, (_, i) => i).filter(() => rng.int(3) === 0);
  return scenario.backup(actor, { disk, touched });
}

function randomCollector(rng: Rng, actor: number): Script {
  const waitMs = rng.int(4) === 0 ? { waitMs: 0 } : {};
  return scenario.collector(actor, { ...waitMs, nowMs: NOW_MS + (rng.int(3) === 0 ? LEASE_MS + 1 : 0) });
}

class Schedule {
  readonly trace: string[] = [];
  private readonly store = new MemoryStore({ objects: scenario.start, nowMs: () => NOW_MS });
  private readonly actors: Actor[] = [];
  private readonly rng: Rng;
  private readonly invariants = new Invariants(scenario.oldKey);

  constructor(private readonly seed: number) {
    this.rng = new Rng(seed);
  }

  async run(): Promise<void> {
    await this.start();
    for (;;) {
      const moves = this.actors.flatMap((actor) => this.movesOf(actor));
      if (moves.length === 0) break;
      const { actor, place } = this.pick(moves);
      await this.step(actor, place);
      if (this.rng.int(150) === 0) {
        actor.isDead = true;
        this.trace.push(`${actor.name} is killed`);
      }
    }
    await this.finish();
  }

  outcomes(): (Outcome | undefined)[] {
    return this.actors.map(({ live }) => live.outcome);
  }

  private async start(): Promise<void> {
    const { rng } = this;
    const scripts: [string, Script][] = [
      ["backup 1", randomBackup(rng, 1)],
      ["backup 2", randomBackup(rng, 2)],
      ["backup 3", randomBackup(rng, 3)],
      ["collection 1", randomCollector(rng, 4)],
      ["collection 2", randomCollector(rng, 5)],
      ["prune", scenario.pruner()],
      ["expiry 1", scenario.expirer(6)],
      ["expiry 2", scenario.expirer(7)],
    ];
    for (const [name, script] of scripts) {
      this.actors.push({ name, live: await LiveActor.start(script), active: [], snaps: [], isDead: false });
    }
  }

  /** One actor is preferred for a while, so that long stretches of one happen too. */
  private favourite: Actor | undefined;

  private pick(moves: readonly { actor: Actor; place: number }[]): { actor: Actor; place: number } {
    if (this.rng.int(6) === 0) this.favourite = this.actors[this.rng.int(this.actors.length)];
    const preferred = moves.filter(({ actor }) => actor === this.favourite);
    const from = preferred.length > 0 ? preferred : moves;
    return from[this.rng.int(from.length)]!;
  }

  private movesOf(actor: Actor): { actor: Actor; place: number }[] {
    if (actor.isDead) return [];
    const places = actor.live.pending.map(({ operation }, place) => ({ operation, place }));
    return places.filter(({ operation }) => this.isPossible(operation, actor)).map(({ place }) => ({
      actor,
      place,
    }));
  }

  private isPossible({ kind }: Operation, actor: Actor): boolean {
    if (kind === "sleep") return wakes(this.store.objects, actor);
    return kind !== "choose" || liveIntents(this.store.objects).length > 0;
  }

  private async step(actor: Actor, place: number): Promise<void> {
    const { operation } = actor.live.pending[place]!;
    const reply = await this.perform(operation);
    if (operation.kind === "list" && operation.prefix === "active/") {
      actor.active = reply as readonly ObjectInfo[];
    }
    if (operation.kind === "list" && operation.prefix === "snaps/") {
      actor.snaps = reply as readonly ObjectInfo[];
    }
    this.trace.push(`${actor.name}: ${describe(operation)} -> ${told(reply)}`);
    await actor.live.goOn(place, reply);
    const { outcome } = actor.live;
    if (outcome !== undefined) this.trace.push(`${actor.name} => ${JSON.stringify(outcome)}`);
    if (outcome?.kind === "failed") assert.fail(this.explain("an actor failed"));
    const changes = operation.kind === "remove" || operation.kind === "put" || outcome !== undefined;
    if (changes) await this.check();
  }

  private async perform(operation: Operation): Promise<Reply> {
    switch (operation.kind) {
      case "put":
        return await this.store.put(operation.key, operation.bytes, { ifAbsent: operation.ifAbsent });
      case "get":
        return await this.store.get(operation.key, Infinity);
      case "head":
        return await this.store.head(operation.key);
      case "remove":
        return void await this.store.remove([operation.key]);
      case "list":
        return await Array.fromAsync(this.store.list(operation.prefix));
      case "sleep":
        return undefined;
      case "choose": {
        const ids = liveIntents(this.store.objects);
        return ids[this.rng.int(ids.length)];
      }
    }
  }

  private async check(): Promise<void> {
    const problem = await this.invariants.judge(objectsIn(this.store), this.outcomes());
    if (problem !== undefined) assert.fail(this.explain(problem));
  }

  private async finish(): Promise<void> {
    const outcomes = this.outcomes();
    const message = this.explain("afterwards");
    await assertRecoversFrom(this.store, { scenario, disk: "habcdefg", outcomes, message });
  }

  private explain(what: string): string {
    return `${what}, in the schedule REGRAIN_SEED=${this.seed} REGRAIN_SCHEDULES=1:\n${
      this.trace.join("\n")
    }`;
  }
}

function told(reply: Reply): string {
  if (reply instanceof Uint8Array) return "found";
  if (Array.isArray(reply)) return `[${reply.map(({ key }) => key).join(" ")}]`;
  return typeof reply === "string" ? reply : reply === undefined ? "none" : "found";
}

Deno.test("random schedules of backups, collections, a prune, expiries and kills keep what was promised", async () => {
  const startedMs = performance.now();
  const tally = { steps: 0, backedUp: 0, restarts: 0, unfinished: 0 };
  await withHashingInThisThread(async () => {
    for (let i = 0; i < SCHEDULES; i++) {
      const schedule = new Schedule(FIRST_SEED + i);
      await schedule.run();
      tally.steps += schedule.trace.length;
      for (const outcome of schedule.outcomes()) {
        if (outcome === undefined) tally.unfinished++;
        if (outcome?.kind === "backed up") {
          tally.backedUp++;
          tally.restarts += outcome.restarts;
        }
      }
    }
  });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(
    `random schedules: ${SCHEDULES} from seed ${FIRST_SEED}, ${JSON.stringify(tally)}, ${seconds} s`,
  );
  assert.ok(tally.backedUp > SCHEDULES && tally.unfinished > 0);
});
