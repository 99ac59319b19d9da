/** Reference counts of qcow2: as many are wrong, and as many clusters leaked, as qemu-img says. */
import assert from "node:assert/strict";
import { checkRefcounts } from "../../core-as/host/formats/qcow2/refcounts.ts";
import type { Finding } from "../../core-as/host/mod.ts";
import { QCOW2_CASES } from "../../fixtures/mod.ts";
import { regrain } from "../helpers/cli.ts";
import { memorySource } from "../helpers/memory.ts";
import { run, testWithPeers, tryRun, withTempDir } from "../helpers/peers.ts";

const SIZE = 3 * 1024 * 1024 + 512;
const WRONG = new Set(["refcount-low", "copied-wrong"]);

interface Verdict {
  readonly corruptions: number;
  readonly leaks: number;
}

async function ours(bytes: Uint8Array<ArrayBuffer>, windowClusters?: number): Promise<Verdict> {
  const findings: Finding[] = [];
  await checkRefcounts(
    memorySource("disk.qcow2", bytes),
    (finding) => findings.push(finding),
    windowClusters,
  );
  const leak = findings.find(({ kind }) => kind === "clusters-leaked");
  assert.ok(!findings.some(({ kind }) => kind === "refcounts-unread"), JSON.stringify(findings));
  return {
    corruptions: findings.filter(({ kind }) => WRONG.has(kind)).length,
    leaks: leak === undefined ? 0 : Number(/^([\d,]+)/.exec(leak.message)![1]!.replaceAll(",", "")),
  };
}

/** What qemu-img says; it ends with 2 or 3 where something is wrong. */
function theirs(image: string): Verdict {
  const { stdout } = tryRun("qemu-img", ["check", "-f", "qcow2", "--output=json", image]);
  const { corruptions = 0, leaks = 0 } = JSON.parse(stdout);
  return { corruptions, leaks };
}

async function assertAlike(image: string, what: string): Promise<Verdict> {
  const bytes = await Deno.readFile(image);
  const said = theirs(image);
  for (const windowClusters of [undefined, 7, 64]) {
    assert.deepEqual(
      await ours(bytes, windowClusters),
      said,
      `${what}, ${windowClusters} clusters at a time`,
    );
  }
  return said;
}

/** Options of `qemu-img create`. */
const OPTIONS = [
  "compat=0.10",
  "cluster_size=512",
  "cluster_size=4096",
  "refcount_bits=1",
  "refcount_bits=2",
  "refcount_bits=64",
  "preallocation=metadata",
  "extended_l2=on,cluster_size=16k",
  "compression_type=zstd",
];

function fill(image: string, ...commands: string[]): void {
  run("qemu-io", ["-f", "qcow2", ...commands.flatMap((command) => ["-c", command]), image]);
}

function create(folder: string, options: string): string {
  const image = `${folder}/disk.qcow2`;
  run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options, image, `${SIZE}`]);
  fill(image, "write -P 1 0 70000", "write -P 2 400000 300000", "write -P 3 1048576 65536");
  if (!/extended|0\.10/.test(options)) fill(image, "write -z 720896 131072");
  return image;
}

testWithPeers(
  "sound images have sound counts, whatever they were made with",
  ["qemu-img"],
  () =>
    withTempDir(async (folder) => {
      for (const options of OPTIONS) {
        const image = create(folder, options);
        assert.deepEqual(await assertAlike(image, options), { corruptions: 0, leaks: 0 });
        const packed = `${folder}/packed.qcow2`;
        run("qemu-img", [
          "convert",
          "-c",
          "-f",
          "qcow2",
          "-O",
          "qcow2",
          "-o",
          options.replace(/^preallocation=\w+/, "lazy_refcounts=off"),
          image,
          packed,
        ]);
        assert.deepEqual(await assertAlike(packed, `${options}, packed`), { corruptions: 0, leaks: 0 });
      }
    }),
);

testWithPeers("what snapshots and bitmaps use is counted", ["qemu-img"], () =>
  withTempDir(async (folder) => {
    const image = create(folder, "cluster_size=4096");
    run("qemu-img", ["snapshot", "-c", "one", image]);
    fill(image, "write -P 4 0 100000");
    run("qemu-img", ["snapshot", "-c", "two", image]);
    fill(image, "write -P 5 900000 4096");
    run("qemu-img", ["bitmap", "--add", "-g", "4096", image, "changes"]);
    fill(image, "write -P 6 0 4096");
    assert.deepEqual(await assertAlike(image, "snapshots and a bitmap"), { corruptions: 0, leaks: 0 });
  }));

