/// <reference lib="dom" />
/** Who uses no mouse, sees no colours, reads by ear or has a small screen: the page is for them too. */
import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { caseNamed } from "../../fixtures/mod.ts";
import { testWithPeers } from "../helpers/peers.ts";
import { settle, violations } from "./axe.ts";
import { drop, type PageOptions, until, type Watched, withBrowser, withPage } from "./browser.ts";

const CHAIN = caseNamed("chain-five-links-of-three-kinds").make();
const DAMAGED = caseNamed("hosted-table-damaged").make();
const NARROW_PX = 360;

/** The page with a disk that has been scanned. */
function withDisk(options: PageOptions, fn: (watched: Watched) => Promise<void>): Promise<void> {
  return withBrowser((browser) =>
    withPage(browser, options, async (watched) => {
      await drop(watched.page, CHAIN);
      await until(watched.page, "scanning", ({ scan }) => scan?.finished === true);
      await fn(watched);
    })
  );
}

/** Each view in turn, by its tab. */
async function eachTab(page: Page, fn: (name: string) => Promise<void>): Promise<void> {
  const tabs = await page.getByRole("tab").all();
  assert.ok(tabs.length >= 4, `${tabs.length} tabs`);
  for (const tab of tabs) {
    await tab.click();
    await settle(page);
    await fn(await tab.innerText());
  }
}

for (const colorScheme of ["light", "dark"] as const) {
  testWithPeers(
    `axe-core finds nothing wrong with any view in ${colorScheme}`,
    ["chromium"],
    () =>
      withBrowser((browser) =>
        withPage(browser, { colorScheme, reducedMotion: "reduce" }, async ({ page }) => {
          await page.context().addInitScript(axe.source);
          await page.reload();
          await settle(page);
          assert.deepEqual(await violations(page), [], "before a file was opened");
          for (const files of [CHAIN, DAMAGED]) {
            await drop(page, files);
            await until(page, "scanning", ({ scan }) => scan?.finished === true);
            await eachTab(page, async (name) => assert.deepEqual(await violations(page), [], name));
          }
          await page.keyboard.press("Escape");
          await page.locator("body").press("?");
          assert.deepEqual(await violations(page), [], "help");
          await drop(page, { "notes.txt": new TextEncoder().encode("no disk") });
          assert.deepEqual(await violations(page), [], "trouble");
        })
      ),
  );
}

testWithPeers(
  "a screen of 360 pixels shows every view without scrolling sideways",
  ["chromium"],
  () =>
    withDisk({ width: NARROW_PX, height: 740 }, async ({ page }) => {
      // Where there is data, numbers are long.
      await page.locator("body").press("n");
      await eachTab(page, async (name) => {
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= NARROW_PX, `${name}: ${width} pixels wide`);
      });
    }),
);

/** Elements with something to be read that stick out of the page, unless a box that scrolls holds them. */
function cutOff(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const scrolls = (element: Element) => /auto|scroll/.test(getComputedStyle(element).overflowX);
    const hidden = (element: Element) => {
      const box = element.getBoundingClientRect();
      if (box.width === 0 || element.closest(".spoken, details:not([open]) > :not(summary)")) return false;
      for (let each = element.parentElement; each; each = each.parentElement) if (scrolls(each)) return false;
      return box.right > innerWidth + 1 || box.left < -1 ||
        (element instanceof HTMLElement && element.scrollWidth > element.clientWidth + 1 &&
          getComputedStyle(element).overflowX === "hidden");
    };
    return [...document.querySelectorAll("body *")].filter(hidden).map(({ outerHTML }) =>
      outerHTML.slice(0, 120)
    );
  });
}

// Zoomed to 200 %, a window of 1280 x 800 has room for half of each.
testWithPeers(
  "at 200 % nothing is cut off, and nothing scrolls sideways",
  ["chromium"],
  () =>
    withDisk({ width: 640, height: 400, deviceScaleFactor: 2 }, async ({ page }) => {
      await page.locator("body").press("n");
      await eachTab(page, async (name) => {
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= 640, `${name}: ${width} pixels wide`);
        assert.deepEqual(await cutOff(page), [], name);
      });
    }),
);

