/// <reference lib="dom" />
/** What the page keeps: the disk that is open, the way out of a field, every press of a key. */
import assert from "node:assert/strict";
import { caseNamed } from "../../fixtures/mod.ts";
import { testWithPeers } from "../helpers/peers.ts";
import { allScanned, drop, focused, stateOf, until, withBrowser, withPage } from "./browser.ts";

const CHAIN = caseNamed("chain-two-cowd-links");

testWithPeers(
  "C7: what is open stays when a file that is no disk is dropped, Escape leaves the fields, no press of n is lost",
  ["chromium"],
  () =>
    withBrowser((browser) =>
      withPage(browser, {}, async ({ page }) => {
        await drop(page, CHAIN.make());
        const before = await allScanned(page);
        const after = await drop(page, { "notes.txt": new TextEncoder().encode("nothing of a disk") });
        assert.match(after.troubles[0]!.message, /notes\.txt/);
        assert.deepEqual([after.opened, after.view, after.scan], [before.opened, before.view, before.scan]);
        await page.getByText(/notes\.txt: /).waitFor();

        // The disk is still read: presses faster than their answers are all made, each onto a changed byte.
        const places = changes(CHAIN.make(), 6);
        for (let i = 0; i < 5; i++) await page.keyboard.press("n");
        await until(page, "five steps", ({ position }) => position.hexOffsetBytes === places[4]);
        for (let i = 0; i < 2; i++) await page.keyboard.press("p");
        await until(page, "two steps back", ({ position }) => position.hexOffsetBytes === places[2]);

        for (const [key, field] of [["g", "goto"], ["/", "find"]] as const) {
          await page.keyboard.press(key);
          await focused(page, field);
          await page.keyboard.press("Escape");
          await page.locator("[data-testid=hex]:focus").waitFor();
          // Letters are keys again.
          await page.keyboard.press("n");
          await until(page, "a step", ({ position }) => position.hexOffsetBytes === places[3]);
          await page.keyboard.press("p");
          await until(page, "a step back", ({ position }) => position.hexOffsetBytes === places[2]);
        }
        assert.equal((await stateOf(page)).tab, "hex");
      })
    ),
);

/** The first changed bytes after the beginning of the disk, from what the fixture says a guest reads. */
function changes(files: Readonly<Record<string, Uint8Array>>, count: number): number[] {
  const [now, base] = [CHAIN.expected!(), files["disk-flat.vmdk"]!];
  const found: number[] = [];
  let isInside = false;
  for (let sector = 0; sector < now.length / 512 && found.length < count; sector++) {
    const from = sector * 512;
    const first = now.subarray(from, from + 512).findIndex((byte, i) => byte !== base[from + i]);
    if (first >= 0 && !isInside && from + first > 0) found.push(from + first);
    isInside = first >= 0;
  }
  return found;
}
