/// <reference lib="dom" />
/** Measurements inside of the page, by its own clock. */
import type { Browser, Page } from "playwright-core";
import { PALETTES } from "../../inspector-web/shared/palette.ts";
import { type PageState, stateOf } from "./browser.ts";

/** A scan is waited for this long; of one that takes longer only the speed is told. */
const PATIENCE_MS = 8000;

export interface Opening {
  /** Until no cell of the map was without a colour of its own. */
  readonly firstMapMs: number;
  /** Until every table had been read; undefined when that was not waited for. */
  readonly scanMs: number | undefined;
  /** From the event to the last look. */
  readonly seenMs: number;
  readonly doneSectors: number;
}

interface Clock {
  opening: Promise<Opening>;
}

/** What stands on `globalThis` of the page. */
interface Window {
  __inspector: { state(): PageState };
  __clock: Clock;
}

/** Hands one file to the picker, and waits for the map and, for some seconds, for the end of the scan. */
export async function measureOpening(page: Page, path: string): Promise<Opening> {
  await page.evaluate(({ unknown, patienceMs }) => {
    const window = globalThis as unknown as Window;
    const clock: Clock = { opening: Promise.reject(new Error("no file was given")) };
    clock.opening.catch(() => undefined);
    window.__clock = clock;
    const small = document.createElement("canvas");
    const context = small.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("there is no canvas to look with");
    context.imageSmoothingEnabled = false;

    /** Looks at the largest canvas, right of its ruler, in less detail. */
    const isPainted = () => {
      const [map] = [...document.querySelectorAll("canvas")].sort((a, b) => b.height - a.height);
      if (!map || map.width === 0) return false;
      const { width, height } = small;
      context.clearRect(0, 0, width, height);
      context.drawImage(map, map.width / 4, 0, map.width / 2, map.height, 0, 0, width, height);
      const words = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
      return words.some((word) => word !== 0) && words.every((word) => word !== unknown);
    };

    const onGiven = () => {
      const givenMs = performance.now();
      clock.opening = new Promise((resolve, reject) => {
        let firstMapMs = 0;
        const look = () => {
          const { opened, scan, troubles } = window.__inspector.state();
          if (firstMapMs === 0 && opened && isPainted()) firstMapMs = performance.now() - givenMs;
          const seenMs = performance.now() - givenMs;
          if (troubles[0]) return reject(new Error(troubles[0].message));
          if (firstMapMs > 0 && scan && (scan.finished || seenMs > patienceMs)) {
            const scanMs = scan.finished ? seenMs : undefined;
            return resolve({ firstMapMs, scanMs, seenMs, doneSectors: scan.doneSectors });
          }
          if (seenMs > 3 * patienceMs) return reject(new Error("there was no map"));
          requestAnimationFrame(look);
        };
        // The page has heard the event too by then, and forgotten what was open.
        requestAnimationFrame(look);
      });
    };
    document.addEventListener("change", onGiven, { capture: true, once: true });
  }, { unknown: PALETTES.light.unknown, patienceMs: PATIENCE_MS });
  await page.locator("input[type=file]").first().setInputFiles(path);
  return await page.evaluate(() => (globalThis as unknown as Window).__clock.opening);
}

/** Milliseconds from frame to frame while the map is zoomed in, moved and zoomed out, a step every frame. */
export async function measureFrames(page: Page): Promise<number[]> {
  const frames = await page.evaluate(async () => {
    const times = (count: number, key: string) => Array<string>(count).fill(key);
    const keys = [
      ...times(40, "s"),
      ...times(8, "+"),
      ...times(60, "s"),
      ...times(60, "d"),
      ...times(8, "+"),
      ...times(60, "w"),
      ...times(16, "-"),
      ...times(40, "w"),
    ];
    const found: number[] = [];
    let last = await new Promise<number>(requestAnimationFrame);
    for (const key of [...keys, ...keys]) {
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      const now = await new Promise<number>(requestAnimationFrame);
      found.push(now - last);
      last = now;
    }
    return found;
  });
  const { troubles } = await stateOf(page);
  if (troubles[0]) throw new Error(troubles[0].message);
  return frames;
}

export interface Memory {
  /** The most that was resident since the process began. */
  readonly mostBytes: number;
  /** Of what is resident now: all but the program files of the browser. */
  readonly ownBytes: number;
}

/** Memory of the process that draws the largest page, its workers included. */
export async function memoryOf(browser: Browser): Promise<Memory> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const found = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => {
    const status = Deno.readTextFileSync(`/proc/${id}/status`);
    const bytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
    return { mostBytes: bytes("VmHWM"), ownBytes: bytes("RssAnon") + bytes("RssShmem") };
  });
  return found.reduce((most, each) => each.mostBytes > most.mostBytes ? each : most);
}
