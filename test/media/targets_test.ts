/** The suite over every target there is: files, devices, flat VMDKs, made ones, and all that wraps one. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Io, pickIo } from "../../cli/io/mod.ts";
import { FlatTarget } from "../../cli/target/flat_target.ts";
import { InterruptibleTarget } from "../../cli/target/interruptible_target.ts";
import { MadeTarget } from "../../cli/target/made_target.ts";
import { RateLimitedTarget } from "../../cli/target/rate_limited_target.ts";
import { UndoSaver } from "../../cli/target/undo.ts";
import { randomUndoId } from "../../cli/target/undo_name.ts";
import { UndoTarget } from "../../cli/target/undo_target.ts";
import { hashBlocks } from "../../cli/target/untouched.ts";
import { KIB, MIB, openLink, SECTOR_SIZE, type Target } from "../../core-as/host/mod.ts";
import { core, memoryContext } from "../helpers/memory.ts";
import { MemoryTarget } from "../helpers/memory_target.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";
import { importRbdDiff } from "../helpers/rbd_import.ts";
import { type Latency, SlowTarget, slowTarget, VirtualTime } from "../helpers/slow_medium.ts";
import { pattern, targetConformance, type TargetSubject } from "./conformance.ts";

const SIZE_BYTES = MIB + 4 * SECTOR_SIZE;
const KINDS: readonly Io["name"][] = ["linux", "portable"];

/** Data with a stretch of zeros. */
function content(): Uint8Array<ArrayBuffer> {
  const bytes = pattern(SIZE_BYTES);
  bytes.fill(0, 300_000, 500_000);
  return bytes;
}

/** A raw file on this machine, made afresh. */
function fileSubject(folder: string, kind: Io["name"] = "linux"): TargetSubject {
  const path = `${folder}/disk.img`;
  Deno.writeFileSync(path, content());
  const source = pickIo(kind).openTarget(path, { force: false });
  return { source, expected: content(), content: () => Deno.readFileSync(path) };
}

/** The same far away: 20 ms a call, many under way. */
function slowSubject(folder: string): TargetSubject & { readonly latency: Latency } {
  const file = fileSubject(folder);
  const source = new SlowTarget(file.source, { medium: { inFlight: 8 } });
  return { ...file, source, latency: source.latency, latencies: [source.latency] };
}

for (const kind of KINDS) {
  Deno.test(`a raw file, ${kind}, does what a target must`, (t) =>
    withTempDir((folder) => targetConformance(t, () => fileSubject(folder, kind))));

  testWithPeers(
    `a block device, ${kind}, does what a target must`,
    ["root-loop"],
    (t) =>
      withTempDir(async (folder) => {
        const io = pickIo(kind);
        const path = `${folder}/disk.img`;
        Deno.writeFileSync(path, content());
        await withLoop(path, (device) =>
          targetConformance(t, () => {
            const source = io.openTarget(device, { force: false });
            const refill = new Uint8Array(content());
            Deno.writeFileSync(device, refill, { create: false });
            return { source, expected: content(), content: () => Deno.readFileSync(device) };
          }));
      }),
  );

  Deno.test(`a target that was made, ${kind}, does what a target must`, (t) =>
    withTempDir(async (folder) => {
      const io = pickIo(kind);
      let made = 0;
      await targetConformance(t, () => {
        const path = `${folder}/made-${++made}.img`;
        const target = io.openTarget(path, { force: false, create: { sizeBytes: SIZE_BYTES } });
        const source = new MadeTarget(target, io);
        return { source, expected: new Uint8Array(SIZE_BYTES), content: () => Deno.readFileSync(path) };
      });
    }));
}

Deno.test("targets in memory, near and far, which other tests stand on, do what a target must", async (t) => {
  await targetConformance(t, () => memorySubject(new MemoryTarget(content())));
  await targetConformance(t, () => {
    const source = slowTarget(content());
    return { ...memorySubject(source.memory), source, latencies: [source.latency] };
  });
});

function memorySubject(source: MemoryTarget): TargetSubject {
  return { source, expected: content(), content: () => source.bytes };
}

