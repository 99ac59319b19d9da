/**
 * The code of backups and collections through every order in which their operations on a store can come about. A kill
 * needs no step of its own: every state on the way is looked at, and from there nobody need ever move again.
 *
 * `REGRAIN_DEEP=1` adds the large explorations, which take minutes, and with `REGRAIN_DEEP_SHARE=3/8` a part of them.
 */
import assert from "node:assert/strict";
import { Rng } from "../../fixtures/mod.ts";
import { LEASE_MS } from "../../cli/backup/signs/intents.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { ONLY_DEEP, PART, type Part } from "../helpers/tiers.ts";
import { type Actors, explore, type Explored, type PartOfStates } from "./explorer.ts";
import { Invariants, type Objects } from "./invariants.ts";
import { assertRecoversFrom } from "./recovery.ts";
import { everything, type Projection, whatMatters, whatMattersLater } from "./projections.ts";
import {
  forgetsTheDead,
  looksOnce,
  readsParentFirst,
  saysNothing,
  trustsItsIntent,
  trustsTheDead,
  usesCondemnedNames,
  waitsForNobody,
} from "./sabotage.ts";
import { Scenario } from "./scenario.ts";
import { type Outcome, type Script, withHashingInThisThread } from "./steps.ts";
import { NOW_MS, type StoreStates } from "./store_states.ts";

const MOST_STATES = 100_000_000;
/** One disk with a chunk, and the chunk that a pruned snapshot left. */
const scenario = await withHashingInThisThread(() => Scenario.create({ old: "a.", garbage: [".c"] }));

/** Keeps the old chunk, and writes again what is garbage. */
const backup = scenario.backup(1, { disk: "ac", touched: [1] });
/** Of the same disk: writes over the old chunk, and keeps the other, which is garbage or the other backup's. */
const sibling = scenario.backup(2, { disk: "dc", touched: [0] });
const collector = scenario.collector(3);
const secondCollector = scenario.collector(4);
const prune = scenario.pruner();
const expiry = scenario.expirer(5);

/** Long after everything else: it tidies away what is a day old. */
const lateCollector = scenario.collector(6, { nowMs: NOW_MS + LEASE_MS + 1 });

/** A backup is taken for dead, and then others do their work, one after the other. */
function succession(...scripts: readonly Script[]): Script {
  return async (means) => {
    let outcome: Outcome = await expiry(means);
    for (const script of scripts) outcome = await script(means);
    return outcome;
  };
}

function objectsOf(states: StoreStates, store: number): Objects {
  const content = states.content(store);
  return { numberOf: (key) => content.get(key), bytesOf: (number) => states.object(number) };
}

async function run(
  actors: Actors,
  { show = whatMatters, mayFail = false, part }: {
    show?: Projection;
    mayFail?: boolean;
    part?: PartOfStates;
  } = {},
): Promise<Explored> {
  const invariants = new Invariants(scenario.oldKey);
  return await withHashingInThisThread(() =>
    explore({
      actors,
      start: scenario.start,
      show,
      most: MOST_STATES,
      ...part === undefined ? {} : { part },
      judge: (states, store, outcomes) => {
        const failed = outcomes.find((outcome) => outcome?.kind === "failed");
        if (failed?.kind === "failed" && !mayFail) {
          return Promise.resolve(`an actor failed: ${failed.reason}`);
        }
        return invariants.judge(objectsOf(states, store), outcomes);
      },
    })
  );
}

function print(name: string, { states, stores, endings, runs, elapsedMs, outcomes }: Explored): void {
  const said = [...outcomes].map(([what, count]) => `${what} (${count})`).join("; ");
  const seconds = (elapsedMs / 1000).toFixed(1);
  console.log(
    `${name}: ${states} states, ${stores} stores, ${runs} runs, ${endings} endings, ${seconds} s; ${said}`,
  );
}

/** Every state is sound, and every schedule ends. */
async function assertSafe(
  name: string,
  actors: Actors,
  { show = whatMatters, part }: { show?: Projection; part?: PartOfStates } = {},
): Promise<Explored> {
  const explored = await run(actors, { show, ...part === undefined ? {} : { part } });
  print(part === undefined ? name : `${name}, part ${part.number} of ${part.of}`, explored);
  const { violation } = explored;
  assert.equal(violation, undefined, `${violation?.what}\n${violation?.trace.join("\n")}`);
  return explored;
}

/** Without a rule, something that was promised is lost; the shortest way there is printed. */
async function assertLost(rule: string, actors: Actors, show = whatMatters): Promise<void> {
  const { violation, states } = await run(actors, { show, mayFail: true });
  assert.ok(violation, `${rule}: nothing is lost in ${states} states`);
  assert.match(violation.what, /success was reported, and .* is missing or damaged/);
  console.log(`${rule}: lost after ${violation.trace.length} steps, ${states} states: ${violation.what}`);
}

