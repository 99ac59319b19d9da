/** What is behind findings, and how they are put together. */
import assert from "node:assert/strict";
import {
  buildCowd,
  buildHosted,
  buildSeSparse,
  dataGrains,
  type Image,
  putInteger,
  sequence,
} from "../../../fixtures/mod.ts";
import { core, memoryContext } from "../../../test/helpers/memory.ts";
import { causesOf, Findings } from "./findings.ts";
import { openLink } from "./open_link.ts";
import { surveyLink } from "./survey.ts";

async function causesIn(bytes: Uint8Array, name = "disk-delta.vmdk") {
  const link = await openLink(name, memoryContext({ [name]: bytes }), "delta");
  const { findings } = await surveyLink(core, link, { overlaps: true });
  const causes = causesOf(findings);
  assert.equal(
    causes.reduce((sum, { count }) => sum + count, 0),
    findings.total,
    "each finding has its cause",
  );
  return causes.filter(({ kind }) => kind !== "no-descriptor");
}

/** What a file ends early by, and the grains of which the last byte is not there. */
function lostIn({ bytes, layout }: Image, cutBytes: number, grainBytes: number) {
  const lost = [...layout.grains.values()].filter((at) => at + grainBytes > cutBytes).length;
  return { earlyBytes: bytes.length - cutBytes, lost };
}

const GRAINS = dataGrains(sequence({ from: 0, count: 600 }));

for (
  const { name, image, grainBytes } of [
    {
      name: "hosted",
      image: buildHosted({ capacitySectors: 600 * 16, grainSectors: 16, seed: 1, grains: GRAINS }),
      grainBytes: 16 * 512,
    },
    {
      name: "sesparse",
      image: buildSeSparse({ capacitySectors: 600 * 8, seed: 1, grains: GRAINS }),
      grainBytes: 8 * 512,
    },
  ]
) {
  Deno.test(`C8: all grains that a cut ${name} file lacks are one cause, with the bytes it lacks`, async () => {
    const ends = [...image.layout.grains.values()].sort((a, b) => a - b);
    const end = ends.at(-1)! + grainBytes;
    const cutBytes = ends[200]! + 512;
    const { lost } = lostIn(image, cutBytes, grainBytes);
    const [cause, ...rest] = await causesIn(image.bytes.slice(0, cutBytes), "disk.vmdk");
    const early = String(end - cutBytes).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
    assert.equal(cause!.message, `the file ends ${early} bytes early: ${lost} grains`);
    assert.deepEqual([cause!.severity, cause!.kind, cause!.count], ["damage", "file-cut-short", 400]);
    assert.equal(cause!.offsetBytes, cutBytes);
    assert.deepEqual(rest.filter(({ severity }) => severity === "damage"), []);
  });
}

Deno.test("C8: a cut COWD file has lost tables and grains, and its header says how far it went", async () => {
  const far = sequence({ from: 4096, count: 300 });
  const grains = dataGrains([...sequence({ from: 0, count: 100 }), ...far]);
  const image = buildCowd({ capacitySectors: 9000, grainSectors: 1, seed: 7, grains });
  const cutBytes = image.layout.tables.get(1)! + 512;
  const [cause] = await causesIn(image.bytes.slice(0, cutBytes));
  const early = (image.bytes.length - cutBytes).toLocaleString("en-US");
  assert.equal(cause!.message, `the file ends ${early} bytes early: 1 grain table`);
  assert.equal(cause!.count, 2, "the header's note is of the same cause");
});

Deno.test("C8: a single wild entry is no cut file", async () => {
  const image = buildCowd({ capacitySectors: 9000, grainSectors: 1, seed: 7, grains: dataGrains([1, 2, 3]) });
  putInteger(image.bytes, { at: image.layout.entries.get(2)!, size: 4, value: 0x7000_0000 });
  const [cause] = await causesIn(image.bytes);
  assert.equal(cause!.kind, "entry-past-end");
  assert.match(cause!.message, /^the entry of sector 2 needs the file up to byte/);
});

Deno.test("C8: causes come damage first, kinds of one file are put together, and files are kept apart", () => {
  const findings = new Findings();
  const add = (severity: "damage" | "doubt" | "note", kind: string, path: string, offsetBytes: number) =>
    findings.add({ severity, kind, path, offsetBytes, message: `${kind} here` });
  for (let i = 0; i < 3; i++) add("note", "odd", "a", i);
  add("doubt", "copies", "a", 9);
  for (let i = 0; i < 12_000; i++) add("damage", "shared", "b", 100 + i);
  add("damage", "shared", "a", 7);
  assert.deepEqual(
    causesOf(findings).map(({ severity, path, count, offsetBytes, message }) => [
      severity,
      path,
      count,
      offsetBytes,
      message,
    ]),
    [
      ["damage", "a", 1, 7, "shared here"],
      ["damage", "b", 12_000, 100, "12,000 times, the first: shared here"],
      ["doubt", "a", 1, 9, "copies here"],
      ["note", "a", 3, 0, "3 times, the first: odd here"],
    ],
  );
});
