/**
 * Pictures of every view, to be looked at: `deno run -A test/inspector/screenshots.ts FOLDER [FILE...]`.
 *
 * Without files they are of a chain of five links; with files, of the disk that these make. Each view is taken in
 * light and in dark, and once as narrow as a telephone.
 */
import type { Page } from "playwright-core";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { withTempDir } from "../helpers/peers.ts";
import { pick, until, withBrowser, withPage } from "./browser.ts";

const SIZES = {
  light: { colorScheme: "light", width: 1440, height: 900 },
  dark: { colorScheme: "dark", width: 1440, height: 900 },
  narrow: { colorScheme: "light", width: 360, height: 740 },
} as const;
const SETTLE_MS = 400;

/** Takes all pictures of one disk, named by size and view. */
async function takeAll(paths: readonly string[], folder: string): Promise<void> {
  await withBrowser(async (browser) => {
    for (const [size, options] of Object.entries(SIZES)) {
      await withPage(browser, options, async ({ page }) => {
        await take(page, `${folder}/${size}-start.png`);
        await pick(page, paths);
        await until(page, "scanning", ({ scan }) => scan?.finished === true);
        // Where something is changed there is more to be seen.
        await page.locator("body").press("n");
        for (const tab of await page.getByRole("tab").all()) {
          await tab.click();
          const name = (await tab.innerText()).toLowerCase().replaceAll(/\W+/g, "-");
          await take(page, `${folder}/${size}-${name}.png`);
        }
      });
    }
  });
}

async function take(page: Page, path: string): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  // A telephone is scrolled: all of the page is to be seen.
  await page.screenshot({ path, fullPage: page.viewportSize()!.width < 500 });
  console.error(path);
}

async function main([folder, ...paths]: readonly string[]): Promise<number> {
  if (folder === undefined) {
    console.error("which folder are the pictures to be put in?");
    return 2;
  }
  await Deno.mkdir(folder, { recursive: true });
  if (paths.length > 0) {
    await takeAll(paths, folder);
    return 0;
  }
  await withTempDir(async (made) => {
    const files = await writeCase(caseNamed("chain-five-links-of-three-kinds"), made);
    await takeAll(Object.keys(files).map((name) => `${made}/${name}`), folder);
  });
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
