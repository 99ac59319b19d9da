/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { caseNamed } from "../../../fixtures/mod.ts";
import { Page, TroubleError } from "../../../test/helpers/inspector_session.ts";

const SECTOR = 512;
const page = new Page();

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Opens a raw disk with texts at places, and returns how to search it. */
async function withTexts(sizeBytes: number, texts: Readonly<Record<number, string>>) {
  const disk = new Uint8Array(sizeBytes).fill(0xaa);
  for (const [at, text] of Object.entries(texts)) disk.set(bytesOf(text), Number(at));
  await page.open({ "disk.img": disk });
  return (fromBytes: number, ...patterns: Uint8Array[]) =>
    page.ask({ type: "search", view: 0, fromBytes, patterns });
}

Deno.test("a search finds what begins at or behind a byte, and goes on at the beginning", async () => {
  const search = await withTexts(64 * SECTOR, { 700: "needle", 20_000: "needle" });
  const needle = bytesOf("needle");
  const found = { lengthBytes: 6, stopped: false };
  assert.deepEqual(await search(0, needle), { foundBytes: 700, wrapped: false, ...found });
  assert.deepEqual(await search(700, needle), { foundBytes: 700, wrapped: false, ...found });
  assert.deepEqual(await search(701, needle), { foundBytes: 20_000, wrapped: false, ...found });
  assert.deepEqual(await search(20_001, needle), { foundBytes: 700, wrapped: true, ...found });
  const missing = await search(5, bytesOf("thread"));
  assert.deepEqual(missing, { foundBytes: undefined, lengthBytes: 0, wrapped: true, stopped: false });
});

Deno.test("of several patterns the first in the disk is found, and zeros in front cost no match", async () => {
  const search = await withTexts(64 * SECTOR, { 900: "\0\0wide", 4000: "narrow" });
  const [wide, narrow] = [bytesOf("\0\0wide"), bytesOf("narrow")];
  assert.equal((await search(0, narrow, wide)).foundBytes, 900);
  assert.equal((await search(901, narrow, wide)).foundBytes, 4000);
});

Deno.test("what crosses the border of two pieces, or lies at either end, is found", async () => {
  const piece = 2 * 1024 * 1024;
  const size = 2 * piece + 64 * SECTOR;
  const search = await withTexts(size, { 0: "first", [piece - 3]: "border", [size - 4]: "last" });
  assert.equal((await search(1, bytesOf("first"))).foundBytes, 0);
  assert.equal((await search(0, bytesOf("border"), bytesOf("rder"))).foundBytes, piece - 3);
  assert.equal((await search(piece - 2, bytesOf("border"))).wrapped, true);
  assert.equal((await search(0, bytesOf("last"))).foundBytes, size - 4);
});

Deno.test("a search sees what a guest reads where any link has data, and no further", async () => {
  const fixture = caseNamed("chain-two-cowd-links");
  const { links } = await page.open(fixture.make());
  const expected = fixture.expected!();
  const { owners } = await page.ask({
    type: "bytes",
    of: { view: "merged" },
    offsetBytes: 0,
    lengthBytes: expected.length,
  });
  for (let link = 0; link < links.length; link++) {
    const sector = owners!.indexOf(link);
    const pattern = expected.slice(sector * SECTOR + 100, sector * SECTOR + 140);
    const asked = { type: "search", view: "merged", fromBytes: 0, patterns: [pattern] } as const;
    const { foundBytes } = await page.ask(asked);
    assert.ok(foundBytes !== undefined && foundBytes <= sector * SECTOR + 100, `link ${link}`);
    assert.deepEqual(expected.slice(foundBytes, foundBytes + 40), pattern);
  }
});

Deno.test("a search that is given up says so, and nothing and too much are no patterns", async () => {
  const search = await withTexts(64 * SECTOR, { 700: "needle" });
  const given = search(0, bytesOf("needle"));
  await page.ask({ type: "stop-search" });
  const { stopped, foundBytes } = await given;
  assert.deepEqual({ stopped, foundBytes }, { stopped: true, foundBytes: undefined });
  for (const patterns of [[], [new Uint8Array()], [new Uint8Array(1025)]]) {
    await assert.rejects(search(0, ...patterns), (error) => {
      return error instanceof TroubleError && error.trouble.code === "USAGE";
    });
  }
});
