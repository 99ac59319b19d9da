/// <reference lib="dom" />
/** The built page in a real browser, and what may go wrong in it without anybody seeing. */
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import type { PageState as Everything } from "../../inspector-web/page/model/store.ts";
import type { View } from "../../inspector-web/shared/protocol.ts";
import { peer } from "../helpers/peers.ts";

export const PAGE_PATH = new URL("../../inspector-web/dist/inspector.html", import.meta.url).pathname;
export const PAGE_URL = pathToFileURL(PAGE_PATH).href;
/** The page with zstd in it. */
export const REPOSITORY_PAGE_PATH =
  new URL("../../inspector-web/dist/inspector-repository.html", import.meta.url).pathname;
export const REPOSITORY_PAGE_URL = pathToFileURL(REPOSITORY_PAGE_PATH).href;
/** Longer than any sound page takes on a machine that others keep busy: what hangs is to end, no more. */
const PATIENCE_MS = 60_000;
const POLL_MS = 20;

/** As the page tells it for tests. */
export type PageState =
  & Pick<Everything, "opening" | "opened" | "view" | "tab" | "scan" | "troubles" | "warning">
  & Pick<Everything, "repository" | "difference" | "checked" | "checking" | "findings">
  & Pick<Everything, "areas" | "compared" | "found" | "search" | "curve" | "theme" | "speedMbps">
  & Pick<Everything, "judgement" | "steps">
  & {
    readonly position: Pick<
      Everything,
      "fromSector" | "sectorsPerCell" | "cursorSector" | "hexSource" | "hexOffsetBytes"
    >;
  };

/** What stands on `globalThis` of the page. */
interface Window {
  __inspector: { state(): PageState };
}

/** A page with a list of everything that a sound page never does. */
export interface Watched {
  readonly page: Page;
  /** Console errors, exceptions, and requests that leave the page. */
  readonly complaints: string[];
}

export interface PageOptions {
  readonly url?: string;
  /** Of the browser that the server at `url` let in. */
  readonly cookie?: string;
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  readonly forcedColors?: "active";
  readonly reducedMotion?: "reduce";
  /** Pixels of the screen for one of the page: 2 is what zooming to 200 % makes of a screen. */
  readonly deviceScaleFactor?: number;
  readonly permissions?: string[];
}

/** Starts Chromium for `fn`, and ends it whatever happens. Needs the peer `chromium`. */
export async function withBrowser<T>(fn: (browser: Browser) => Promise<T>): Promise<T> {
  // Root needs --no-sandbox; the others make one machine paint as the next does.
  const args = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none", "--force-color-profile=srgb"];
  const executablePath = peer("chromium");
  assert.ok(executablePath !== undefined, "there is no Chromium");
  const browser = await chromium.launch({ executablePath, args: [...args, "--enable-precise-memory-info"] });
  try {
    return await fn(browser);
  } finally {
    await browser.close();
  }
}

