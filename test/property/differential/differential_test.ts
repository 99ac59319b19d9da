/**
 * Random chains with the usual mistakes, read by the program and judged by the model: never other bytes than the
 * model's, and no refusal that the model does not call for.
 *
 * ```
 * deno test -A test/property/differential
 * REGRAIN_DEEP=1 REGRAIN_SEED=7 deno test -A test/property/differential
 * REGRAIN_DEEP=1 REGRAIN_DEEP_SHARE=3/8 deno test -A test/property/differential
 * ```
 */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { applyDisk } from "../../../cli/apply/engine.ts";
import { prepareDeltas } from "../../../cli/apply/prepare.ts";
import { openWholeDisk } from "../../../cli/session/whole_disk.ts";
import { Console } from "../../../cli/ui/mod.ts";
import { RegrainError, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import type { Files } from "../../../fixtures/mod.ts";
import { memoryContext, readWhole } from "../../helpers/memory.ts";
import { MemoryTarget } from "../../helpers/memory_target.ts";
import { checkAsync, fc } from "../../helpers/property.ts";
import { peer, testWithPeers, tryRun, withTempDir } from "../../helpers/peers.ts";
import { linkName } from "../../helpers/random_chain.ts";
import { openReference } from "../../helpers/reference.ts";
import { descentFrom, evidenceOfRequest, isRight } from "./expectation.ts";
import { namesGiven, randomRequest, requestIn } from "./request.ts";
import { extentName, filesOf, laidOver, randomWorld, type World } from "./world.ts";

const WORLDS = { runs: 100, full: 2000 };
const WORLDS_FOR_QEMU = { runs: 15, full: 200 };

type Outcome = Uint8Array | RegrainError;

/** Applies onto a raw copy of the base, as large as the newest link. */
async function apply(
  world: World,
  files: Files,
  request: { deltas: readonly string[]; chain: boolean },
): Promise<Outcome> {
  try {
    const prepared = await prepareDeltas({
      ...request,
      target: "target",
      create: false,
      force: false,
      dryRun: false,
    }, memoryContext(files));
    const bytes = new Uint8Array(prepared.disk.sizeBytes);
    bytes.set(laidOver(world, []).subarray(0, bytes.length));
    await applyDisk(prepared.disk, new MemoryTarget(bytes), { sparse: "auto" });
    return bytes;
  } catch (error) {
    if (error instanceof RegrainError) return error;
    throw error;
  }
}

/** Reads a chain as the commands do that read a whole disk. */
async function readChain(leaf: string, files: Files): Promise<Outcome> {
  const session = { context: memoryContext(files), console: new Console({ quiet: true }) };
  try {
    return await readWhole(await openWholeDisk(leaf, session, {}), 100_003);
  } catch (error) {
    if (error instanceof RegrainError) return error;
    throw error;
  }
}

function tell(world: World, about: unknown): string {
  const { cids, hints, bare, base, chain } = world;
  return JSON.stringify({ cids, hints, bare, base, kinds: chain.links.map(({ kind }) => kind), about });
}

function assertBytes(found: Uint8Array, expected: Uint8Array, about: string): void {
  assert.equal(found.length, expected.length, about);
  assert.equal(Buffer.compare(found, expected), 0, `wrong bytes: ${about}`);
}

Deno.test("a list of deltas is applied where the files prove it, and refused where they do not", async () => {
  const tally = { worlds: 0, right: 0, refused: 0, undetectable: 0 };
  await checkAsync(
    fc.asyncProperty(randomWorld, randomRequest, async (world, seeds) => {
      tally.worlds++;
      const request = requestIn(world, seeds);
      const evidence = evidenceOfRequest(world, request);
      const deltas = namesGiven(world, request);
      const outcome = await apply(world, filesOf(world), { deltas, chain: false });
      const about = tell(world, { ...request, evidence, outcome: String(outcome).slice(0, 200) });
      if (outcome instanceof RegrainError) {
        assert.ok(evidence === "refuted" || evidence === "unknown", `refused: ${about}`);
        assert.ok(["CHAIN_BROKEN", "USAGE"].includes(outcome.code), about);
        tally.refused++;
      } else {
        assert.ok(evidence === "proven" || evidence === "rising", `not refused: ${about}`);
        assertBytes(outcome, laidOver(world, request.given), about);
        // What the files do not tell nobody can know: an oldest link that is missing below a raw target, a gap in the
        // numbers of bare extents, a hint that lies.
        if (isRight(request)) tally.right++;
        else tally.undetectable++;
      }
    }),
    WORLDS,
  );
  console.log(tally);
});

Deno.test("a chain is read, and applied, where the files prove it, and refused where they do not", async () => {
  const tally = { worlds: 0, right: 0, refused: 0, undetectable: 0, reference: 0 };
  await checkAsync(
    fc.asyncProperty(randomWorld, async (world) => {
      tally.worlds++;
      const leaf = linkName(world.chain.links.length - 1);
      const files = filesOf(world);
      const descent = descentFrom(world, world.chain.links.length - 1);
      const outcomes = [
        await readChain(leaf, files),
        await apply(world, files, { deltas: [leaf], chain: true }),
      ];
      for (const outcome of outcomes) {
        const about = tell(world, { descent, outcome: String(outcome).slice(0, 200) });
        if (outcome instanceof RegrainError) {
          assert.ok(descent === undefined || descent.evidence === "refuted", `refused: ${about}`);
          tally.refused++;
          continue;
        }
        assert.ok(descent?.evidence === "proven", `not refused: ${about}`);
        const positions = [...descent.positions].reverse();
        assertBytes(outcome, laidOver(world, positions), about);
        if (assertSecondReader(outcome, files, { leaf, about })) tally.reference++;
        if (positions.length === world.chain.links.length) tally.right++;
        else tally.undetectable++;
      }
    }),
    WORLDS,
  );
  console.log(tally);
});

/** True when the second reader takes the chain too; it then has the same bytes. */
function assertSecondReader(found: Uint8Array, files: Files, at: { leaf: string; about: string }): boolean {
  const second = openReference(files, at.leaf);
  if (!second.ok) return false;
  const bytes = new Uint8Array(second.disk.capacitySectors * SECTOR_SIZE);
  second.disk.readInto(bytes, 0);
  assertBytes(found, bytes, `the second reader: ${at.about}`);
  return true;
}

/** Names of what is never a disk alone. */
const ALONE = /-(?:s\d{3}|delta|sesparse)\.vmdk$/;

Deno.test("a piece of a split base, or a delta, is never taken for a whole disk", async () => {
  await checkAsync(
    fc.asyncProperty(
      randomWorld.filter(({ chain }) => chain.baseSectors > 1),
      fc.nat(),
      async (world, at) => {
        const files = filesOf(world);
        const alone = Object.keys(files).filter((name) => ALONE.test(name));
        const name = alone[at % alone.length];
        if (name === undefined) return;
        const outcome = await readChain(name, { [name]: files[name]! });
        assert.ok(outcome instanceof RegrainError, `${name} was read alone: ${tell(world, {})}`);
      },
    ),
    WORLDS,
  );
});

Deno.test("two directory entries with one table are refused, whatever else the chain is", async () => {
  const world = randomWorld.map((world): World => ({ ...world, cids: "own", bare: [], hints: NAMES }));
  await checkAsync(
    fc.asyncProperty(world, async (world) => {
      const files = filesOf(world);
      const shared = world.chain.links.findIndex((link, position) =>
        link.kind === "hosted" && shareTable(files[extentName(world, position)]!)
      );
      if (shared < 0) return;
      const leaf = linkName(world.chain.links.length - 1);
      const outcome = await apply(world, files, { deltas: [leaf], chain: true });
      assert.ok(outcome instanceof RegrainError, `not refused: ${tell(world, { shared })}`);
      assert.equal(outcome.code, "DAMAGED");
    }),
    WORLDS,
  );
});

const NAMES = ["name", "name", "name", "name", "name"] as const;

/** Lets the second directory entry of a hosted sparse file name the table of the first, in both directories. */
function shareTable(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const directories = [48, 56].map((at) => Number(view.getBigUint64(at, true)) * SECTOR_SIZE).filter(Boolean);
  const sound = directories.every((at) => view.getUint32(at, true) > 0 && view.getUint32(at + 4, true) > 0);
  if (!sound) return false;
  for (const at of directories) view.setUint32(at + 4, view.getUint32(at, true), true);
  return true;
}

testWithPeers("qemu-img reads the same of what it can read", ["qemu-img"], async () => {
  const tally = { same: 0, refusedByQemu: 0 };
  const world = randomWorld.map((world): World => ({
    ...world,
    cids: world.cids === "other" ? "own" : world.cids,
    bare: [],
    hints: NAMES,
  })).filter(isReadRightByQemu);
  await checkAsync(
    fc.asyncProperty(world, (world) =>
      withTempDir(async (folder) => {
        const files = filesOf(world);
        for (const [name, bytes] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, bytes);
        const leaf = linkName(world.chain.links.length - 1);
        const found = await readChain(leaf, files);
        assert.ok(!(found instanceof RegrainError), `refused: ${tell(world, { found: String(found) })}`);
        const out = `${folder}/out.raw`;
        const ran = tryRun(peer("qemu-img")!, [
          "convert",
          "-f",
          "vmdk",
          "-O",
          "raw",
          `${folder}/${leaf}`,
          out,
        ]);
        if (ran.code !== 0) tally.refusedByQemu++;
        else {
          assertBytes(found, Deno.readFileSync(out), tell(world, {}));
          tally.same++;
        }
      })),
    WORLDS_FOR_QEMU,
  );
  console.log(tally);
  assert.ok(tally.same > 0);
});

/**
 * What qemu-img reads wrong, or not at all: entry 1 of a COWD file is taken for a place; a grain is read on past the
 * end of its extent, into what is another extent's; grown disks are refused.
 */
function isReadRightByQemu({ base, chain }: World): boolean {
  return base !== "split-sparse" &&
    chain.links.every(({ kind, spec, hosted }) =>
      spec.capacitySectors === chain.baseSectors && hosted.tableEntries === 512 &&
      (kind !== "cowd" || spec.grains.every((grain) => grain.kind !== "zero"))
    );
}
