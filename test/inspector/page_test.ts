/** Ways into the page, and through it. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { drop, dropPaths, paste, pick, until, withBrowser, withPage } from "./browser.ts";

/** One disk of each format and shape, and how many links it has. */
const DISKS = {
  "cowd-plain": 2,
  "sesparse-runs": 2,
  "hosted-version-1": 2,
  "hosted-monolithic": 1,
  "stream-footer": 1,
  "stream-front": 1,
  "split-sparse": 1,
  "split-flat": 1,
  "chain-two-cowd-links": 3,
  "chain-five-links-of-three-kinds": 6,
};

for (const [name, links] of Object.entries(DISKS)) {
  testWithPeers(
    `the page opens what is dropped on it and what is picked: ${name}`,
    ["chromium"],
    async () => {
      const fixture = caseNamed(name);
      await withTempDir((folder) =>
        withBrowser((browser) =>
          withPage(browser, {}, async ({ page }) => {
            const files = await writeCase(fixture, folder);
            const dropped = (await drop(page, files)).opened;
            assert.equal(dropped?.links.length, links);
            assert.equal(dropped?.capacitySectors, fixture.capacitySectors);
            assert.deepEqual(dropped?.remarks, []);
            await until(page, "scanning", ({ scan }) => scan?.finished === true);
            const picked = (await pick(page, Object.keys(files).map((file) => `${folder}/${file}`))).opened;
            assert.deepEqual(picked, dropped);
          })
        )
      );
    },
  );
}

const CHAIN = caseNamed("chain-two-cowd-links");

testWithPeers(
  "files that a file manager drops are opened, and a folder is refused in words",
  ["chromium"],
  () =>
    withTempDir((folder) =>
      withBrowser((browser) =>
        withPage(browser, {}, async ({ page }) => {
          await writeCase(CHAIN, `${folder}/disks`);
          const refused = await dropPaths(page, [`${folder}/disks`]);
          assert.equal(refused.opened, undefined);
          assert.match(refused.troubles[0]!.message, /disks is a folder: drop the files in it/);
          await page.getByText(/disks is a folder/).waitFor();
          const names = Object.keys(CHAIN.make()).map((name) => `${folder}/disks/${name}`);
          assert.equal((await dropPaths(page, names)).opened?.links.length, 3);
        })
      )
    ),
);

testWithPeers(
  "files that are pasted are opened",
  ["chromium"],
  () =>
    withBrowser((browser) =>
      withPage(browser, {}, async ({ page }) => {
        assert.equal((await paste(page, CHAIN.make())).opened?.links.length, 3);
      })
    ),
);