/** Opens the page for `fn`; afterwards the page must not have complained. */
export async function withPage(
  browser: Browser,
  options: PageOptions,
  fn: (watched: Watched) => Promise<void>,
): Promise<void> {
  const { url = PAGE_URL, cookie, width = 1280, height = 800, ...media } = options;
  const context = await browser.newContext({ viewport: { width, height }, ...media });
  try {
    if (cookie !== undefined) {
      const [name, value] = cookie.split("=");
      const { hostname: domain, pathname: path } = new URL(url);
      await context.addCookies([{ name: name!, value: value!, domain, path }]);
    }
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const complaints = watch(page, url);
    await page.goto(url);
    await page.locator("input[type=file]").first().waitFor({ state: "attached" });
    await fn({ page, complaints });
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

/** The page itself is the one request that is allowed, and its own blobs; served, what its server serves. */
function watch(page: Page, url: string): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(`exception: ${error.stack ?? error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.context().on("request", (request) => {
    const isOwn = request.url().split("#")[0] === url || request.url() === "about:blank" ||
      request.url().startsWith("blob:") ||
      (url.startsWith("http:") && request.url().startsWith(url));
    if (!isOwn) complaints.push(`request: ${request.url()}`);
  });
  return complaints;
}

export function stateOf(page: Page): Promise<PageState> {
  return page.evaluate(() => (globalThis as unknown as Window).__inspector.state());
}

/** Asks for the state until it is as wanted. The policy of the page forbids Playwright's own way of waiting. */
export async function until(
  page: Page,
  what: string,
  wanted: (state: PageState) => boolean,
  patienceMs = PATIENCE_MS,
): Promise<PageState> {
  const endMs = performance.now() + patienceMs;
  while (true) {
    const state = await stateOf(page);
    if (wanted(state)) return state;
    if (performance.now() > endMs) throw new Error(`${what}: not after ${patienceMs} ms: ${brief(state)}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function brief({ opening, opened, troubles, scan }: PageState): string {
  const links = opened?.links.map(({ name }) => name);
  return JSON.stringify({ opening, links, troubles, scan }).slice(0, 1000);
}

/** Waits until an element has the focus, which a key may give it after the next frame. */
export async function focused(page: Page, id: string): Promise<void> {
  await page.locator(`#${id}:focus`).waitFor();
}

/** Gives files to the picker, and waits until they are open or refused. */
export async function pick(page: Page, paths: readonly string[]): Promise<PageState> {
  await page.locator("input[type=file]").first().setInputFiles([...paths]);
  return await answered(page, `opening ${paths.join(", ")}`);
}

/** Writes files into a folder and picks them: large ones need not pass through Playwright. */
export async function pickFiles(
  page: Page,
  folder: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<PageState> {
  const place = await Deno.makeTempDir({ dir: folder });
  for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(`${place}/${name}`, bytes);
  return await pick(page, Object.keys(files).map((name) => `${place}/${name}`));
}

/** Drops files as the system would: with one `DataTransfer` that enters, hovers and is let go. */
export async function drop(page: Page, files: Readonly<Record<string, Uint8Array>>): Promise<PageState> {
  const given = Object.entries(files).map(([name, bytes]) => ({ name, base64: bytes.toBase64() }));
  await page.evaluate((given) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of given) {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      transfer.items.add(new File([bytes], name));
    }
    for (const type of ["dragenter", "dragover", "drop"]) {
      const init = { dataTransfer: transfer, bubbles: true, cancelable: true };
      document.body.dispatchEvent(new DragEvent(type, init));
    }
  }, given);
  return await answered(page, `dropping ${given.map(({ name }) => name).join(", ")}`);
}

/** Drops what lies at paths, as a file manager does it: folders, too. */
export async function dropPaths(page: Page, paths: readonly string[]): Promise<PageState> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [...paths], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await session.send("Input.dispatchDragEvent", { type, x: 200, y: 200, data });
  }
  return await answered(page, `dropping ${paths.join(", ")}`);
}

/** Pastes files. */
export async function paste(page: Page, files: Readonly<Record<string, Uint8Array>>): Promise<PageState> {
  const given = Object.entries(files).map(([name, bytes]) => ({ name, base64: bytes.toBase64() }));
  await page.evaluate((given) => {
    const clipboardData = new DataTransfer();
    for (const { name, base64 } of given) {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      clipboardData.items.add(new File([bytes], name));
    }
    const init = { clipboardData, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new ClipboardEvent("paste", init));
  }, given);
  return await answered(page, `pasting ${given.map(({ name }) => name).join(", ")}`);
}

/** Waits until files that were given are open, or refused; then what was open before is still there. */
function answered(page: Page, what: string): Promise<PageState> {
  return until(page, what, ({ opening, opened, repository, troubles }) => {
    return !opening && (opened !== undefined || repository !== undefined || troubles.length > 0);
  });
}

/** Waits until a view has been scanned to its end. */
export function scanned(page: Page, view: View, patienceMs?: number): Promise<PageState> {
  const isDone = ({ scan }: PageState) => scan?.view === view && scan.finished;
  return until(page, `scanning ${view}`, isDone, patienceMs);
}

/** Waits until what is shown first has been scanned to its end. */
export function allScanned(page: Page): Promise<PageState> {
  return until(page, "scanning", ({ scan, view }) => scan?.view === view && scan.finished);
}

/** Looks at one link, or at all merged. */
export async function showView(page: Page, view: View): Promise<void> {
  await page.getByTestId("facts").locator("select").first().selectOption(String(view));
}
