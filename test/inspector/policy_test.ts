/// <reference lib="dom" />
/** What the policy of the page stops in a browser, and what it does not: docs/inspector.md says both. */
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { buildPages } from "../../inspector-web/build.ts";
import { caseNamed } from "../../fixtures/mod.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { allScanned, pickFiles, withBrowser, withPage } from "./browser.ts";

const PAGE_DOCUMENT = Deno.readTextFileSync(new URL("../../docs/inspector.md", import.meta.url));

/** The page as its sources make it now, and a server that counts who asks it. */
async function withFreshPage(
  fn: (place: { url: string; folder: string; outside: string; asked: string[] }) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => undefined }, ({ url }) => {
    asked.push(new URL(url).pathname);
    return new Response("");
  });
  try {
    await withTempDir(async (folder) => {
      const pages = await buildPages();
      Deno.writeTextFileSync(`${folder}/inspector.html`, pages.inspector);
      const url = pathToFileURL(`${folder}/inspector.html`).href;
      await fn({ url, folder, outside: `http://127.0.0.1:${server.addr.port}`, asked });
    });
  } finally {
    await server.shutdown();
  }
}

testWithPeers(
  "E8: the page works under a policy that names its scripts by their hashes",
  ["chromium"],
  () =>
    withFreshPage(({ url, folder }) =>
      withBrowser((browser) =>
        withPage(browser, { url }, async ({ page }) => {
          const { opened } = await pickFiles(page, folder, caseNamed("cowd-plain").make());
          assert.ok(opened !== undefined);
          assert.ok((await allScanned(page)).scan!.totals.dataBytes > 0);
        })
      )
    ),
);

/** Ways in which markup becomes a script, were a file name or a label ever put into the page as it is. */
const INJECTIONS: Readonly<Record<string, string>> = {
  "a script element":
    "const s = document.createElement('script'); s.textContent = 'ran = 1'; document.body.append(s)",
  "an event handler": "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"ran = 1\">')",
  "markup with a frame":
    "document.body.insertAdjacentHTML('beforeend', '<iframe srcdoc=\"<script>parent.ran=1</script>\">')",
  "an address":
    "document.body.insertAdjacentHTML('beforeend', '<a id=a href=\"javascript:ran=1\">'); a.click()",
  "a script of a data address":
    "const s = document.createElement('script'); s.src = 'data:,ran=1'; document.body.append(s)",
};

testWithPeers(
  "E8: a script that gets into the page as markup does not run",
  ["chromium"],
  () =>
    withFreshPage(({ url }) =>
      withBrowser(async (browser) => {
        const page = await browser.newPage();
        let refused = 0;
        page.on("console", (message) => refused += /Content Security Policy/.test(message.text()) ? 1 : 0);
        await page.goto(url);
        await page.locator("input[type=file]").first().waitFor({ state: "attached" });
        for (const [what, code] of Object.entries(INJECTIONS)) {
          const before = refused;
          await page.evaluate(code);
          await settled(page, () => refused > before);
          assert.equal(await page.evaluate("globalThis.ran"), undefined, what);
          assert.ok(refused > before, `${what} was not refused`);
        }
      })
    ),
);

testWithPeers(
  "E8: of what a script could send, the policy stops requests and not navigation, as docs/inspector.md says",
  [
    "chromium",
  ],
  () =>
    withFreshPage(({ url, outside, asked }) =>
      withBrowser(async (browser) => {
        const context = await browser.newContext();
        const page = await context.newPage();
        await page.goto(url);
        await page.locator("input[type=file]").first().waitFor({ state: "attached" });
        const stopped = await page.evaluate(async (outside) => {
          const fails = (attempt: Promise<unknown>) => attempt.then(() => false, () => true);
          const loads = (element: HTMLElement) =>
            fails(
              new Promise((resolve, reject) => {
                element.onload = resolve;
                element.onerror = reject;
                document.body.append(element);
              }),
            );
          navigator.sendBeacon(`${outside}/beacon`, "x");
          return {
            fetch: await fails(fetch(`${outside}/fetch`, { mode: "no-cors" })),
            image: await loads(Object.assign(new Image(), { src: `${outside}/image` })),
            script: await loads(
              Object.assign(document.createElement("script"), { src: `${outside}/script` }),
            ),
            webrtc: typeof RTCPeerConnection === "undefined",
          };
        }, outside);
        assert.deepEqual(stopped, { fetch: true, image: true, script: true, webrtc: false });
        await page.evaluate((outside) => {
          const form = document.createElement("form");
          form.action = `${outside}/form`;
          document.body.append(form);
          form.submit();
        }, outside);
        const opened = context.waitForEvent("page");
        await page.evaluate((outside) => void open(`${outside}/window?what-was-read`), outside);
        await (await opened).waitForURL(/window/);
        await page.goto(url);
        await page.evaluate(
          (outside) => void (location.href = `${outside}/navigation?what-was-read`),
          outside,
        );
        await page.waitForURL(/navigation/);
        assert.deepEqual(asked.filter((path) => path !== "/favicon.ico"), ["/window", "/navigation"]);
        assert.doesNotMatch(PAGE_DOCUMENT, /no way to send anything/);
        for (const way of ["lead the tab to another address", "open a window", "WebRTC"]) {
          assert.ok(PAGE_DOCUMENT.includes(way), way);
        }
      })
    ),
);

/** Waits until something holds, or long enough that it never will. */
async function settled(page: Page, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !holds(); i++) await page.waitForTimeout(20);
}
