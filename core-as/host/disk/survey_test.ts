/** The survey: overlaps within a file, what they are called, and what refuses them. */
import assert from "node:assert/strict";
import {
  buildCowd,
  buildHosted,
  buildStream,
  dataGrains,
  getU32,
  type Grain,
  type HostedSpec,
  type Image,
  putInteger,
  sequence,
} from "../../../fixtures/mod.ts";
import { core, memoryContext, readWhole } from "../../../test/helpers/memory.ts";
import { RegrainError } from "../errors.ts";
import type { Finding } from "../extent.ts";
import { Disk } from "./disk.ts";
import { openLink } from "./open_link.ts";
import { Findings } from "./findings.ts";
import { type LinkSurvey, requireSound, surveyLink } from "./survey.ts";
import { SECTOR_SIZE } from "../units.ts";
import { Core } from "../wasm.ts";

const COWD = { capacitySectors: 9000, grainSectors: 1, seed: 7 };
const GRAINS: Grain[] = [
  ...dataGrains(sequence({ from: 10, count: 300 })),
  ...sequence({ from: 5000, count: 20 }).map((index): Grain => ({ index, kind: "zero" })),
  ...dataGrains([8999, 4500]),
];

const put32 = (image: Image, at: number, value: number) => putInteger(image.bytes, { at, size: 4, value });

async function survey(
  bytes: Uint8Array,
  options: { kernels?: Core; overlaps?: boolean; name?: string } = {},
): Promise<LinkSurvey> {
  const { kernels = core, overlaps = true, name = "disk-delta.vmdk" } = options;
  const link = await openLink(name, memoryContext({ [name]: bytes }, { core: kernels }), "delta");
  return await surveyLink(kernels, link, { overlaps });
}

/** Kernels whose seen map covers so few sectors that even a small file takes many passes. */
function coreSeeing(sectors: number): Core {
  return new Core({ ...core.kernels, seenSectors: () => sectors });
}

const damageOf = ({ findings }: LinkSurvey) =>
  findings.kept.filter(({ severity }) => severity === "damage").map(({ kind, offsetBytes }) => ({
    kind,
    offsetBytes,
  }));

Deno.test("a sound link has its bytes by kind and no damage", async () => {
  const { dataBytes, zeroBytes, holeBytes, runCount, holeCount, findings } = await survey(
    buildCowd({ ...COWD, grains: GRAINS }).bytes,
  );
  assert.deepEqual({ dataBytes, zeroBytes, holeBytes, runCount, holeCount }, {
    dataBytes: 302 * SECTOR_SIZE,
    zeroBytes: 20 * SECTOR_SIZE,
    holeBytes: (9000 - 322) * SECTOR_SIZE,
    runCount: 4,
    holeCount: 4,
  });
  assert.deepEqual(findings.counts, { damage: 0, doubt: 0, note: 1 });
});

Deno.test("two entries that share a grain are damage, at the entry", async () => {
  const image = buildCowd({ ...COWD, grains: GRAINS });
  const at = image.layout.entries.get(8999)!;
  put32(image, at, image.layout.grains.get(15)! / SECTOR_SIZE);
  const found = await survey(image.bytes);
  assert.deepEqual(damageOf(found), [{ kind: "grain-shared", offsetBytes: at }]);
  assert.deepEqual(damageOf(await survey(image.bytes, { overlaps: false })), [], "not looked for");
});

Deno.test("a file larger than the seen map is walked once a window, and found the same", async () => {
  const image = buildCowd({ ...COWD, grains: GRAINS });
  const sound = await survey(image.bytes);
  for (const sectors of [1, 50, 64, 100, 333]) {
    const { link: _link, findings, ...totals } = await survey(image.bytes, { kernels: coreSeeing(sectors) });
    const { link: _other, findings: expected, ...expectedTotals } = sound;
    assert.deepEqual(totals, expectedTotals, `windows of ${sectors} sectors`);
    assert.deepEqual(findings.kept, expected.kept);
  }
  const at = image.layout.entries.get(8999)!;
  put32(image, at, image.layout.grains.get(309)! / SECTOR_SIZE);
  for (const sectors of [1, 50, 64, 100, 333]) {
    const found = await survey(image.bytes, { kernels: coreSeeing(sectors) });
    assert.deepEqual(
      damageOf(found),
      [{ kind: "grain-shared", offsetBytes: at }],
      `windows of ${sectors} sectors`,
    );
  }
});

