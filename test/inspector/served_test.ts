/** `regrain inspect` to its end: the command, its server, and the page in a browser. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { withInspector } from "../helpers/inspector.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { scanned, showView, until, withBrowser, withPage } from "./browser.ts";
import { mapTotals } from "./truth.ts";

for (const name of ["chain-five-links-of-three-kinds", "cowd-plain", "stream-footer", "split-sparse"]) {
  const fixture = caseNamed(name);
  testWithPeers(`regrain inspect opens what it was given: ${name}`, ["chromium"], async () => {
    await withTempDir(async (folder) => {
      await writeCase(fixture, folder);
      const leaf = `${folder}/${fixture.leaf}`;
      const [totals] = mapTotals([leaf], { chain: true });
      await withInspector(
        ["--no-open", leaf],
        {},
        ({ url, cookie }) =>
          withBrowser((browser) =>
            withPage(browser, { url, cookie }, async ({ page }) => {
              const { opened } = await until(page, "opening", ({ opened }) => opened !== undefined);
              assert.equal(opened!.links[0]!.name, fixture.leaf);
              const view = opened!.links.length > 1 ? "merged" : 0;
              if (view === "merged") await showView(page, view);
              assert.deepEqual((await scanned(page, view)).scan?.totals, totals);
            })
          ),
      );
    });
  });
}

testWithPeers(
  "a file that changes while regrain inspect serves it is told in the page",
  ["chromium"],
  async () => {
    const fixture = caseNamed("cowd-plain");
    await withTempDir(async (folder) => {
      await writeCase(fixture, folder);
      await withInspector(
        ["--no-open", `${folder}/${fixture.leaf}`],
        {},
        ({ url, cookie }) =>
          withBrowser((browser) =>
            withPage(browser, { url, cookie }, async ({ page }) => {
              await until(page, "opening", ({ opened }) => opened !== undefined);
              await until(page, "scanning", ({ scan }) => scan?.finished === true);
              const delta = `${folder}/disk-000001-delta.vmdk`;
              await Deno.writeFile(delta, new Uint8Array(1 << 20), { append: true });
              await page.getByRole("tab", { name: /bytes/i }).click();
              const { troubles } = await until(page, "trouble", ({ troubles }) => troubles.length > 0);
              assert.match(troubles[0]!.message, /changed/);
            })
          ),
      );
    });
  },
);

testWithPeers(
  "of several disks that are served the one named first is shown, from its link on",
  ["chromium"],
  () =>
    withTempDir(async (folder) => {
      const chain = caseNamed("chain-two-cowd-links");
      const other = caseNamed("stream-footer");
      await writeCase(chain, `${folder}/chain`);
      // A disk of one file may have any name.
      const single = `${folder}/other.vmdk`;
      await Deno.writeFile(single, Object.values(other.make())[0]!);
      const [leaf, middle] = ["disk-000002.vmdk", "disk-000001.vmdk"].map((name) =>
        `${folder}/chain/${name}`
      );
      const orders = [[single, leaf!], [leaf!, single], [middle!, leaf!, single]];
      for (const images of orders) {
        await withInspector(["--no-open", ...images], {}, ({ url, cookie }) =>
          withBrowser((browser) =>
            withPage(browser, { url, cookie }, async ({ page }) => {
              const { opened, view } = await until(page, "opening", ({ opened }) => opened !== undefined);
              const shown = opened!.links[typeof view === "number" ? view : 0]!.name;
              assert.equal(shown, images[0]!.split("/").at(-1), images.join(" "));
              assert.equal(opened!.links.length, images[0] === single ? 1 : 3);
            })
          ));
      }
    }),
);