testWithPeers(
  "with forced colours every view stands, and what colours say is said otherwise too",
  ["chromium"],
  () =>
    withDisk({ forcedColors: "active" }, async ({ page }) => {
      await eachTab(page, async (name) => {
        assert.ok((await page.getByRole("tabpanel").innerText()).trim().length > 0, name);
        const chosen = page.locator('[role=tab][aria-selected="true"]');
        const line = (tab: Element) => getComputedStyle(tab).borderBottomColor;
        const other = page.locator('[role=tab][aria-selected="false"]').first();
        assert.notEqual(await chosen.evaluate(line), await other.evaluate(line), name);
      });
      await page.locator("body").press("2");
      await page.locator("body").press("n");
      // Both in one look: between two, the cursor may have come to the very byte that was found.
      await page.locator(".hex .chosen").waitFor();
      await page.locator(".hex .differs:not(.chosen)").first().waitFor();
      await settle(page);
      const { line, changed, cursor } = await page.evaluate(() => {
        const styleOf = (selector: string) => {
          const byte = document.querySelector(selector);
          if (byte === null) throw new Error(`no ${selector}`);
          return getComputedStyle(byte);
        };
        const { textDecorationLine, backgroundColor } = styleOf(".hex .differs:not(.chosen)");
        const chosen = styleOf(".hex .chosen").backgroundColor;
        return { line: textDecorationLine, changed: backgroundColor, cursor: chosen };
      });
      assert.match(line, /underline/);
      assert.notEqual(cursor, changed);
    }),
);

testWithPeers(
  "every view is reached by its number, and ? lists the keys",
  ["chromium"],
  () =>
    withDisk({}, async ({ page }) => {
      const names = await page.getByRole("tab").allInnerTexts();
      for (const [i, name] of names.entries()) {
        await page.keyboard.press(String(i + 1));
        assert.equal(await page.locator('[role=tab][aria-selected="true"]').innerText(), name);
      }
      await page.keyboard.press("?");
      const help = page.getByRole("dialog");
      assert.ok(await help.isVisible());
      const listed = await help.innerText();
      const words = listed.split(/\s+/);
      for (const key of ["o", "g", "n", "p", "h", "t", "?"]) {
        assert.ok(words.some((word) => word.length <= 2 && word.includes(key)), key);
      }
      await page.keyboard.press("Escape");
      assert.equal(await help.isVisible(), false);
    }),
);

testWithPeers(
  "Tab leads to every control and never into a trap",
  ["chromium"],
  () =>
    withDisk({}, async ({ page }) => {
      const seen = new Set<string>();
      for (let i = 0; i < 120; i++) {
        await page.keyboard.press("Tab");
        seen.add(await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 120) ?? ""));
      }
      const controls = await page.locator("button:visible, select:visible, a[href]:visible").count();
      assert.ok(seen.size > 3 && seen.size >= Math.min(controls, 20) / 2, `${seen.size} of ${controls}`);
      assert.ok([...seen].some((html) => /role="application"/.test(html)), "the map is not reached");
    }),
);

testWithPeers(
  "the map speaks the cell under its cursor, and n and p go from change to change",
  ["chromium"],
  () =>
    withDisk({}, async ({ page }) => {
      const map = page.locator('[role="application"]').first();
      await map.focus();
      const spoken = () => page.locator("[aria-live]").allInnerTexts();
      const said: string[] = [];
      for (const key of ["ArrowRight", "n", "n", "p", "+", "ArrowDown", "-", "0"]) {
        await page.keyboard.press(key);
        await settle(page);
        said.push((await spoken()).join(" "));
      }
      assert.ok(new Set(said).size >= 3, said.join("\n"));
    }),
);
