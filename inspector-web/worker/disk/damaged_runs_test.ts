/// <reference lib="deno.ns" />
/** Damage in the page: a kind of run of its own, in sums, map, strip, areas and bytes; never a hole, never zeros. */
import assert from "node:assert/strict";
import {
  baseFiles,
  buildCowd,
  dataGrains,
  deltaFiles,
  type Files,
  putInteger,
} from "../../../fixtures/mod.ts";
import { Page } from "../../../test/helpers/inspector_session.ts";
import { SAME, UNKNOWN_BELOW } from "../../shared/protocol.ts";

const CAPACITY_SECTORS = 4096 * 3;
/** Sectors with an entry that cannot be; the table of the second 4096 is lost whole. */
const BAD = [11, 12];
const LOST_FROM = 4096;
const page = new Page();

function damaged(): Files {
  const image = buildCowd({
    capacitySectors: CAPACITY_SECTORS,
    grainSectors: 1,
    seed: 3,
    grains: dataGrains([10, 11, 12, 13, 5000]),
  });
  for (const sector of BAD) {
    putInteger(image.bytes, { at: image.layout.entries.get(sector)!, size: 4, value: 0x7000_0000 });
  }
  putInteger(image.bytes, { at: image.layout.directory + 4, size: 4, value: 1 });
  return {
    ...baseFiles({ capacitySectors: CAPACITY_SECTORS }),
    ...deltaFiles({ kind: "cowd", bytes: image.bytes, capacitySectors: CAPACITY_SECTORS }),
  };
}

function isDamaged(sector: number): boolean {
  return BAD.includes(sector) || (sector >= LOST_FROM && sector < LOST_FROM + 4096);
}

Deno.test("C3: damaged sectors are counted, drawn and shown as damaged, alone and merged with the base", async () => {
  await page.open(damaged());
  for (const view of [0, "merged"] as const) {
    const { totals, histogram } = await page.scan(view);
    assert.equal(totals.damagedBytes, (BAD.length + 4096) * 512);
    assert.equal(totals.dataBytes, view === 0 ? 2 * 512 : (CAPACITY_SECTORS - 4096 - BAD.length) * 512);
    assert.equal(histogram.bytes.reduce((a, b) => a + b), totals.dataBytes + totals.zeroBytes);
    for (const sectorsPerCell of [1, 64]) {
      const cells = CAPACITY_SECTORS / sectorsPerCell;
      const tile = await page.ask({ type: "tile", view, fromSector: 0, sectorsPerCell, cells });
      for (let i = 0; i < cells; i++) {
        const sectors = Array.from({ length: sectorsPerCell }, (_, at) => i * sectorsPerCell + at);
        assert.equal(
          tile.damage[i] === 1,
          sectors.some(isDamaged),
          `${view}: cell ${i} of ${sectorsPerCell}`,
        );
      }
    }
    const { areas } = await page.ask({ type: "areas", view });
    assert.equal(areas.reduce((sum, { damagedBytes }) => sum + damagedBytes, 0), totals.damagedBytes);
    const { owners, changes } = await page.ask({
      type: "bytes",
      of: { view },
      offsetBytes: 0,
      lengthBytes: 16 * 512,
      withBelow: true,
    });
    assert.deepEqual(
      [...owners!].map((owner) => owner === -3),
      Array.from({ length: 16 }, (_, i) => isDamaged(i)),
    );
    assert.deepEqual([changes![11 * 512], changes![9 * 512]], [UNKNOWN_BELOW, SAME]);
    assert.equal((await page.ask({ type: "describe", view, sector: 11 })).kind, "damaged");
  }
});

Deno.test("C2: of a damaged delta neither a command nor a cost is shown, but the sentence of the command", async () => {
  const { judgement: first } = await page.open(damaged());
  assert.deepEqual([first.command, first.plan, first.isFinal], [undefined, undefined, false]);
  const { state, command, plan, refusals } = await page.ask({ type: "judgement" });
  assert.deepEqual([state, command, plan], ["refused", undefined, undefined]);
  assert.equal(refusals[0]!.code, "DAMAGED");
  assert.match(refusals[0]!.message, /disk-000001-delta\.vmdk: .*, at byte \d+/);
});

Deno.test("C1: what is known of a base is match, mismatch or unknown, and unknown says why", async () => {
  const { "disk.vmdk": text, "disk-flat.vmdk": base, ...delta } = damaged();
  const verdict = async (files: Files) => (await page.open(files)).links[0]!.verdict!;
  const own = await verdict({ ...delta, "disk.vmdk": text!, "disk-flat.vmdk": base! });
  assert.equal(own.state, "match");
  const raw = await verdict({ ...delta, "copy.img": base! });
  assert.equal(raw.state, "unknown");
  assert.match(raw.sentences.join(), /content id/);
  const written = new TextEncoder().encode(new TextDecoder().decode(text).replace(/CID=\w+/, "CID=01234567"));
  const other = await verdict({ ...delta, "disk.vmdk": written, "disk-flat.vmdk": base! });
  assert.equal(other.state, "mismatch");
  assert.match(other.sentences.join(), /01234567/);
});
