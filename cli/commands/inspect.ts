/** `regrain inspect`: the inspector page and images, or a repository, served to the browser of this machine. */
import inspectorPage from "../../inspector-web/dist/inspector.html" with { type: "text" };
import repositoryPage from "../../inspector-web/dist/inspector-repository.html" with { type: "text" };
import { plural, RegrainError } from "../../core-as/host/mod.ts";
import {
  DESCRIPTION_KEY,
  MAX_DESCRIPTION_BYTES,
  type ObjectStore,
  parseDescription,
} from "../../core-as/host/repo/mod.ts";
import { findBelongings } from "../inspect/belongings.ts";
import { openBrowser } from "../inspect/browser.ts";
import { Entry } from "../inspect/entry.ts";
import { type OpeningPage, writeOpeningPage } from "../inspect/opening_page.ts";
import { Routes } from "../inspect/routes.ts";
import { ServedFiles } from "../inspect/served_files.ts";
import { ServedObjects } from "../inspect/served_objects.ts";
import { startServer } from "../inspect/server.ts";
import { imageOf } from "../places/place.ts";
import { findPlace } from "../places/registry.ts";
import { SNAPSHOT, specOf } from "../places/snapshot.ts";
import { Signals } from "../session/signals.ts";
import type { Console } from "../ui/mod.ts";
import { type DiskFlags, startSession } from "../session/session.ts";
import { isForbidden } from "../deno_errors.ts";

export interface InspectFlags extends DiskFlags {
  readonly port?: string | undefined;
  readonly open: boolean;
}

const IMAGE = imageOf("inspect");
/** A descriptor may name many files, and all of them may be missing. */
const MOST_WARNINGS = 10;
/** How long the browser has to start. */
const BROWSER_MS = 60_000;
/** One is opened, and compared with the other. */
const MOST_SNAPSHOTS = 2;

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
  const objects = await openObjects(images, flags, console);
  const { files: found, missing } = await findBelongings(objects ? [] : images, context);
  warnOfMissing(missing, console);
  const files = new ServedFiles(io, found);
  using opening = new Opening();
  const entry = new Entry(() => opening[Symbol.dispose]());
  const routes = new Routes(objects ? repositoryPage : inspectorPage, entry, files, objects);
  const onBug = (error: unknown) => console.warn(`this is a bug, please report it: ${traceOf(error)}`);
  const { promise: stopped, resolve: onStop } = Promise.withResolvers<unknown>();
  const origin = await startServer(routes, { port, onBug, onReused: () => onStop("reused") });
  const served = objects ? objects.describe().label : plural(found.length, "file");
  const onStatus = () => console.err(`serving ${served}`);
  using signals = new Signals({ onStop, onStatus });
  await signals.safePoint();
  const url = origin + (flags.open ? entry.path : entry.oneTimePath());
  announce(url, { files, objects, served, oneTime: !flags.open }, console);
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

/** The page that the browser is started with, for as long as it is needed. */
class Opening implements Disposable {
  #page: OpeningPage | undefined;

  /** @param onFailure Told in a few words why that did not work, now or later. */
  start(address: string, onFailure: (reason: string) => void): void {
    try {
      this.#page = writeOpeningPage(address);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return onFailure(
        isForbidden(error)
          ? "Deno was not told to allow to write where temporary files go (grant --allow-write=/tmp)"
          : `there is no place for a temporary file: ${error.message}`,
      );
    }
    openBrowser(this.#page.url, onFailure);
  }

  [Symbol.dispose](): void {
    this.#page?.[Symbol.dispose]();
    this.#page = undefined;
  }
}

function reusedError(): RegrainError {
  return new RegrainError(
    "ADDRESS_REUSED",
    "the one-time address was used a second time, and the server has ended: who used it first may be somebody else, " +
      "and may have read what was served",
    {
      hint:
        "start it again, and open its address once; that browser finds the page again at the address that it shows",
    },
  );
}

/** @throws {RegrainError} `UNSUPPORTED` before anybody is asked for a passphrase that would not help. */
async function refuseEncrypted(store: ObjectStore): Promise<void> {
  try {
    const bytes = await store.get(DESCRIPTION_KEY, MAX_DESCRIPTION_BYTES);
    const path = `${store.label}/${DESCRIPTION_KEY}`;
    if (bytes === undefined || parseDescription(bytes, path).encryption === "none") return;
    throw new RegrainError("UNSUPPORTED", "the repository is encrypted, and the page takes no passphrase", {
      path: store.label,
      hint: "restore a snapshot with regrain restore, and look at the image",
    });
  } finally {
    store.close();
  }
}

/**
 * The repository, where one is named, be it by a snapshot of it. The variable alone does not name it: images are looked
 * at without one.
 *
 * @throws {RegrainError} `USAGE` for files beside it, or more snapshots than can be compared; what opening it may.
 */
async function openObjects(
  images: readonly string[],
  flags: InspectFlags,
  console: Console,
): Promise<ServedObjects | undefined> {
  const snapshots = images.filter((name) => findPlace(name, IMAGE).kind === SNAPSHOT);
  if (flags.repo === undefined && snapshots.length === 0) return undefined;
  if (snapshots.length < images.length || snapshots.length > MOST_SNAPSHOTS) {
    throw new RegrainError("USAGE", "a repository is looked at alone, with two of its snapshots at most", {
      hint: "regrain inspect --repo FOLDER repo:VM/DISK@latest",
    });
  }
  const { openRepository, openStoreOf } = await import("../session/open_repository.ts");
  const { findSnapshot } = await import("../backup/snapshots/snapshots.ts");
  await refuseEncrypted(await openStoreOf(flags));
  const repository = await openRepository(flags);
  const open: string[] = [];
  for (const name of snapshots) {
    open.push((await findSnapshot(repository, specOf(name), (sentence) => console.warn(sentence))).id);
  }
  return new ServedObjects(repository.store, open);
}

function announce(
  url: string,
  { files, objects, served, oneTime }: {
    files: ServedFiles;
    objects: ServedObjects | undefined;
    served: string;
    oneTime: boolean;
  },
  console: Console,
): void {
  const { images } = files.list();
  const repository = objects?.describe();
  if (console.json) console.outJson({ type: "listening", url, oneTime, images, repository });
  else console.out(url);
  console.flush();
  for (const { name, sizeBytes } of images) console.detail(`serves ${name}, ${sizeBytes} bytes`);
  if (console.json) return;
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
