/// <reference lib="dom" />
/** What one leaves the page with, and comes back with. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { regrainExits } from "../helpers/cli.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import {
  allScanned,
  drop,
  PAGE_URL,
  scanned,
  showView,
  until,
  type Watched,
  withBrowser,
  withPage,
} from "./browser.ts";
import { mapTotals, totalsOf } from "./truth.ts";

const CHAIN = caseNamed("chain-two-cowd-links");

function inPage(fn: (watched: Watched) => Promise<void>): Promise<void> {
  const permissions = ["clipboard-read", "clipboard-write"];
  return withBrowser((browser) => withPage(browser, { permissions }, fn));
}

/** Leaves the page and comes back by an address. */
async function openAnew(page: Page, url: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(url);
  await page.getByTestId("drop").waitFor();
}

/** Clicks what saves a file, and returns its name and contents. */
async function saved(page: Page, testId: string): Promise<{ name: string; bytes: Uint8Array }> {
  const coming = page.waitForEvent("download");
  await page.getByTestId(testId).click();
  const download = await coming;
  return { name: download.suggestedFilename(), bytes: await Deno.readFile(await download.path()) };
}

testWithPeers(
  "the runs saved as JSON and CSV are what regrain map writes, and the page opens them again",
  ["chromium"],
  () =>
    withTempDir((folder) =>
      inPage(async ({ page }) => {
        const files = await writeCase(CHAIN, folder);
        const [truth] = mapTotals([`${folder}/${CHAIN.leaf}`], { chain: true });
        await drop(page, files);
        await showView(page, "merged");
        await scanned(page, "merged");
        const json = await saved(page, "export-json");
        assert.match(json.name, /\.map\.json$/);
        assert.deepEqual(totalsOf(JSON.parse(new TextDecoder().decode(json.bytes))), truth);
        const csv = await saved(page, "export-csv");
        const lines = new TextDecoder().decode(csv.bytes).trimEnd().split("\n");
        assert.ok(lines.length - 1 >= truth!.runCount && lines.every((line) => line.includes(",")));

        const { opened } = await drop(page, { "map.json": json.bytes });
        assert.equal(opened?.mapOnly, true);
        assert.deepEqual((await scanned(page, 0)).scan?.totals, truth);
        assert.ok(await page.getByTestId("tab-hex").isDisabled());
        await page.locator("body").press("n");
        await until(page, "next change", ({ position }) => position.cursorSector > 0);
      })
    ),
);

testWithPeers(
  "the page opens what regrain map --json wrote",
  ["chromium"],
  () =>
    withTempDir((folder) =>
      inPage(async ({ page }) => {
        await writeCase(CHAIN, folder);
        const leaf = `${folder}/${CHAIN.leaf}`;
        const { stdout } = regrainExits(0, ["map", "--json", leaf]);
        const { opened } = await drop(page, { "elsewhere.json": new TextEncoder().encode(stdout) });
        assert.equal(opened?.mapOnly, true);
        assert.deepEqual((await scanned(page, 0)).scan?.totals, mapTotals([leaf], { chain: false })[0]);
      })
    ),
);

testWithPeers(
  "the map is saved as a picture that shows something",
  ["chromium"],
  () =>
    inPage(async ({ page }) => {
      await drop(page, CHAIN.make());
      await allScanned(page);
      await page.waitForTimeout(200);
      const { name, bytes } = await saved(page, "export-png");
      assert.match(name, /\.map\.png$/);
      const colours = await page.evaluate(async (base64) => {
        const packed = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
        const bitmap = await createImageBitmap(new Blob([packed], { type: "image/png" }));
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d")!;
        context.drawImage(bitmap, 0, 0);
        return new Set(new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer))
          .size;
      }, bytes.toBase64());
      assert.ok(colours >= 3, `${colours} colours`);
    }),
);

testWithPeers(
  "the command that is shown and copied applies what was dropped",
  ["chromium"],
  () =>
    withTempDir((folder) =>
      inPage(async ({ page }) => {
        const files = await writeCase(CHAIN, folder);
        await drop(page, files);
        const shown = await page.getByTestId("command").innerText();
        await page.getByRole("button", { name: "Copy command" }).click();
        await page.getByText("command copied").waitFor();
        assert.equal(await page.evaluate(() => navigator.clipboard.readText()), shown);
        const [program, ...args] = shown.split(" ");
        assert.equal(program, "regrain");
        const paths = args.map((arg) => arg.endsWith(".vmdk") ? `${folder}/${arg}` : arg);
        regrainExits(0, paths);
        assert.deepEqual(await Deno.readFile(`${folder}/disk-flat.vmdk`), CHAIN.expected!());
      })
    ),
);

testWithPeers(
  "a link leads back to the view, and warns over another file",
  ["chromium"],
  () =>
    inPage(async ({ page }) => {
      await drop(page, CHAIN.make());
      await allScanned(page);
      await page.locator("body").press("n");
      await page.locator("body").press("2");
      const { position } = await until(page, "bytes", ({ tab, position }) =>
        tab === "hex" && position.hexOffsetBytes > 0);
      await page.getByRole("button", { name: "Copy link to this view" }).click();
      await page.getByText("link copied").waitFor();
      const link = await page.evaluate(() =>
        navigator.clipboard.readText()
      );
      assert.match(link, /^file:.*#view=hex&o=0x/);
      await openAnew(page, link);
      await drop(page, CHAIN.make());
      const back = await until(page, "opening", ({ opened }) => opened !== undefined);
      assert.equal(back.tab, "hex");
      assert.equal(back.position.hexOffsetBytes, position.hexOffsetBytes);
      assert.equal(back.warning, undefined);
      await openAnew(page, link);
      await drop(page, caseNamed("cowd-plain").make());
      await page.getByText(/the link was made for/).waitFor();
    }),
);

testWithPeers(
  "theme, curve and speed are remembered, and a link wins over them",
  ["chromium"],
  () =>
    inPage(async ({ page }) => {
      await drop(page, CHAIN.make());
      await page.locator("body").press("h");
      await page.getByTestId("theme").click();
      await page.getByTestId("cost").locator("select").selectOption("1000");
      const { theme } = await until(page, "choosing", ({ speedMbps }) => speedMbps === 1000);
      await openAnew(page, PAGE_URL);
      const back = await until(page, "reloading", ({ speedMbps }) => speedMbps === 1000);
      assert.deepEqual([back.curve, back.theme], ["hilbert", theme]);
      await openAnew(page, `${PAGE_URL}#view=map&curve=r`);
      await until(page, "the link", ({ curve, speedMbps }) => curve === "rows" && speedMbps === 1000);
    }),
);
