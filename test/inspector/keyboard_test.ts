/// <reference lib="dom" />
/** Bytes, structure and chain by keys alone. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { caseNamed } from "../../fixtures/mod.ts";
import { testWithPeers } from "../helpers/peers.ts";
import { allScanned, drop, focused, stateOf, until, withBrowser, withPage } from "./browser.ts";

const CHAIN = caseNamed("chain-two-cowd-links");
const MAX_TABS = 40;

function withDisk(fn: (page: Page) => Promise<void>): Promise<void> {
  return withBrowser((browser) =>
    withPage(browser, {}, async ({ page }) => {
      await drop(page, CHAIN.make());
      await allScanned(page);
      await fn(page);
    })
  );
}

/** Presses Tab until what has the focus is wanted. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let i = 0; i < MAX_TABS; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((selector) => document.activeElement?.matches(selector) === true, selector)) {
      return;
    }
  }
  assert.fail(`${MAX_TABS} times Tab do not lead to ${selector}`);
}

async function requireOffset(page: Page, offset: number): Promise<void> {
  await until(page, `byte ${offset}`, ({ position }) => position.hexOffsetBytes === offset);
}

testWithPeers(
  "bytes are gone through, searched and gone to by keys",
  ["chromium"],
  () =>
    withDisk(async (page) => {
      await page.keyboard.press("2");
      await page.keyboard.press("g");
      await focused(page, "goto");
      await page.keyboard.type("0x200");
      await page.keyboard.press("Enter");
      await requireOffset(page, 0x200);
      await tabTo(page, "[data-testid=hex]");
      const moves: [string, number][] = [
        ["ArrowRight", 0x201],
        ["ArrowDown", 0x211],
        ["ArrowUp", 0x201],
        ["ArrowLeft", 0x200],
        ["PageDown", 0x400],
        ["PageUp", 0x200],
      ];
      for (const [key, offset] of moves) {
        await page.keyboard.press(key);
        await requireOffset(page, offset);
        await page.getByTestId("hex-live").getByText(new RegExp(`^0x${offset.toString(16)}:`)).waitFor();
      }
      await page.keyboard.press("/");
      await focused(page, "find");
      await page.keyboard.type("no such text");
      await page.keyboard.press("Enter");
      await until(page, "searching", ({ search }) => /not found/.test(search.message));
      // Letters typed into a field are no keys of the page.
      assert.equal((await stateOf(page)).tab, "hex");
      await page.keyboard.press("Escape");
    }),
);

testWithPeers(
  "the structure is opened, walked and left for the bytes by keys",
  ["chromium"],
  () =>
    withDisk(async (page) => {
      await page.keyboard.press("3");
      await page.locator(".tree summary").first().waitFor();
      await tabTo(page, ".tree li li summary");
      const branch = page.locator(".tree li li details").first();
      assert.equal(await branch.evaluate((each: HTMLDetailsElement) => each.open), false);
      await page.keyboard.press("Enter");
      assert.equal(await branch.evaluate((each: HTMLDetailsElement) => each.open), true);
      await tabTo(page, ".tree li li li button");
      const label = await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
      await page.keyboard.press("Enter");
      const { position } = await until(page, "bytes", ({ tab }) => tab === "hex");
      assert.ok(label.endsWith(`0x${position.hexOffsetBytes.toString(16)}`), label);
      assert.notEqual(position.hexSource, "disk");
    }),
);

testWithPeers(
  "the chain is reached, and the map coloured by link, by keys",
  ["chromium"],
  () =>
    withDisk(async (page) => {
      await page.keyboard.press("4");
      await page.getByTestId("chain").waitFor();
      await tabTo(page, "[data-testid=chain] button");
      await page.keyboard.press("Enter");
      await until(page, "map", ({ tab, view }) => tab === "map" && view === "merged");
      await tabTo(page, "[data-testid=map]");
      await page.keyboard.press("Enter");
      await until(page, "bytes", ({ tab }) => tab === "hex");
    }),
);

testWithPeers(
  "tabs are walked by arrows, and their end leads to the beginning",
  ["chromium"],
  () =>
    withDisk(async (page) => {
      await tabTo(page, "[role=tab]");
      for (const name of ["hex", "structure", "chain", "map"]) {
        await page.keyboard.press("ArrowRight");
        await until(page, name, ({ tab }) => tab === name);
      }
      await page.keyboard.press("ArrowLeft");
      await until(page, "chain", ({ tab }) => tab === "chain");
    }),
);
