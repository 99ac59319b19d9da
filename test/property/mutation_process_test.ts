/**
 * The same damage, seen by whoever runs the program: exit statuses, and a target that stays as it was when an apply
 * is refused. `REGRAIN_PROCESS_MUTATIONS` and `REGRAIN_SEED` scale and vary it, `REGRAIN_MUTANT` repeats one.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { regrainCommand } from "../helpers/cli.ts";
import { applyReference } from "../helpers/reference.ts";
import { countOf } from "../helpers/tiers.ts";
import { type MutationBase, mutationBases } from "./mutation_bases.ts";
import { nameOf, planMutants, type PlannedMutant, seedOf } from "./mutation_plan.ts";
import { mutate } from "./mutations.ts";

/** A process takes a third of a second: a share of them is what `deno task test` has time for. */
const COUNT = Number(Deno.env.get("REGRAIN_PROCESS_MUTATIONS") ?? countOf({ share: 54, full: 240 }));
const SEED = Number(Deno.env.get("REGRAIN_SEED") ?? "1");
const ONLY = Deno.env.get("REGRAIN_MUTANT");
/** Processes at a time. */
const LANES = 2;
/** Sound, damage found, input not usable, links that do not belong together. */
const CHECK_EXITS = [0, 1, 4, 5];
const APPLY_EXITS = [0, 4, 5];

/** Disks of one file or of one delta: what `apply` takes without a chain. */
const NAMES = [
  "cowd-grain-8-slack",
  "sesparse-all-kinds",
  "hosted-version-1",
  "hosted-version-2-not-redundant",
  "hosted-child-in-one-file",
  "stream-footer",
  "stream-front-without-markers",
  "split-sparse",
  "descriptors",
];

interface Exit {
  readonly code: number;
  readonly stderr: string;
}

async function run(args: readonly string[], cwd: string): Promise<Exit> {
  const { code, stderr } = await regrainCommand(args, { cwd, stdout: "null", stderr: "piped" }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

/** What the delta is applied onto: the base before anything was damaged, or a disk full of something else. */
function targetOf(base: MutationBase): Uint8Array {
  return base.files["disk-flat.vmdk"] ?? new Uint8Array(base.expected.length).fill(0xa5);
}

/** @returns what is wrong, or `undefined`. */
async function judgeProcess(
  planned: PlannedMutant,
  mutant: ReturnType<typeof mutate>,
): Promise<string | undefined> {
  const { base } = planned;
  const folder = await Deno.makeTempDir({ prefix: "regrain-mutation-" });
  try {
    for (const [name, bytes] of Object.entries(mutant.files)) {
      await Deno.writeFile(`${folder}/${name}`, bytes);
    }
    await Deno.mkdir(`${folder}/out`);
    const target = targetOf(base);
    await Deno.writeFile(`${folder}/out/target.img`, target);
    const check = await run(["check", "--chain", base.leaf, "--json"], folder);
    if (!CHECK_EXITS.includes(check.code)) return `check ended with ${check.code}: ${check.stderr}`;
    const apply = await run(["apply", base.leaf, "out/target.img", "--json", "--progress", "none"], folder);
    if (!APPLY_EXITS.includes(apply.code)) return `apply ended with ${apply.code}: ${apply.stderr}`;
    const after = await Deno.readFile(`${folder}/out/target.img`);
    if (apply.code !== 0) return equal(after, target) ? undefined : "a refused apply changed the target";
    if (equal(after, base.expected)) return undefined;
    const reading = applyReference(mutant.files, base.leaf, target);
    if (!reading.ok) return `apply accepted damage: ${reading.why}`;
    return equal(after, reading.bytes) ? undefined : "apply wrote wrong bytes";
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

Deno.test("the exit status tells of the damage, and a refused apply leaves its target alone", async () => {
  const all = mutationBases();
  const pool = all.flatMap(({ files }) => Object.values(files));
  const texts = pool.filter(({ length }) => length < 4096).map((bytes) => new TextDecoder().decode(bytes));
  const bases = all.filter(({ name }) => NAMES.includes(name));
  const plan = planMutants(bases, COUNT).filter((planned) => ONLY === undefined || nameOf(planned) === ONLY);
  const failures: string[] = [];
  let next = 0;
  const lane = async () => {
    while (next < plan.length) {
      const planned = plan[next++]!;
      const mutant = mutate(planned.base, { seed: seedOf(planned, SEED), pool, texts });
      const wrong = await judgeProcess(planned, mutant);
      if (wrong !== undefined) failures.push(`${nameOf(planned)} (${mutant.changes.join("; ")}): ${wrong}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  assert.ok(
    failures.length === 0,
    `REGRAIN_SEED=${SEED}: ${failures.length} mutants\n${failures.join("\n")}`,
  );
});