const SMALL: Readonly<Record<string, Actors>> = {
  "1 backup, 1 collection": { backup, collector },
  "1 backup, 1 collection, prune": { backup, collector, prune },
  "1 backup, 1 collection, expiry": { backup, collector, expiry },
  "1 backup, 1 collection that does not wait, prune": {
    backup,
    collector: scenario.collector(3, { waitMs: 0 }),
    prune,
  },
  "1 backup, 2 collections": { backup, collector, secondCollector },
  "2 backups, 1 collection": { backup, sibling, collector },
  "1 backup, and an expiry, a collection and a backup in a row": {
    backup,
    succession: succession(collector, sibling),
  },
};

const LARGE: Readonly<Record<string, Actors>> = {
  "1 backup, 1 collection, prune, expiry": { backup, collector, prune, expiry },
  "1 backup, 2 collections, prune": { backup, collector, secondCollector, prune },
  "2 backups, 1 collection, expiry": { backup, sibling, collector, expiry },
};

/** After so many replies the parts are of much the same size, and little comes before them. */
function partBy(actor: string, part: Part): PartOfStates {
  return { actor, replies: 12, ...part };
}

for (const [name, actors] of Object.entries(SMALL)) {
  Deno.test(`every interleaving keeps what was promised: ${name}`, async () => {
    const explored = await assertSafe(name, actors);
    await assertRecovers(explored, { samples: 60, seed: 7 });
  });
}

for (const [name, actors] of Object.entries(LARGE)) {
  Deno.test({ name: `every interleaving keeps what was promised: ${name}`, ...ONLY_DEEP }, async () => {
    const explored = await assertSafe(name, actors, { part: partBy("collector", PART) });
    await assertRecovers(explored, { samples: 300, seed: 8 });
  });
}

Deno.test("every interleaving keeps what was promised, though signs are tidied away", async () => {
  await assertSafe("1 backup, 1 collection with a clock ahead", { backup, lateCollector }, {
    show: everything,
  });
  const inARow = { backup, succession: succession(collector, lateCollector) };
  await assertSafe("1 backup, an expiry and two collections in a row", inARow, { show: whatMattersLater });
});

Deno.test("showing actors only what matters to them hides no outcome", async () => {
  for (const actors of [{ backup, collector }, { backup, collector, prune }]) {
    const whole = await run(actors, { show: everything });
    const reduced = await run(actors);
    assert.ok(reduced.states < whole.states);
    assert.equal(whole.violation, undefined);
    assert.equal(reduced.stores, whole.stores);
    assert.deepEqual([...reduced.outcomes.keys()].sort(), [...whole.outcomes.keys()].sort());
  }
});

Deno.test("the parts of an exploration are all of it", async () => {
  const actors = { backup, collector, prune };
  const whole = await run(actors);
  const parts: Explored[] = [];
  for (const number of [1, 2, 3]) {
    parts.push(await run(actors, { part: partBy("collector", { number, of: 3 }) }));
  }
  const sum = (of: (explored: Explored) => number) => parts.reduce((total, part) => total + of(part), 0);
  assert.equal(sum(({ endings }) => endings), whole.endings);
  for (const [outcome, count] of whole.outcomes) {
    assert.equal(sum(({ outcomes }) => outcomes.get(outcome) ?? 0), count, outcome);
  }
  for (const { states } of parts) assert.ok(states < whole.states * 0.8);
});

Deno.test("without any one of its rules, the protocol loses what was promised", async () => {
  await assertLost("condemned names are used", { backup: usesCondemnedNames(backup), collector });
  await assertLost("no list of what is condemned", { backup, collector: saysNothing(collector) });
  await assertLost("nobody is waited for", { backup, collector: waitsForNobody(collector) });
  await assertLost("no second look", { backup, collector: looksOnce(collector) });
  await assertLost("the intent is not checked", { backup: trustsItsIntent(backup), collector, expiry });
  await assertLost("the parent is read first", { backup: readsParentFirst(backup), collector, prune });
  await assertLost("a dead backup's manifest is a parent", {
    backup,
    succession: succession(collector, trustsTheDead(sibling)),
  });
  const forgetful = { backup, succession: succession(forgetsTheDead(collector), sibling) };
  await assertLost("that a backup was taken for dead is forgotten", forgetful, whatMattersLater);
});

/** From states where everybody was killed at once, drawn by lot. */
async function assertRecovers(
  explored: Explored,
  { samples, seed }: { samples: number; seed: number },
): Promise<void> {
  const rng = new Rng(seed);
  await withHashingInThisThread(async () => {
    for (let i = 0; i < samples; i++) {
      const row = rng.int(explored.states);
      const { objects, outcomes } = explored.sample(row);
      const store = new MemoryStore({ objects, nowMs: () => NOW_MS });
      await assertRecoversFrom(store, { scenario, disk: "ec", outcomes, message: `state ${row}` });
    }
  });
}
