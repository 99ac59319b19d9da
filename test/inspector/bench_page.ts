/// <reference lib="dom" />
/** Measurements inside of the page, by its own clock. */
import type { Browser, Page } from "playwright-core";
import type { PageState } from "./browser.ts";

interface Opening {
  /** Until the map was painted first. */
  readonly firstMapMs: number;
  /** Until every table had been read. */
  readonly scanMs: number;
}

interface Clock {
  givenMs: number;
  opening: Promise<Opening>;
}

/** What stands on `globalThis` of the page. */
interface Window {
  __inspector: { state(): PageState };
  __clock: Clock;
}

/** Hands one file to the picker, and waits for the map and the end of the scan. */
export async function measureOpening(page: Page, path: string): Promise<Opening> {
  await page.evaluate(() => {
    const window = globalThis as unknown as Window;
    const clock: Clock = { givenMs: 0, opening: Promise.reject(new Error("no file was given")) };
    clock.opening.catch(() => undefined);
    window.__clock = clock;
    const onGiven = () => {
      clock.givenMs = performance.now();
      clock.opening = new Promise((resolve, reject) => {
        let firstMapMs = 0;
        const look = () => {
          const { scan, troubles } = window.__inspector.state();
          const nowMs = performance.now() - clock.givenMs;
          if (troubles[0]) return reject(new Error(troubles[0].message));
          if (firstMapMs === 0 && scan && document.querySelector("canvas")) firstMapMs = nowMs;
          if (scan?.finished) return resolve({ firstMapMs, scanMs: nowMs });
          requestAnimationFrame(look);
        };
        // The page has heard the event too by then, and forgotten what was open.
        requestAnimationFrame(look);
      });
    };
    document.addEventListener("change", onGiven, { capture: true, once: true });
  });
  await page.locator("input[type=file]").first().setInputFiles(path);
  return await page.evaluate(() => (globalThis as unknown as Window).__clock.opening);
}

/** Milliseconds from frame to frame while the map is zoomed in, moved and zoomed out, one step a frame. */
export async function measureFrames(page: Page): Promise<number[]> {
  return await page.evaluate(async () => {
    const canvases = [...document.querySelectorAll("canvas")];
    const map = canvases.reduce((most, each) =>
      each.width * each.height > most.width * most.height ? each : most
    );
    const box = map.getBoundingClientRect();
    const at = { clientX: box.left + box.width / 3, clientY: box.top + box.height / 3, bubbles: true };
    const wheel = (deltaY: number, deltaX = 0) =>
      new WheelEvent("wheel", { ...at, deltaY, deltaX, cancelable: true });
    const key = (name: string) =>
      new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true });
    const steps = [
      ...Array.from({ length: 60 }, () => wheel(-100)),
      ...Array.from({ length: 60 }, () => key("ArrowRight")),
      ...Array.from({ length: 60 }, () => key("ArrowDown")),
      ...Array.from({ length: 60 }, () => wheel(100)),
    ];
    map.focus();
    const frames: number[] = [];
    let last = await new Promise<number>(requestAnimationFrame);
    for (const step of steps) {
      map.dispatchEvent(step);
      const now = await new Promise<number>(requestAnimationFrame);
      frames.push(now - last);
      last = now;
    }
    return frames;
  });
}

/** Resident memory of the process that draws the largest page, worker included. */
export async function memoryBytes(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sizes = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => residentBytes(id));
  return Math.max(...sizes);
}

function residentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? NaN) * 1024;
}