testWithPeers("the fixtures are sound to both", ["qemu-img"], () =>
  withTempDir(async (folder) => {
    for (const { name, leaf, make } of QCOW2_CASES) {
      // qemu-img would open the backing files too, which the counts have nothing to do with.
      if (/-on-/.test(name)) continue;
      const image = `${folder}/disk.qcow2`;
      for (const [file, bytes] of Object.entries(make())) {
        await Deno.writeFile(file === leaf ? image : `${folder}/${file}`, bytes);
      }
      assert.deepEqual(await assertAlike(image, name), { corruptions: 0, leaks: 0 });
    }
  }));

const u16 = (view: DataView, at: number, value: number) => view.setUint16(at, value);

/** Where the first L2 table, the first block of counts, and the cluster of an entry are. */
function layoutOf(view: DataView) {
  const cluster = 2 ** view.getUint32(20);
  const placeAt = (at: number) => Number(view.getBigUint64(at) & 0x00fffffffffffe00n);
  const l1 = Number(view.getBigUint64(40));
  const l2 = placeAt(l1);
  const block = placeAt(Number(view.getBigUint64(48)));
  const countAt = (place: number) => block + place / cluster * 2;
  return { cluster, l1, l2, countAt, dataAt: (entry: number) => placeAt(l2 + entry * 8) };
}

/** What is damaged by hand, and the kinds that tell it. */
const DAMAGE: [string, (view: DataView, bytes: Uint8Array) => void, string[]][] = [
  ["a cluster in use is counted as free", (view) => {
    const { countAt, dataAt } = layoutOf(view);
    u16(view, countAt(dataAt(0)), 0);
  }, ["copied-wrong", "refcount-low"]],
  ["an L2 table is counted as free", (view) => {
    const { countAt, l2 } = layoutOf(view);
    u16(view, countAt(l2), 0);
  }, ["copied-wrong", "refcount-low"]],
  ["the flag says shared", (view) => {
    const { l2 } = layoutOf(view);
    view.setUint8(l2, view.getUint8(l2) & 0x7f);
  }, ["copied-wrong"]],
  ["the flag of an L2 table says shared", (view) => {
    const { l1 } = layoutOf(view);
    view.setUint8(l1, view.getUint8(l1) & 0x7f);
  }, ["copied-wrong"]],
  ["two entries name one cluster", (view, bytes) => {
    const { l2 } = layoutOf(view);
    bytes.copyWithin(l2 + 8, l2, l2 + 8);
  }, ["refcount-low", "clusters-leaked"]],
  ["a cluster is counted twice", (view) => {
    const { countAt, dataAt } = layoutOf(view);
    u16(view, countAt(dataAt(1)), 2);
  }, ["copied-wrong", "clusters-leaked"]],
  ["an entry is gone, its cluster leaked", (view) => {
    const { l2 } = layoutOf(view);
    view.setBigUint64(l2 + 8, 0n);
  }, ["clusters-leaked"]],
  ["the header is counted as free", (view) => u16(view, layoutOf(view).countAt(0), 0), ["refcount-low"]],
];

testWithPeers(
  "images damaged by hand are found as wrong as qemu-img finds them",
  ["qemu-img"],
  () =>
    withTempDir(async (folder) => {
      const bytes = await Deno.readFile(create(folder, "cluster_size=65536"));
      for (const [what, damage, kinds] of DAMAGE) {
        const mutant = bytes.slice();
        damage(new DataView(mutant.buffer), mutant);
        const image = `${folder}/mutant.qcow2`;
        await Deno.writeFile(image, mutant);
        await assertAlike(image, what);
        const { code, stdout } = regrain(["check", "--json", image]);
        const [{ findings }] = JSON.parse(stdout).links;
        const found: string[] = findings.map(({ kind }: Finding) => kind);
        for (const kind of kinds) assert.ok(found.includes(kind), `${what}: ${found}`);
        assert.equal(code, kinds.some((kind) => WRONG.has(kind)) ? 1 : 0, what);
      }
    }),
);