/** Two extents with other bytes around, which nobody may touch. */
async function flatSubject(open: (bytes: Uint8Array) => Target): Promise<TargetSubject> {
  const cut = 700 * SECTOR_SIZE;
  const before = 8 * SECTOR_SIZE;
  const [first, second] = [new Uint8Array(before + cut), content().slice(cut)];
  first.fill(0x77, 0, before).set(content().subarray(0, cut), before);
  const descriptor = [
    "# Disk DescriptorFile",
    "version=1",
    "CID=1111aaaa",
    "parentCID=ffffffff",
    'createType="twoGbMaxExtentFlat"',
    `RW 700 FLAT "disk-f001.vmdk" 8`,
    `RW ${second.length / SECTOR_SIZE} FLAT "disk-f002.vmdk" 0`,
    "",
  ].join("\n");
  const files: Record<string, Uint8Array> = {
    "disk.vmdk": new TextEncoder().encode(descriptor),
    "disk-f001.vmdk": first,
    "disk-f002.vmdk": second,
  };
  const link = await openLink("disk.vmdk", memoryContext(files), "image");
  return {
    source: new FlatTarget(link, (path) => open(files[path]!)),
    expected: content(),
    content: () => Buffer.concat([first.subarray(before), second]),
    close: () => assert.ok(first.subarray(0, before).every((byte) => byte === 0x77), "before the extent"),
  };
}

Deno.test("a flat VMDK of two extents, near and far, does what a target must", async (t) => {
  await targetConformance(t, () => flatSubject((bytes) => new MemoryTarget(bytes)));
  const time = new VirtualTime();
  await targetConformance(t, () => flatSubject((bytes) => slowTarget(bytes, { time })));
});

/** What stands around a target, each over a file near and one far away. */
const WRAPS: Record<string, (target: Target, about: { folder: string; time: VirtualTime }) => Wrapped> = {
  "an interruptible target": (target) => new InterruptibleTarget(target, () => undefined),
  "a rate-limited target": limited,
  "a target with an undo file": undoable,
  "an undo file, a limited rate and a way to stop around one another": async (target, about) => {
    const undo = await undoable(target, about);
    return { ...undo, target: limited(new InterruptibleTarget(undo.target, () => undefined), about) };
  },
};

type Wrapped = Target | Promise<{ target: Target; close: (content: Uint8Array) => void }>;

/** Slow enough that every check waits. */
function limited(target: Target, { time }: { time: VirtualTime }): RateLimitedTarget {
  const clock = { nowMs: () => time.nowMs, sleep: (delayMs: number) => time.sleep(delayMs) };
  return new RateLimitedTarget(target, 512 * KIB, { clock });
}

/** Whatever a check wrote, the undo file holds what stood there before. */
async function undoable(target: Target, { folder }: { folder: string }) {
  const io = pickIo("linux");
  const path = `${folder}/${crypto.randomUUID()}.undo`;
  const saver = await UndoSaver.open(path, { core, target, io }, {
    plan: "0123456789abcdef",
    id: randomUndoId(),
    isOrdered: false,
    blocks: [],
    blocksHash: await hashBlocks(target, []),
    ahead: [],
    operation: "apply",
    base: undefined,
  });
  return {
    target: new UndoTarget(target, saver) as Target,
    close(now: Uint8Array) {
      saver.close();
      const { image } = importRbdDiff(Deno.readFileSync(path), now);
      assert.equal(Buffer.compare(image, content()), 0, "the undo file does not take back what was written");
    },
  };
}

for (const [name, wrap] of Object.entries(WRAPS)) {
  Deno.test(`${name}, over a file near and far, does what a target must`, (t) =>
    withTempDir(async (folder) => {
      await targetConformance(
        t,
        () => wrapped(fileSubject(folder), { wrap, folder, time: new VirtualTime() }),
      );
      await targetConformance(t, () => {
        const slow = slowSubject(folder);
        return wrapped(slow, { wrap, folder, time: slow.latency.time });
      });
    }));
}

async function wrapped(
  subject: TargetSubject,
  { wrap, ...about }: { wrap: (typeof WRAPS)[string]; folder: string; time: VirtualTime },
): Promise<TargetSubject> {
  const made = await wrap(subject.source, about);
  if (!("target" in made)) return { ...subject, source: made as Target };
  return {
    ...subject,
    source: made.target,
    close: async () => made.close(await subject.content()),
  };
}

Deno.test("what wraps a target says what it says: size, device, medium, and what it is made of", () => {
  const inner = slowTarget(content(), { medium: { inFlight: 5, preferredBytes: 128 * KIB } });
  const io = pickIo("linux");
  for (
    const target of [
      new InterruptibleTarget(inner, () => undefined),
      new RateLimitedTarget(inner, MIB),
      new MadeTarget(inner, io),
    ]
  ) {
    assert.deepEqual(target.medium, inner.medium);
    assert.equal(target.isDevice, false);
    assert.deepEqual(target.targets, [inner]);
    assert.equal(target.sizeBytes, inner.sizeBytes);
  }
});
