/// <reference lib="dom" />
/** The bytes: what a delta changes, searching, going to places, and the structure that bytes belong to. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { caseNamed } from "../../fixtures/mod.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { allScanned, drop, focused, pickFiles, showView, until, withBrowser, withPage } from "./browser.ts";

const CHAIN = caseNamed("chain-two-cowd-links");

function inPage(fn: (page: Page, folder: string) => Promise<void>): Promise<void> {
  return withTempDir((folder) =>
    withBrowser((browser) => withPage(browser, {}, ({ page }) => fn(page, folder)))
  );
}

/** The page with a disk whose bytes are shown. */
function withBytes(
  files: Readonly<Record<string, Uint8Array>>,
  fn: (page: Page) => Promise<void>,
): Promise<void> {
  return withBrowser((browser) =>
    withPage(browser, {}, async ({ page }) => {
      await drop(page, files);
      await allScanned(page);
      await page.locator("body").press("2");
      await page.getByTestId("hex").waitFor();
      await fn(page);
    })
  );
}

async function goTo(page: Page, text: string): Promise<void> {
  await page.getByTestId("hex-goto").fill(text);
  await page.getByTestId("hex-goto").press("Enter");
}

/** How many bytes are marked as found, once they stand there in this order. */
async function foundBytes(page: Page, hex: string): Promise<number> {
  const marked = page.locator(".hex .found");
  const words = async () => (await marked.allInnerTexts()).map((text) => text.trim()).join(" ");
  for (let i = 0; i < 100 && await words() !== hex; i++) await page.waitForTimeout(20);
  assert.equal(await words(), hex);
  return await marked.count();
}

async function find(page: Page, text: string, kind: "text" | "hex" = "text"): Promise<string> {
  await page.getByTestId("hex-find-kind").selectOption(kind);
  await page.getByTestId("hex-find").fill(text);
  await page.getByTestId("hex-find").press("Enter");
  await until(page, "searching", ({ search }) => !search.running && search.message !== "");
  return await page.getByTestId("find-state").innerText();
}

testWithPeers(
  "bytes that a delta changes are marked against what lies below, in words too",
  ["chromium"],
  () =>
    withBytes(CHAIN.make(), async (page) => {
      await page.locator("body").press("n");
      await page.getByTestId("hex").locator(".differs").first().waitFor();
      const count = await page.getByTestId("hex").locator(".differs").count();
      assert.match(await page.getByTestId("hex-legend").innerText(), new RegExp(`\\b${count} of 512 bytes`));
      const row = page.getByTestId("hex").locator(".row").filter({ has: page.locator(".differs") }).first();
      assert.match(await row.locator(".sign").innerText(), /≠/);
      assert.match(await row.locator(".spoken").innerText(), /changed/);
      await row.locator(".differs").first().click();
      await page.getByTestId("hex-live").getByText(/changed: [0-9a-f]{2} below it/).waitFor();
      assert.equal(await page.getByTestId("hex").locator(".old").count(), 0);
      await page.getByTestId("hex-old").check();
      const told = await page.getByTestId("hex").locator(".old .bytes").first().innerText();
      const { position: { hexOffsetBytes } } = await until(page, "place", () => true);
      const below = CHAIN.make()["disk-flat.vmdk"]!;
      const first = parseInt(await row.locator(".offset").innerText(), 16);
      assert.ok(first <= hexOffsetBytes && told.length > 2);
      // Both deltas may change the row; where the lower one has nothing it is the base's bytes.
      assert.equal(told.replace(/\s/g, "").length % 2, 0);
      assert.ok(below.length > first);
    }),
);

testWithPeers(
  "without its base a delta has no marks, and the page says what is missing",
  ["chromium"],
  () => {
    const { "disk.vmdk": _text, "disk-flat.vmdk": _flat, ...deltas } = caseNamed("cowd-plain").make();
    return withBytes(deltas, async (page) => {
      await page.locator("body").press("n");
      assert.equal(await page.locator(".hex .differs").count(), 0);
      await page.getByText("Add the base to see which bytes the delta changes.").waitFor();
    });
  },
);

testWithPeers(
  "/ finds bytes and text in the data of the disk, goes on from the beginning, and says so",
  ["chromium"],
  () => {
    const disk = new Uint8Array(1 << 20).fill(0x11);
    disk.set(new TextEncoder().encode("NEEDLE"), 0x1234);
    disk.set(Uint8Array.from([..."NEEDLE"].flatMap((letter) => [letter.charCodeAt(0), 0])), 0x45678);
    return withBytes({ "disk.img": disk }, async (page) => {
      await page.locator("body").press("/");
      await focused(page, "find");
      assert.equal(await find(page, "NEEDLE"), "found at 0x1234");
      assert.equal(await foundBytes(page, "4e 45 45 44 4c 45"), 6);
      assert.equal(await find(page, "NEEDLE"), "found at 0x45678");
      assert.equal(await foundBytes(page, "4e 00 45 00 45 00 44 00 4c 00 45 00"), 12);
      assert.match(await find(page, "NEEDLE"), /found at 0x1234, going on from the beginning/);
      assert.equal(await find(page, "4e 00 45", "hex"), "found at 0x45678");
      assert.match(await find(page, "HAYSTACK"), /not found/);
      await page.getByTestId("hex-find-kind").selectOption("hex");
      await page.getByTestId("hex-find").fill("4e4");
      await page.getByTestId("hex-find").press("Enter");
      assert.match(await page.getByTestId("find-state").innerText(), /not whole bytes/);
    });
  },
);

