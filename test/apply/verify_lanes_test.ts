/**
 * `apply --verify` in two lanes finds what one lane finds: what is wrong, where it begins and how much it is, whichever
 * of the two looked at it.
 *
 * Which lane gets which stripe is chance, and here it must not be. So the first lane waits in its first stripe, at the
 * zeros that stand there, until the second lane has got as far as a test wants it to.
 */
import assert from "node:assert/strict";
import {
  Disk,
  MIB,
  openLink,
  plural,
  RegrainError,
  type Run,
  SECTOR_SIZE,
  type Target,
} from "../../core-as/host/mod.ts";
import { applyDisk } from "../../cli/apply/engine.ts";
import {
  type LaneForHire,
  type LaneJob,
  type LaneTasks,
  SecondLane,
  type VerifiedPart,
} from "../../cli/apply/lanes.ts";
import { type Verification, verifyTarget } from "../../cli/apply/verify.ts";
import { WrappedTarget } from "../../cli/target/wrapped_target.ts";
import { createContext } from "../../cli/context.ts";
import { pickIo } from "../../cli/io/mod.ts";
import {
  BASE_CID,
  buildCowd,
  buildDescriptor,
  dataGrains,
  deltaFiles,
  type Grain,
  type LinkSpec,
  pattern,
  sequence,
} from "../../fixtures/mod.ts";
import { regrainExits } from "../helpers/cli.ts";
import { inTime } from "../helpers/hangs.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";

const STRIPE_BYTES = 32 * MIB;
const STRIPES = 8;
const CAPACITY = STRIPES * STRIPE_BYTES / SECTOR_SIZE;
const GRAIN_BYTES = 4096;
const STRIPE_GRAINS = STRIPE_BYTES / GRAIN_BYTES;
const DELTA = "disk-000001.vmdk";

/** Data at both ends of every stripe, and zeros after the first of it; the full stripes are data all through. */
function linkWith(fullStripes: readonly number[]): LinkSpec {
  const grains = Array.from({ length: STRIPES }, (_, stripe): Grain[] => {
    const from = stripe * STRIPE_GRAINS;
    if (fullStripes.includes(stripe)) return dataGrains(sequence({ from, count: STRIPE_GRAINS }));
    const [begin, end] = dataGrains([from, from + STRIPE_GRAINS - 1]);
    return [begin!, { index: from + 1, kind: "zero" }, end!];
  });
  return {
    capacitySectors: CAPACITY,
    grainSectors: GRAIN_BYTES / SECTOR_SIZE,
    seed: 11,
    grains: grains.flat(),
  };
}

function writeDelta(folder: string, link: LinkSpec): void {
  const { bytes } = buildCowd(link);
  const files = deltaFiles({ kind: "cowd", bytes, capacitySectors: CAPACITY });
  for (const [name, content] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, content);
}

/** How far the second lane gets while the first waits in its first stripe. */
type Lead = "to the end" | "one stripe";

/** The second lane; it begins when the first is in its first stripe, and lets that go on when it has its lead. */
class LeadingLane extends SecondLane {
  /** What it found itself. */
  part: VerifiedPart | undefined;
  readonly #firstWaits = Promise.withResolvers<void>();
  readonly #hasLead = Promise.withResolvers<void>();

  constructor(private readonly lead: Lead) {
    super();
  }

  /** For the first lane. */
  async lookOn(): Promise<void> {
    this.#firstWaits.resolve();
    await this.#hasLead.promise;
  }

  override async run<T extends keyof LaneTasks>(job: LaneJob & { readonly task: T }): Promise<LaneTasks[T]> {
    await this.#firstWaits.promise;
    try {
      const result = super.run(job);
      if (this.lead === "one stripe") await untilTaken(job.shared, 2);
      else await result;
      this.#hasLead.resolve();
      this.part = await result as VerifiedPart;
      return await result;
    } finally {
      this.#hasLead.resolve();
    }
  }
}