Deno.test("damage other than overlaps is told once, however many passes there are", async () => {
  const image = buildCowd({ ...COWD, grains: GRAINS });
  const at = image.layout.entries.get(4500)!;
  put32(image, at, 0x7000_0000);
  const found = await survey(image.bytes, { kernels: coreSeeing(40) });
  assert.deepEqual(damageOf(found), [{ kind: "entry-past-end", offsetBytes: at }]);
});

Deno.test("two directory entries that share a table are damage, at the second", async () => {
  const image = buildCowd({ ...COWD, grains: GRAINS });
  put32(image, image.layout.directory + 8, image.layout.tables.get(0)! / SECTOR_SIZE);
  const found = damageOf(await survey(image.bytes));
  assert.deepEqual(found.filter(({ kind }) => kind === "table-shared"), [
    { kind: "table-shared", offsetBytes: image.layout.directory + 8 },
  ]);
});

Deno.test("a grain that lies in a table is damage", async () => {
  const image = buildCowd({ ...COWD, grains: GRAINS });
  const at = image.layout.entries.get(100)!;
  put32(image, at, image.layout.tables.get(2)! / SECTOR_SIZE + 3);
  const kinds = damageOf(await survey(image.bytes)).map(({ kind }) => kind);
  assert.ok(kinds.some((kind) => kind === "grain-shared" || kind === "table-shared"), kinds.join());
});

Deno.test("parts of a header that overlap are damage", async () => {
  const spec: HostedSpec = {
    capacitySectors: 512 * 16 * 200,
    grainSectors: 16,
    seed: 1,
    tables: "first-touch",
    grains: dataGrains([0]),
  };
  const gdSector = buildHosted(spec).layout.directory / SECTOR_SIZE;
  const image = buildHosted({ ...spec, header: { rgdOffset: gdSector + 1 } });
  const kinds = damageOf(await survey(image.bytes, { name: "disk.vmdk" })).map(({ kind }) => kind);
  assert.ok(kinds.includes("region-shared"), kinds.join());
});

Deno.test("a link in which all entries name one grain is refused, not a crash", async () => {
  const image = buildCowd({ ...COWD, grains: dataGrains(sequence({ from: 0, count: 9000 })) });
  for (const at of image.layout.entries.values()) put32(image, at, image.layout.grains.get(0)! / SECTOR_SIZE);
  const { findings } = await survey(image.bytes);
  assert.equal(findings.counts.damage, 8999);
  assert.equal(findings.kept.length, 9000, "and the note that there is no descriptor");
});

Deno.test("compressed grains that cannot be unpacked are found, each of them, in every grain", async () => {
  const image = buildStream({
    capacitySectors: 2048,
    grainSectors: 128,
    seed: 3,
    form: "footer",
    grains: dataGrains([0, 1, 5, 9]),
  });
  const broken = [1, 9].map((grain) => image.layout.grains.get(grain)!);
  for (const at of broken) image.bytes[at + 40]! ^= 0xff;
  const found = await survey(image.bytes, { name: "disk.vmdk" });
  assert.deepEqual(damageOf(found), broken.map((offsetBytes) => ({ kind: "grain-damaged", offsetBytes })));
  assert.throws(() => requireSound(found, { force: true }), { code: "GRAIN_DAMAGED" });
});

Deno.test("C3: compressed grains are damaged as soon as a survey knows, and never read as zeros", async () => {
  const spec = { capacitySectors: 2000, grainSectors: 128, seed: 3, form: "footer" as const };
  const image = buildStream({ ...spec, grains: dataGrains([0, 1, 2, 5, 6, 15]) });
  for (const grain of [1, 2, 15]) image.bytes[image.layout.grains.get(grain)! + 40]! ^= 0xff;
  const name = "disk.vmdk";
  const link = await openLink(name, memoryContext({ [name]: image.bytes }, { core }), "delta");
  const disk = new Disk(core, [link]);
  const seen = async () => {
    const runs: [string, number, number][] = [];
    for await (const { list } of disk.walk({ finding: () => undefined })) {
      for (let i = 0; i < list.count; i++) {
        runs.push([disk.kindOf(list.place(i)), list.start(i), list.length(i)]);
      }
    }
    return runs;
  };
  assert.ok((await seen()).every(([kind]) => kind !== "damaged"), "no table says so");
  const expected = [
    ["data", 0, 128],
    ["damaged", 128, 256],
    ["hole", 384, 256],
    ["data", 640, 256],
    ["hole", 896, 1024],
    ["damaged", 1920, 80],
  ];
  for (let time = 0; time < 2; time++) {
    const { dataBytes, damagedBytes, holeBytes, findings } = await surveyLink(core, link, { overlaps: true });
    assert.equal(findings.counts.damage, 3, "a second survey finds each once too");
    assert.equal(dataBytes, 3 * 128 * SECTOR_SIZE);
    assert.equal(damagedBytes, (256 + 80) * SECTOR_SIZE);
    assert.equal(dataBytes + damagedBytes + holeBytes, spec.capacitySectors * SECTOR_SIZE);
    assert.deepEqual(await seen(), expected);
  }
  await assert.rejects(readWhole(disk), { code: "DAMAGED" });
});