testWithPeers(
  "a search that goes on shows how far it is and can be cancelled",
  ["chromium"],
  () =>
    inPage(async (page, folder) => {
      await pickFiles(page, folder, { "disk.img": new Uint8Array(128 << 20).fill(0x4e) });
      await page.locator("body").press("/");
      // Every byte may be the first of it, so that it takes its time.
      await page.getByTestId("hex-find").fill(`${"N".repeat(60)}X`);
      await page.getByTestId("hex-find").press("Enter");
      await until(page, "progress", ({ search }) => (search.searched?.doneBytes ?? 0) > 0);
      await page.getByRole("button", { name: "Cancel" }).click();
      const { search } = await until(page, "the end", ({ search }) => !search.running);
      assert.equal(search.message, "search stopped");
    }),
);

testWithPeers(
  "g goes to an offset, a sector, a grain and a table, and says in a sentence where it cannot",
  ["chromium"],
  () =>
    withBytes(caseNamed("hosted-monolithic").make(), async (page) => {
      await page.locator("body").press("g");
      await focused(page, "goto");
      const { opened } = await until(page, "opened", () => true);
      const { grainBytes, files } = opened!.links[0]!;
      const entries = Number(files[0]!.facts.numGTEsPerGT);
      const places = { "0x1234": 0x1234, "sector 9": 9 * 512, "grain 3": 3 * grainBytes! };
      for (const [text, offset] of Object.entries(places)) {
        await goTo(page, text);
        await until(page, text, ({ position }) => position.hexOffsetBytes === offset);
      }
      if (entries * grainBytes! < opened!.capacitySectors * 512) {
        await goTo(page, "GT 1");
        await until(page, "GT 1", ({ position }) => position.hexOffsetBytes === entries * grainBytes!);
      }
      await goTo(page, "GT 0");
      await until(page, "GT 0", ({ position }) => position.hexOffsetBytes === 0);
      await goTo(page, "somewhere");
      assert.match(await page.locator("#goto-reason").innerText(), /not a place; try/);
      await drop(page, { "disk.img": new Uint8Array(1 << 20) });
      await goTo(page, "GT 12");
      const reason = page.locator("#goto-reason");
      assert.equal(
        await reason.innerText(),
        "this disk has no grain tables: its bytes lie one after the other",
      );
    }),
);

for (const name of ["cowd-plain", "sesparse-runs", "hosted-version-1"]) {
  testWithPeers(
    `a byte of a file leads to its part in the structure, and back: ${name}`,
    ["chromium"],
    () =>
      withBytes(caseNamed(name).make(), async (page) => {
        const { opened } = await until(page, "opened", () => true);
        const file = opened!.links[0]!.files.find(({ format }) => format !== "descriptor")!.name;
        await page.getByTestId("hex-source").selectOption(file);
        const part = page.getByTestId("hex-part");
        await part.getByRole("button", { name: /^header › magic/ }).waitFor();
        await goTo(page, "GT 0");
        await part.getByRole("button", { name: /grain table 0 › entry 0, disk sector 0/ }).waitFor();
        await part.getByRole("button").click();
        const here = page.locator('.tree [aria-current="location"]');
        await here.waitFor();
        assert.match(await here.innerText(), /^entry 0, disk sector 0/);
        assert.ok(await here.isVisible());
        await page.locator(".tree summary").filter({ hasText: /^header/ }).first().click();
        await page.locator(".tree").getByRole("button", { name: /^grainSize|^grain_size/ }).first().click();
        const { tab, position } = await until(page, "bytes", ({ tab }) => tab === "hex");
        assert.deepEqual([tab, position.hexSource], ["hex", { file }]);
        await part.getByRole("button", { name: /^header › grain_?[sS]ize = \d+$/ }).waitFor();
      }),
  );
}

testWithPeers(
  "merged, the links keep tables of their own, and the page says to choose one",
  ["chromium"],
  () =>
    withBytes(CHAIN.make(), async (page) => {
      await showView(page, "merged");
      await goTo(page, "GT 0");
      assert.match(await page.locator("#goto-reason").innerText(), /choose one link/);
    }),
);
