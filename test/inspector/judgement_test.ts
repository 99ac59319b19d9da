/// <reference lib="dom" />
/** What the page says of a base and of an apply, in a real browser: in words, in colours, and to everybody. */
import assert from "node:assert/strict";
import axe from "axe-core";
import { firstSentence } from "../../inspector-web/shared/judgement_words.ts";
import { testWithPeers } from "../helpers/peers.ts";
import { SITUATIONS } from "../helpers/situations.ts";
import { settle, violations } from "./axe.ts";
import { drop, until, withBrowser, withPage } from "./browser.ts";

/** Situations that are shown in a browser, with the class of their colour and how many verdicts have which state. */
const SHOWN: readonly (readonly [string, "good" | "bad" | "doubt"])[] = [
  ["a chain of two deltas on its base", "good"],
  ["a raw copy of the base, which has no content id", "doubt"],
  ["a raw disk of the same size with another disk's partition table", "doubt"],
  ["a base that was written to after the snapshot", "bad"],
  ["a delta with an entry past its end", "bad"],
];

for (const [colorScheme, width] of [["light", 1280], ["dark", 360]] as const) {
  testWithPeers(
    `C1, C2: the page shows each judgement in words and with a command only when it works, ${colorScheme}, ${width}`,
    ["chromium"],
    () =>
      withBrowser((browser) =>
        withPage(browser, { colorScheme, width, reducedMotion: "reduce" }, async ({ page }) => {
          await page.context().addInitScript(axe.source);
          await page.reload();
          await settle(page);
          for (const [name, colour] of SHOWN) {
            const { expect, make } = SITUATIONS.find((each) => each.name === name)!;
            await drop(page, make());
            const { judgement } = await until(page, name, ({ judgement }) => judgement?.isFinal === true);
            const box = page.getByTestId("judgement");
            await box.and(page.locator(`.${colour}`)).waitFor();
            const words = (await box.innerText()).replaceAll(/\s+/g, " ");
            const [head, reason] = firstSentence(judgement!).split(/: (.*)/);
            assert.ok(words.startsWith(head!) && words.includes(reason ?? ""), `${name}: ${words}`);
            const command = page.getByTestId("command");
            if ("command" in expect) assert.equal(await command.innerText(), expect.command);
            else {
              assert.equal(await command.count(), 0);
              assert.match(await page.getByTestId("no-command").innerText(), expect.says);
            }
            assert.equal(await page.getByTestId("cost").count(), "command" in expect ? 1 : 0, name);
            await settle(page);
            assert.deepEqual(await violations(page), [], name);
            const scrolled = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(scrolled <= width, `${name}: ${scrolled} pixels wide`);
          }
        })
      ),
  );
}
