/** The suite over every source there is: files, devices, chains of every format, snapshots; near and far. */
import assert from "node:assert/strict";
import { type Io, pickIo } from "../../cli/io/mod.ts";
import { backUp } from "../../cli/backup/make/backup.ts";
import { InlineLanes } from "../../cli/backup/lanes.ts";
import { planFull } from "../../cli/backup/make/origins.ts";
import { Disk, MIB, openChain, SECTOR_SIZE, type Source } from "../../core-as/host/mod.ts";
import { SnapshotSource } from "../../core-as/host/repo/mod.ts";
import { CASES, type FixtureCase } from "../../fixtures/mod.ts";
import { CHUNK, memoryRepository } from "../backup_cli/memory_repository.ts";
import { core, memoryContext, memorySource } from "../helpers/memory.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";
import { type SlowOptions, SlowSource, VirtualTime } from "../helpers/slow_medium.ts";
import { LEAST_BYTES, pattern, sourceConformance, type SourceSubject } from "./conformance.ts";

const KINDS: readonly Io["name"][] = ["linux", "portable"];
/** Beyond it a case only takes longer: the catalogue reads each of them whole. */
const MOST_BYTES = 8 * MIB;

/** Data with a stretch of zeros, which ends inside a sector. */
function content(): Uint8Array<ArrayBuffer> {
  const bytes = pattern(2 * MIB + 100);
  bytes.fill(0, MIB, MIB + 300_000);
  return bytes;
}

for (const kind of KINDS) {
  Deno.test(`a raw file, ${kind}, does what a source must`, (t) =>
    withTempDir(async (folder) => {
      const path = `${folder}/disk.img`;
      Deno.writeFileSync(path, content());
      await sourceConformance(t, () => ({ source: pickIo(kind).openSource(path), expected: content() }));
    }));

  testWithPeers(
    `a block device, ${kind}, does what a source must`,
    ["root-loop"],
    (t) =>
      withTempDir(async (folder) => {
        const expected = content().subarray(0, 2 * MIB);
        Deno.writeFileSync(`${folder}/disk.img`, expected);
        await withLoop(
          `${folder}/disk.img`,
          (path) => sourceConformance(t, () => ({ source: pickIo(kind).openSource(path), expected })),
        );
      }),
  );
}

Deno.test("a slow source, which the other subjects stand on, does what a source must", (t) =>
  sourceConformance(t, () => {
    const source = new SlowSource(memorySource("disk", content()));
    return { source, expected: content(), latencies: [source.latency] };
  }));

const CHAINS = CASES.filter(({ expect, capacitySectors }) => {
  const sizeBytes = capacitySectors * SECTOR_SIZE;
  return expect === "ok" && sizeBytes >= LEAST_BYTES && sizeBytes <= MOST_BYTES;
});

for (const fixture of CHAINS) {
  Deno.test(`${fixture.name}, from files near and far, does what a source must`, async (t) => {
    await sourceConformance(t, () => nearChain(fixture));
    await sourceConformance(t, () => slowChain(fixture.make(), fixture.leaf, fixture.expected!()));
  });
}

async function nearChain({ make, leaf, expected }: FixtureCase): Promise<SourceSubject> {
  const links = await openChain(leaf, memoryContext(make()));
  return { source: new Disk(core, links), expected: expected!() };
}

/** A chain whose files are far away, each with latency. */
async function slowChain(
  files: Readonly<Record<string, Uint8Array>>,
  leaf: string,
  expected: Uint8Array,
): Promise<SourceSubject> {
  const options: SlowOptions = { time: new VirtualTime(), medium: { inFlight: 8 } };
  const context = memoryContext(files);
  const open = (path: string) => new SlowSource(context.files.open(path) as Source, options);
  const links = await openChain(leaf, { ...context, files: { ...context.files, open } });
  return { source: new Disk(core, links), expected };
}

Deno.test("the cases of the catalogue that this leaves out are few, and large or tiny", () => {
  const sound = CASES.filter(({ expect }) => expect === "ok");
  assert.ok(CHAINS.length * 4 >= sound.length * 3, `${CHAINS.length} of ${sound.length}`);
});

Deno.test("a snapshot in a repository does what a source must", (t) =>
  sourceConformance(t, async () => {
    const expected = content().subarray(0, 2 * MIB);
    const repository = await memoryRepository();
    const { snapshot } = await backUp(repository, {
      name: "web01/disk-0",
      tags: [],
      lanes: await InlineLanes.open(repository.laneSetup),
      onNotice: () => undefined,
      plan: () => {
        const source = memorySource("disk", expected);
        return Promise.resolve(planFull({ source, chunkBytes: CHUNK, cid: undefined }));
      },
    });
    return { source: new SnapshotSource(repository, snapshot), expected };
  }));