/** Both lanes take their stripes by counting the first word of what they share. */
async function untilTaken(shared: SharedArrayBuffer, stripes: number): Promise<void> {
  const taken = new Int32Array(shared, 0, 1);
  let hasEnded = false;
  const arrival = async () => {
    while (!hasEnded && Atomics.load(taken, 0) < stripes) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await inTime("the second lane, which is to take a stripe", arrival()).finally(() => hasEnded = true);
}

/** The target as the first lane sees it: where its holes are is told when the second lane has its lead. */
class WaitingTarget extends WrappedTarget {
  /** Stripes that the first lane has looked at; the full one has no zeros and does not show. */
  readonly stripes: number[] = [];
  override readonly runs: (fromBytes: number, toBytes: number) => Promise<Run[]>;

  constructor(target: Target, second: LeadingLane) {
    super(target);
    this.runs = async (fromBytes, toBytes) => {
      this.stripes.push(Math.floor(fromBytes / STRIPE_BYTES));
      await second.lookOn();
      return await target.runs!(fromBytes, toBytes);
    };
  }
}

/** A target that a delta was applied to, open. */
interface Applied {
  readonly disk: Disk;
  readonly target: Target;
  readonly job: LaneForHire["job"];
}

async function withApplied(folder: string, work: (applied: Applied) => Promise<void>): Promise<void> {
  const request = { deltas: [`${folder}/${DELTA}`], target: `${folder}/vm.img`, chain: false, force: false };
  const io = pickIo();
  const context = createContext(io, {});
  const disk = new Disk(context.core, [await openLink(request.deltas[0]!, context, "delta")]);
  const target = io.openTarget(request.target, { create: { sizeBytes: disk.sizeBytes }, force: false });
  try {
    await applyDisk(disk, target, { sparse: "auto" });
    await target.flush();
    const { names, ignoreJournal, format } = context;
    await work({
      disk,
      target,
      job: { request: { ...request, create: false, dryRun: false }, names, ignoreJournal, format },
    });
  } finally {
    target.close();
    disk.close();
  }
}

/** What was found in two lanes, and who found it. */
interface InLanes {
  readonly outcome: Verification | RegrainError;
  readonly firstStripes: readonly number[];
  readonly second: VerifiedPart;
}

async function verifyInTwo({ disk, target, job }: Applied, lead: Lead): Promise<InLanes> {
  const lane = new LeadingLane(lead);
  try {
    const waiting = new WaitingTarget(target, lane);
    const outcome = await outcomeOf(verifyTarget(disk, waiting, { hash: false, second: { lane, job } }));
    return { outcome, firstStripes: waiting.stripes, second: lane.part! };
  } finally {
    lane.close();
  }
}

async function outcomeOf(work: Promise<Verification>): Promise<Verification | RegrainError> {
  try {
    return await work;
  } catch (error) {
    assert.ok(error instanceof RegrainError, String(error));
    return error;
  }
}

/** Bytes of the target that are no more what was written. */
interface Damage {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Turns every bit over; doing it twice undoes it. */
function flip(path: string, damages: readonly Damage[]): void {
  using file = Deno.openSync(path, { read: true, write: true });
  for (const { offsetBytes, lengthBytes } of damages) {
    const bytes = new Uint8Array(lengthBytes);
    file.seekSync(offsetBytes, Deno.SeekMode.Start);
    assert.equal(file.readSync(bytes), lengthBytes);
    file.seekSync(offsetBytes, Deno.SeekMode.Start);
    assert.equal(file.writeSync(bytes.map((byte) => byte ^ 0xff)), lengthBytes);
  }
}

function assertTells(outcome: Verification | RegrainError, damages: readonly Damage[]): void {
  assert.ok(outcome instanceof RegrainError, "nothing was found");
  assert.deepEqual([outcome.code, outcome.exit], ["VERIFY_FAILED", 6]);
  assert.equal(outcome.offsetBytes, Math.min(...damages.map(({ offsetBytes }) => offsetBytes)));
  const bytes = sumOf(damages.map(({ lengthBytes }) => lengthBytes));
  const blocks = new Set(damages.flatMap(({ offsetBytes, lengthBytes }) => {
    const from = Math.floor(offsetBytes / 4096);
    return sequence({ from, count: Math.floor((offsetBytes + lengthBytes - 1) / 4096) - from + 1 });
  })).size;
  const counted = `${plural(bytes, "byte")} in ${plural(blocks, "block")} of 4 KiB`;
  assert.ok(outcome.message.includes(counted), `${outcome.message}; not: ${counted}`);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

const S = STRIPE_BYTES;
/** Where the target is damaged; `second` is how many bytes of it the second lane must have found. */
const CASES: readonly {
  readonly name: string;
  readonly damages: readonly (readonly [offsetBytes: number, lengthBytes: number])[];
  readonly second: number;
}[] = [
  { name: "only of the first lane", damages: [[0, 1], [S - 4096, 4096]], second: 0 },
  { name: "only of the second lane", damages: [[5 * S + 7, 1], [7 * S, 99]], second: 100 },
  { name: "of both lanes", damages: [[4095, 1], [3 * S, 4096], [6 * S, 1]], second: 4097 },
  { name: "where the stripes of the lanes meet", damages: [[S - 1, 2]], second: 1 },
  { name: "on both sides of every border", damages: borders(), second: 13 },
  { name: "in the very last byte", damages: [[STRIPES * S - 1, 1]], second: 1 },
  { name: "in zeros of the second lane", damages: [[4 * S + 4096, 4096]], second: 4096 },
  { name: "in a stripe full of data", damages: [[S + 9 * MIB - 50, 100]], second: 100 },
];

/** The last byte of each stripe and the first of the next. */
function borders(): (readonly [number, number])[] {
  return sequence({ from: 1, count: STRIPES - 1 }).map((stripe) => [stripe * S - 1, 2]);
}

/** Only there is a second lane ever hired. */
const ignore = Deno.build.os !== "linux";

/** Both ways with the same damage. */
async function verifyBothWays(
  applied: Applied,
  how: { lead: Lead; damages: readonly Damage[] },
): Promise<InLanes & { readonly inOne: Verification | RegrainError }> {
  const { path } = applied.target;
  flip(path, how.damages);
  try {
    const inOne = await outcomeOf(verifyTarget(applied.disk, applied.target, { hash: false }));
    return { inOne, ...await verifyInTwo(applied, how.lead) };
  } finally {
    flip(path, how.damages);
  }
}

function assertSameError(one: Verification | RegrainError, two: Verification | RegrainError): void {
  assert.ok(one instanceof RegrainError && two instanceof RegrainError);
  const told = (
    { code, message, path, offsetBytes, hint }: RegrainError,
  ) => [code, message, path, offsetBytes, hint];
  assert.deepEqual(told(two), told(one));
}

Deno.test({
  name: "two lanes find what one lane finds",
  ignore,
  fn: (t) =>
    withTempDir(async (folder) => {
      writeDelta(folder, linkWith([1]));
      await withApplied(folder, async (applied) => {
        for (const { name, damages: places, second: secondBytes } of CASES) {
          await t.step(`what is wrong ${name}`, async () => {
            const damages = places.map(([offsetBytes, lengthBytes]) => ({ offsetBytes, lengthBytes }));
            const { inOne, outcome, firstStripes, second } = await verifyBothWays(applied, {
              lead: "to the end",
              damages,
            });
            assertTells(outcome, damages);
            assertSameError(inOne, outcome);
            assert.deepEqual(firstStripes, [0]);
            assert.equal(second.differingBytes, secondBytes);
          });
        }

        await t.step("what the second lane found stands first when it lies first", async () => {
          const damages = [S + 100, 2 * S, 6 * S, 8 * S - 1].map((offsetBytes) => ({
            offsetBytes,
            lengthBytes: 1,
          }));
          const { inOne, outcome, second } = await verifyBothWays(applied, { lead: "one stripe", damages });
          assertTells(outcome, damages);
          assertSameError(inOne, outcome);
          assert.equal(second.first?.offsetBytes, S + 100);
        });

        await t.step("nothing, when nothing is wrong", async () => {
          const { inOne, outcome } = await verifyBothWays(applied, { lead: "to the end", damages: [] });
          assert.deepEqual(outcome, inOne);
        });
      });
    }),
});

/**
 * A VMDK whose last two stripes lie in its file where stripes 2 and 3 do, by a loop device over that file: what is
 * written by the one hides what is written by the other. Two names of one file, or two lines with one piece of it, are
 * refused.
 */
async function withFoldedBase(folder: string, work: () => void): Promise<void> {
  const [whole, again] = [6 * STRIPE_BYTES / SECTOR_SIZE, 2 * STRIPE_BYTES / SECTOR_SIZE];
  {
    using flat = Deno.createSync(`${folder}/folded-flat.vmdk`);
    flat.truncateSync(6 * STRIPE_BYTES);
  }
  await withLoop(`${folder}/folded-flat.vmdk`, (device) => {
    const extents = [
      { type: "FLAT", file: "folded-flat.vmdk", sectors: whole, offsetSectors: 0 },
      { type: "FLAT", file: device, sectors: again, offsetSectors: again },
    ];
    const descriptor = buildDescriptor({ createType: "custom", cid: BASE_CID, extents });
    Deno.writeFileSync(`${folder}/folded.vmdk`, descriptor);
    work();
  });
}

/** Bytes in which the data of stripes 2 and 3 differs from that of stripes 6 and 7: of each pair one is lost. */
function foldedBytes({ seed }: LinkSpec): number {
  const grain = (index: number) => pattern({ seed, startSector: index * 8, sectors: 8 });
  const lost = [2, 3].flatMap((stripe) => [stripe * STRIPE_GRAINS, (stripe + 1) * STRIPE_GRAINS - 1]);
  return sumOf(lost.map((index) => {
    const later = grain(index + 4 * STRIPE_GRAINS);
    return grain(index).filter((byte, i) => byte !== later[i]).length;
  }));
}

testWithPeers(
  "apply --verify of 64 MiB and more takes two lanes, and ends with 6 when the target lies",
  ["root-loop"],
  () =>
    withTempDir(async (folder) => {
      const link = linkWith([0, 1]);
      writeDelta(folder, link);
      const lost = `${
        plural(foldedBytes(link), "byte")
      } in 4 blocks of 4 KiB read back otherwise than written`;
      for (const flags of [[], ["--io", "portable"]]) {
        const cwd = `${folder}/${flags.at(-1) ?? "linux"}`;
        Deno.mkdirSync(cwd);
        await withFoldedBase(cwd, () => {
          const common = ["--verify", "--verbose", "--force", "--allow-outside"];
          const { stderr } = regrainExits(6, ["apply", ...common, ...flags, `../${DELTA}`, "folded.vmdk"], {
            cwd,
          });
          assert.match(stderr, /VERIFY_FAILED/);
          assert.ok(stderr.includes(lost), `${stderr}\nnot: ${lost}`);
          const lanes = [...stderr.matchAll(/two lanes/g)].length;
          assert.equal(lanes, flags.length === 0 && navigator.hardwareConcurrency > 1 ? 2 : 0, stderr);
        });
      }
    }),
);

Deno.test({
  name: "an apply that may not read its own program has one lane, and is done all the same",
  ignore,
  fn: () =>
    withTempDir((folder) => {
      writeDelta(folder, linkWith([0, 1]));
      {
        using target = Deno.createSync(`${folder}/vm.img`);
        target.truncateSync(STRIPES * STRIPE_BYTES);
      }
      const permissions = ["--allow-ffi", `--allow-read=${folder}`, `--allow-write=${folder}`];
      const args = ["apply", "-v", "--force", "--io", "linux", `${folder}/${DELTA}`, `${folder}/vm.img`];
      const { stderr } = regrainExits(0, args, { permissions });
      assert.doesNotMatch(stderr, /two lanes/);
    }),
});