Deno.test("compressed grains that share a piece of the file are damage", async () => {
  const image = buildStream({
    capacitySectors: 2048,
    grainSectors: 128,
    seed: 3,
    form: "footer",
    grains: dataGrains([0, 1]),
  });
  put32(image, image.layout.entries.get(1)!, getU32(image.bytes, image.layout.entries.get(0)!));
  const kinds = damageOf(await survey(image.bytes, { name: "disk.vmdk" })).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["grain-damaged"], "the marker says another sector");
});

function surveyOf(findings: readonly Partial<Finding>[], sound: LinkSurvey): LinkSurvey {
  const all = new Findings();
  for (const finding of findings) {
    all.add({ severity: "damage", kind: "x", path: "disk-delta.vmdk", message: "it is odd", ...finding });
  }
  return { ...sound, findings: all };
}

Deno.test("damage is refused whatever the user says, doubt unless forced, notes never", async () => {
  const sound = await survey(buildCowd({ ...COWD, grains: [] }).bytes);
  const codeOf = (findings: readonly Partial<Finding>[], force: boolean) => {
    try {
      requireSound(surveyOf(findings, sound), { force });
      return "sound";
    } catch (error) {
      assert.ok(error instanceof RegrainError);
      return error.code;
    }
  };
  assert.equal(codeOf([{ severity: "note" }], false), "sound");
  assert.equal(codeOf([{ severity: "doubt" }], false), "DAMAGED");
  assert.equal(codeOf([{ severity: "doubt" }], true), "sound");
  assert.equal(codeOf([{ severity: "doubt" }, {}], true), "DAMAGED");
  assert.equal(codeOf([{ kind: "entry-past-end" }], false), "DAMAGED", "one wild entry");
  assert.equal(codeOf([{ kind: "table-past-end" }, { kind: "entry-past-end" }], false), "TRUNCATED");
  assert.equal(
    codeOf([{ kind: "file-short", severity: "note" }, { kind: "entry-past-end" }], false),
    "TRUNCATED",
  );
  assert.equal(codeOf([{ kind: "table-past-end" }, { kind: "grain-shared" }], false), "DAMAGED");
  assert.equal(codeOf([{ kind: "grain-damaged" }, { kind: "grain-damaged" }], false), "GRAIN_DAMAGED");
});

Deno.test("a refusal names the first place, how many there are, and how to see them all", async () => {
  const sound = await survey(buildCowd({ ...COWD, grains: [] }).bytes);
  const found = surveyOf([{ severity: "note" }, { offsetBytes: 77 }, { offsetBytes: 99 }], sound);
  assert.throws(() => requireSound(found, { force: false }), (error) => {
    assert.ok(error instanceof RegrainError);
    assert.equal(error.message, "disk-delta.vmdk: it is odd (the first of 2), at byte 77");
    assert.match(error.hint!, /^regrain check disk-delta\.vmdk says what is behind it/);
    return true;
  });
});

Deno.test("findings beyond ten thousand are counted, handed on, and not kept", () => {
  let handed = 0;
  const findings = new Findings(() => handed++);
  const finding: Finding = { severity: "damage", kind: "x", path: "p", message: "m" };
  for (let i = 0; i < 10_000; i++) findings.add(finding);
  assert.equal(findings.overflowed, false);
  findings.add(finding);
  assert.equal(findings.overflowed, true);
  assert.equal(findings.counts.damage, 10_001);
  assert.equal(findings.kept.length, 10_000);
  assert.equal(handed, 10_001);
  findings.add({ ...finding, severity: "doubt", message: "late" });
  assert.equal(
    findings.first("doubt")?.message,
    "late",
    "the first of a kind is known though it is not kept",
  );
});
