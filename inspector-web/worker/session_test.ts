/// <reference lib="deno.ns" />
/** The worker's session, driven as the page drives it, with every test disk. */
import assert from "node:assert/strict";
import { runMap } from "../../cli/commands/map.ts";
import { SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { caseNamed, CASES, type Files, type FixtureCase } from "../../fixtures/mod.ts";
import { givenOf, Page, TroubleError } from "../../test/helpers/inspector_session.ts";
import { CLOSED, type ScanState, type View } from "../shared/protocol.ts";

const page = new Page();

interface Map {
  readonly runs: readonly { start: number; length: number; kind: "data" | "zero" | "hole" | "damaged" }[];
  readonly capacityBytes: number;
}

/** What `regrain map --json` says, run in this process. */
async function mapOf(files: Files, leaf: string, chain: boolean): Promise<Map> {
  const folder = await Deno.makeTempDir({ prefix: "regrain_test_" });
  const lines: string[] = [];
  const log = Deno.stdout.writeSync;
  try {
    for (const [name, bytes] of Object.entries(files)) {
      const path = `${folder}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeFile(path, bytes);
    }
    const decoder = new TextDecoder();
    Deno.stdout.writeSync = (bytes) => {
      lines.push(decoder.decode(bytes));
      return bytes.length;
    };
    await runMap([`${folder}/${leaf}`], { json: true, chain });
  } finally {
    Deno.stdout.writeSync = log;
    await Deno.remove(folder, { recursive: true });
  }
  return JSON.parse(lines.join(""));
}

function totalsOf({ runs }: Map): ScanState["totals"] {
  const totals = { dataBytes: 0, zeroBytes: 0, holeBytes: 0, damagedBytes: 0, runCount: 0 };
  for (const { kind, length } of runs) {
    totals[`${kind}Bytes`] += length;
    if (kind === "data" || kind === "zero") totals.runCount++;
  }
  return totals;
}

for (const fixture of CASES.filter(({ expect }) => expect === "ok")) {
  Deno.test(`${fixture.name}: the scan finds what regrain map finds, and tiles keep it`, async () => {
    const files = fixture.make();
    const opened = await page.open(files);
    assert.equal(opened.isWhole, true, opened.remarks.join("; "));
    for (const view of [0, "merged"] as const) {
      const map = await mapOf(files, fixture.leaf, view === "merged");
      const middle = Math.floor(opened.capacitySectors / 2);
      const state = await page.scan(view, middle);
      assert.deepEqual(state.totals, totalsOf(map));
      const { counts } = state.histogram;
      assert.equal(counts.reduce((a, b) => a + b), state.totals.runCount);
      await requireTiles(view, opened.capacitySectors, state);
      // With the base below there are changes to compare; without it, runs.
      if (view === "merged" && opened.links.length === 1) await requireRunStarts(view, map);
      else await requireChanges(view, fixture, files);
    }
  });
}

async function requireTiles(view: View, capacitySectors: number, { totals }: ScanState): Promise<void> {
  for (const sectorsPerCell of [1, 7, 128]) {
    const cells = Math.ceil(capacitySectors / sectorsPerCell);
    const tile = await page.ask({ type: "tile", view, fromSector: 0, sectorsPerCell, cells });
    const sum = (parts: Float32Array) => parts.reduce((a, b) => a + b, 0) * sectorsPerCell * SECTOR_SIZE;
    assert.ok(Math.abs(sum(tile.data) - totals.dataBytes) < SECTOR_SIZE, `data, ${sectorsPerCell} a cell`);
    assert.ok(Math.abs(sum(tile.zero) - totals.zeroBytes) < SECTOR_SIZE, `zero, ${sectorsPerCell} a cell`);
    assert.ok(tile.known.every((known) => known === 2));
  }
}

/** Every change by the bytes themselves, one after the other and back again. */
async function requireChanges(view: View, fixture: FixtureCase, files: Files): Promise<void> {
  const { links } = await page.open(files);
  if (links.length === 1) return;
  const asked = {
    type: "bytes",
    of: { view },
    offsetBytes: 0,
    lengthBytes: links[0]!.capacityBytes,
  } as const;
  const { bytes, below, owners } = await page.ask({ ...asked, withBelow: true });
  assert.ok(below && owners, fixture.name);
  const starts: number[] = [];
  let isInside = false;
  for (let sector = 0; sector < owners.length; sector++) {
    const [from, to] = [sector * SECTOR_SIZE, (sector + 1) * SECTOR_SIZE];
    const first = bytes.subarray(from, to).findIndex((byte, i) => byte !== below[from + i]);
    const isChanged = owners[sector] !== -2 && first >= 0;
    if (isChanged && !isInside) starts.push(from + first);
    isInside = isChanged;
  }
  const shown = starts.slice(0, 40);
  const forwards: number[] = shown[0] === 0 ? [0] : [];
  for (let fromBytes = 0; forwards.length < shown.length;) {
    const { offsetBytes } = await page.ask({ type: "next", view, fromBytes, backwards: false });
    if (offsetBytes === undefined) break;
    forwards.push(fromBytes = offsetBytes);
  }
  assert.deepEqual(forwards, shown, fixture.name);
  const backwards: number[] = [];
  for (let fromBytes = bytes.length; backwards.length < shown.length;) {
    const { offsetBytes } = await page.ask({ type: "next", view, fromBytes, backwards: true });
    if (offsetBytes === undefined) break;
    backwards.push(fromBytes = offsetBytes);
  }
  assert.deepEqual(backwards, starts.slice(-shown.length).reverse(), fixture.name);
}

async function requireRunStarts(view: View, { runs, capacityBytes }: Map): Promise<void> {
  const starts = runs.filter(({ kind }) => kind !== "hole").map(({ start }) => start / SECTOR_SIZE);
  const shown = starts.slice(0, 40);
  const forwards: number[] = shown[0] === 0 ? [0] : [];
  for (let sector = 0; forwards.length < shown.length;) {
    const asked = { type: "next", view, fromBytes: sector * SECTOR_SIZE, backwards: false } as const;
    const { offsetBytes } = await page.ask(asked);
    if (offsetBytes === undefined) break;
    forwards.push(sector = offsetBytes / SECTOR_SIZE);
  }
  assert.deepEqual(forwards, shown);
  const backwards: number[] = [];
  for (let sector = capacityBytes / SECTOR_SIZE; backwards.length < shown.length;) {
    const asked = { type: "next", view, fromBytes: sector * SECTOR_SIZE, backwards: true } as const;
    const { offsetBytes } = await page.ask(asked);
    if (offsetBytes === undefined) break;
    backwards.push(sector = offsetBytes / SECTOR_SIZE);
  }
  assert.deepEqual(backwards, starts.slice(-shown.length).reverse());
}

for (const fixture of CASES.filter(({ expect }) => expect !== "ok")) {
  Deno.test(`${fixture.name}: the session answers and goes on working`, async () => {
    try {
      const { links } = await page.open(fixture.make());
      await page.scan("merged");
      await page.ask({ type: "tile", view: links.length - 1, fromSector: 0, sectorsPerCell: 64, cells: 100 });
      await page.ask({ type: "describe", view: "merged", sector: 0 });
    } catch (error) {
      assert.ok(error instanceof TroubleError, String(error));
      assert.notEqual(error.trouble.code, "BUG", error.trouble.message);
      assert.notEqual(error.trouble.message, "");
    }
    const opened = await page.open(caseNamed("chain-two-cowd-links").make());
    assert.ok(opened.links.length > 1);
  });
}

/** Says where long lists differ, instead of printing them. */
function requireSame(found: Uint8Array | Int16Array, expected: Uint8Array | Int16Array): void {
  assert.equal(found.length, expected.length);
  const at = found.findIndex((value, i) => value !== expected[i]);
  assert.equal(at, -1, `item ${at} is ${found[at]}, expected ${expected[at]}`);
}

Deno.test("bytes of a view are those that a guest reads, and say whose they are", async () => {
  const fixture = caseNamed("chain-two-cowd-links");
  const files = fixture.make();
  const { links } = await page.open(files);
  const expected = fixture.expected!();
  const of = { view: "merged" } as const;
  const { bytes, owners } = await page.ask({
    type: "bytes",
    of,
    offsetBytes: 0,
    lengthBytes: expected.length,
  });
  requireSame(bytes, expected);
  for (let sector = 0; sector < owners!.length; sector += 61) {
    const { linkIndex, kind, file, fileOffsetBytes } = await page.ask({
      type: "describe",
      view: "merged",
      sector,
    });
    assert.equal(owners![sector], kind === "data" ? linkIndex : -1);
    if (kind !== "data") continue;
    const asked = {
      type: "bytes",
      of: { file: file! },
      offsetBytes: fileOffsetBytes!,
      lengthBytes: 512,
    } as const;
    const raw = await page.ask(asked);
    requireSame(raw.bytes, expected.slice(sector * 512, sector * 512 + 512));
  }
  assert.ok(new Set(owners).size > 1, "one link alone owns everything");
  const cells = owners!.length;
  const map = await page.ask({ type: "owners", view: "merged", fromSector: 0, sectorsPerCell: 1, cells });
  requireSame(map.owners, owners!);
  assert.equal(links.length, 3);
});

Deno.test("the page's export is what regrain map --json writes", async () => {
  for (const name of ["chain-two-cowd-links", "chain-five-links-of-three-kinds"]) {
    const fixture = caseNamed(name);
    const files = fixture.make();
    await page.open(files);
    const { blob } = await page.ask({ type: "export", view: "merged", format: "json" });
    const map = JSON.parse(await blob.text());
    const { runs, capacityBytes } = await mapOf(files, fixture.leaf, true);
    assert.deepEqual({ runs: map.runs, capacityBytes: map.capacityBytes }, { runs, capacityBytes });
    assert.equal(map.image, fixture.leaf);
    const state = await page.scan("merged");
    const csv = await (await page.ask({ type: "export", view: "merged", format: "csv" })).blob.text();
    assert.equal(csv.trimEnd().split("\n").length, runs.length + 1);
    // What was saved opens where the disk is not.
    const opened = await page.open({ "map.json": new Uint8Array(await blob.arrayBuffer()) });
    assert.equal(opened.mapOnly, true);
    assert.deepEqual((await page.scan("merged", 77)).totals, state.totals);
    await requireRunStarts("merged", { runs, capacityBytes });
  }
});

Deno.test("findings, structure, areas and the comparison answer for every readable disk", async () => {
  for (const fixture of CASES.filter(({ expect }) => expect === "ok")) {
    const { links } = await page.open(fixture.make());
    const { findings, counts } = await page.ask({ type: "findings" });
    assert.equal(counts.damage, 0, findings.find(({ severity }) => severity === "damage")?.message);
    const { areas } = await page.ask({ type: "areas", view: "merged" });
    const sum = areas.reduce((bytes, { lengthBytes }) => bytes + lengthBytes, 0);
    assert.equal(sum, links[0]!.capacityBytes);
    for (const { name, sizeBytes } of links.flatMap(({ files }) => files)) {
      const node = await page.ask({ type: "structure", file: name });
      assert.ok(node.children.length > 0, `${fixture.name}: ${name} has no parts`);
      assert.ok(node.lengthBytes === sizeBytes || node.value === "descriptor");
    }
    if (links.length < 2) continue;
    const compared = await page.ask({ type: "compare" });
    assert.equal(compared.finished, true);
    const { totals } = await page.scan("deltas");
    assert.equal(compared.comparedBytes, totals.dataBytes);
    assert.equal(compared.changedBytes + compared.identicalBytes, compared.comparedBytes);
  }
});

Deno.test("damage is told and shown on the map, and the rest can be looked at", async () => {
  let shown = 0;
  for (const fixture of CASES.filter(({ expect, checkOnly }) => expect.includes("DAMAGED") && !checkOnly)) {
    const opened = await page.open(fixture.make()).catch((error) => {
      assert.ok(error instanceof TroubleError);
    });
    if (!opened) continue;
    const { capacitySectors } = opened;
    const { counts } = await page.ask({ type: "findings" });
    await page.scan(0);
    const tile = { type: "tile", view: 0, fromSector: 0, sectorsPerCell: 1, cells: capacitySectors } as const;
    const { damage } = await page.ask(tile);
    if (damage.includes(1)) shown++;
    assert.ok(counts.damage + counts.doubt > 0, fixture.name);
  }
  assert.ok(shown > 2, `${shown} disks show their damage`);
});

Deno.test("what was dropped is matched, whatever its order, and what is left over is said", async () => {
  const files = caseNamed("chain-two-cowd-links").make();
  const names = Object.keys(files);
  const reversed = await page.open(Object.fromEntries(Object.entries(files).reverse()));
  assert.deepEqual(reversed.links.map(({ isBase }) => isBase), [false, false, true]);
  assert.equal(reversed.judgement.command, undefined, "the tables were not read yet");
  const command = async () => (await page.ask({ type: "judgement" })).command;
  assert.equal(await command(), "regrain apply disk-000001.vmdk disk-000002.vmdk disk.vmdk");
  assert.equal(reversed.links[0]!.verdict!.state, "match");

  // The base as a raw image beside the delta.
  const flat = names.find((name) => name.endsWith("-flat.vmdk"))!;
  const { [flat]: base, "disk.vmdk": _text, ...deltas } = files;
  const beside = await page.open({ ...deltas, "vm's disk.img": base! });
  assert.equal(beside.links.length, 3);
  assert.equal(await command(), "regrain apply disk-000001.vmdk disk-000002.vmdk 'vm'\\''s disk.img'");

  const without = await page.open(deltas);
  assert.equal(without.isWhole, false);
  assert.match(without.remarks.join(), /was not dropped/);
  assert.match((await command())!, / TARGET$/);

  const other = { "notes.txt": new TextEncoder().encode("shopping list"), ...files };
  assert.match((await page.open(other)).remarks.join(), /notes\.txt: no raw disk: 13 bytes/);
  const bare = await page.open({ "disk-000001-delta.vmdk": files["disk-000001-delta.vmdk"]! });
  assert.equal(bare.links[0]!.parentCid, undefined);
});

Deno.test("two files of one name are both kept, and two disks are not mixed up", async () => {
  const files = caseNamed("chain-two-cowd-links").make();
  const other = { ...caseNamed("chain-disk-grown").make() };
  const twice = [...givenOf(files), ...givenOf({ "disk.vmdk": other["disk.vmdk"]! })];
  const opened = await page.ask({ type: "open", files: twice });
  assert.match(opened.remarks.join("\n"), /two files are called disk\.vmdk/);
  const raws = { "a.img": new Uint8Array(1024), "b.img": new Uint8Array(2048) };
  const two = await page.open(raws);
  assert.equal(two.links[0]!.name, "a.img");
  assert.match(two.remarks.join(), /b\.img is another disk than a\.img/);
});

Deno.test("what is asked of a disk that is closed meanwhile fails as that, and nobody need be told", async () => {
  await page.open(caseNamed("cowd-plain").make());
  const asked = page.ask({ type: "export", view: 0, format: "json" });
  await page.ask({ type: "close" });
  await assert.rejects(asked, (error) => error instanceof TroubleError && error.trouble.code === CLOSED);
});

Deno.test("a file that vanishes is told as such, and what is dropped next opens", async () => {
  const files = givenOf(caseNamed("chain-two-cowd-links").make());
  let gone = false;
  for (const given of files) {
    if (!("file" in given)) continue;
    const { file } = given;
    const slice = file.slice.bind(file);
    file.slice = (from, to) => {
      if (gone) throw new DOMException("the file is not there", "NotFoundError");
      return slice(from, to);
    };
  }
  await page.ask({ type: "open", files });
  gone = true;
  await assert.rejects(page.scan("merged"), (error) => {
    assert.ok(error instanceof TroubleError);
    assert.equal(error.trouble.code, "READ_FAILED");
    assert.match(error.trouble.message, /changed or vanished while it was open/);
    return true;
  });
  await assert.rejects(page.ask({ type: "open", files }), /changed or vanished/);
  assert.ok((await page.open(caseNamed("chain-disk-grown").make())).isWhole);
});
