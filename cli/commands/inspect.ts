/** `regrain inspect`: the inspector page and the images, served to the browser of this machine. */
import inspectorPage from "../../inspector-web/dist/inspector.html" with { type: "text" };
import { plural, RegrainError } from "../../core-as/host/mod.ts";
import { findBelongings } from "../inspect/belongings.ts";
import { openBrowser } from "../inspect/browser.ts";
import { Routes } from "../inspect/routes.ts";
import { ServedFiles } from "../inspect/served_files.ts";
import { startServer } from "../inspect/server.ts";
import { Signals } from "../signals.ts";
import type { Console } from "../ui/mod.ts";
import { type DiskFlags, startSession } from "./session.ts";

export interface InspectFlags extends DiskFlags {
  readonly port?: string | undefined;
  readonly open: boolean;
}

/** A descriptor may name many files, and all of them may be missing. */
const MOST_WARNINGS = 10;

/**
 * Serves until it is stopped.
 *
 * @returns 0 when Ctrl-C stops it, which is how it is meant to end.
 * @throws {RegrainError} `TERMINATED` when SIGTERM does; `USAGE`, `PERMISSION`, and what opening an image may.
 */
export async function runInspect(images: readonly string[], flags: InspectFlags): Promise<number> {
  const port = parsePort(flags.port);
  const { console, io, context } = startSession(flags);
  const { files: found, missing } = await findBelongings(images, context);
  warnOfMissing(missing, console);
  const files = new ServedFiles(io, found);
  const routes = new Routes(inspectorPage, files);
  const onBug = (error: unknown) => console.warn(`this is a bug, please report it: ${traceOf(error)}`);
  const origin = await startServer(routes, { port, onBug });
  const { promise: stopped, resolve: onStop } = Promise.withResolvers<unknown>();
  const onStatus = () => console.err(`serving ${plural(found.length, "file")}`);
  using signals = new Signals({ onStop, onStatus });
  await signals.safePoint();
  const url = origin + routes.path;
  announce(url, files, console);
  if (flags.open) {
    openBrowser(origin + routes.oneTimePath(), (reason) => {
      console.warn(`the browser was not opened: ${reason}; the page is at ${url}`);
    });
  }
  await stopped;
  const stop = await signals.safePoint();
  if (stop === undefined || stop.code === "INTERRUPTED") return 0;
  throw stop;
}

function announce(url: string, files: ServedFiles, console: Console): void {
  const { images } = files.list();
  if (console.json) console.outJson({ type: "listening", url, images });
  else console.out(url);
  console.flush();
  for (const { name, sizeBytes } of images) console.detail(`serves ${name}, ${sizeBytes} bytes`);
  if (console.json) return;
  console.tell(`serving ${plural(images.length, "file")} read-only, to this machine alone; Ctrl-C ends it`);
}

function traceOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** @throws {RegrainError} `USAGE` for what is no port. */
function parsePort(text: string | undefined): number {
  if (text === undefined) return 0;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65535) return port;
  throw new RegrainError("USAGE", `--port ${text} is no port, expected a number from 0 to 65535`);
}

function warnOfMissing(missing: readonly RegrainError[], console: Console): void {
  for (const { message, hint } of missing.slice(0, MOST_WARNINGS)) {
    console.warn(hint === undefined ? message : `${message} (${hint})`);
  }
  if (missing.length > MOST_WARNINGS) {
    console.warn(`${missing.length - MOST_WARNINGS} more files are missing`);
  }
}
