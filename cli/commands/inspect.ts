/** `regrain inspect`: the inspector page and images, or a repository, served to the browser of this machine. */
import inspectorPage from "../../inspector-web/dist/inspector.html" with { type: "text" };
import repositoryPage from "../../inspector-web/dist/inspector-repository.html" with { type: "text" };
import { plural, RegrainError } from "../../core-as/host/mod.ts";
import { findBelongings } from "../inspect/belongings.ts";
import { Entry } from "../inspect/entry.ts";
import { Opening } from "../inspect/opening.ts";
import { Routes } from "../inspect/routes.ts";
import { ServedFiles } from "../inspect/served_files.ts";
import { reusedError, startServer } from "../inspect/server.ts";
import { openServedObjects } from "../session/served_objects.ts";
import { type DiskFlags, startSession } from "../session/session.ts";
import { Signals } from "../session/signals.ts";
import type { Console } from "../ui/mod.ts";

export interface InspectFlags extends DiskFlags {
  readonly port?: string | undefined;
  readonly open: boolean;
}

/** A descriptor may name many files, and all of them may be missing. */
const MOST_WARNINGS = 10;
/** How long the browser has to start. */
const BROWSER_MS = 60_000;

/**
 * Serves until it is stopped.
 *
 * @returns 0 when Ctrl-C stops it, which is how it is meant to end.
 * @throws {RegrainError} `TERMINATED` when SIGTERM does; `ADDRESS_REUSED` when a one-time address is used twice;
 *   `USAGE`, `PERMISSION`, and what opening an image may.
 */
export async function runInspect(images: readonly string[], flags: InspectFlags): Promise<number> {
  const port = parsePort(flags.port);
  const { console, io, context } = startSession(flags);
  const objects = await openServedObjects(images, flags, (sentence) => console.warn(sentence));
  const { files: found, missing } = await findBelongings(objects ? [] : images, context);
  warnOfMissing(missing, console);
  const files = new ServedFiles(io, found);
  using opening = new Opening();
  const entry = new Entry(() => opening[Symbol.dispose]());
  const routes = new Routes(objects ? repositoryPage : inspectorPage, entry, files, objects);
  const onBug = (error: unknown) => console.warn(`this is a bug, please report it: ${traceOf(error)}`);
  const { promise: stopped, resolve: onStop } = Promise.withResolvers<unknown>();
  const origin = await startServer(routes, { port, onBug, onReused: () => onStop("reused") });
  const repository = objects?.describe();
  const served = repository?.label ?? plural(found.length, "file");
  const onStatus = () => console.err(`serving ${served}`);
  using signals = new Signals({ onStop, onStatus });
  await signals.safePoint();
  const oneTime = !flags.open;
  const url = origin + (oneTime ? entry.oneTimePath() : entry.path);
  announce({ url, oneTime, images: files.list().images, repository }, served, console);
  if (flags.open) {
    opening.start(origin + entry.oneTimePath(performance.now() + BROWSER_MS), (reason) => {
      if (entry.wasUsed) return;
      const address = origin + entry.oneTimePath();
      console.warn(
        `the browser was not opened: ${reason}; ${address} lets in the browser that opens it first`,
      );
    });
  }
  if (await stopped === "reused") throw reusedError();
  const stop = await signals.safePoint();
  if (stop === undefined || stop.code === "INTERRUPTED") return 0;
  throw stop;
}

function announce(
  listening: {
    readonly url: string;
    readonly oneTime: boolean;
    readonly images: ReturnType<ServedFiles["list"]>["images"];
    readonly repository: unknown;
  },
  served: string,
  console: Console,
): void {
  const { url, oneTime, images } = listening;
  console.result({ type: "listening", ...listening }, url);
  console.flush();
  for (const { name, sizeBytes } of images) console.detail(`serves ${name}, ${sizeBytes} bytes`);
  const whom = oneTime ? "the browser that opens this address first" : "the browser that is opened";
  console.tell(`serving ${served} read-only, to ${whom}, on this machine alone; Ctrl-C ends it`);
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
