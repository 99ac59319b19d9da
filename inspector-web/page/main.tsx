/**
 * Starts the page: the worker from the text that the page carries (a page of `file://` may start one from a blob only),
 * the kernels that it needs, and the panels.
 */
import { render } from "preact";
import type { Told, ZstdParts } from "../shared/protocol.ts";
import { App } from "./app.tsx";
import { guardText } from "./guard_text.ts";
import { Client } from "./model/client.ts";
import { fromServer, repositoryFromServer } from "./open/given_files.ts";
import { Inspector } from "./actions/inspector.ts";
import { keepChoices, openKeep, readChoices } from "./model/remembered.ts";
import { hashOf, Store } from "./model/store.ts";

const HASH_AFTER_MS = 200;

function textOf(id: string): string {
  const text = document.getElementById(id)?.textContent;
  if (!text) throw new Error(`the page was built without its ${id}`);
  return text;
}

/** Left by the template, which has unpacked this script by it. */
declare function unpacked(element: HTMLElement): Response;

function startWorker(wasm: ArrayBuffer): Worker {
  const url = URL.createObjectURL(new Blob([textOf("worker-source")], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.postMessage({ wasm }, [wasm]);
  return worker;
}

/** zstd, where the page was built with it; packed until a repository is opened. */
async function unpackZstd(): Promise<ZstdParts | undefined> {
  const [script, wasm] = ["zstd-source", "zstd-wasm"].map((id) => document.getElementById(id));
  if (!script?.textContent || !wasm) return undefined;
  return { script: await unpacked(script).text(), wasm: await unpacked(wasm).bytes() };
}

/** Keeps the address in step with what is looked at, without a history entry for each step. */
function keepHash(store: Store): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  store.subscribe(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const hash = hashOf(store.state);
      if (hash && location.hash !== `#${hash}`) history.replaceState(null, "", `#${hash}`);
    }, HASH_AFTER_MS);
  });
}

function snapshot({ state }: Store): unknown {
  const { opened, opening, scan, view, tab, curve, troubles, areas, findings, compared } = state;
  const { fromSector, sectorsPerCell, cursorSector, hexSource, hexOffsetBytes, warning } = state;
  const { found, search, theme, speedMbps, repository, difference, checked, checking } = state;
  const { judgement, steps } = state;
  const position = { fromSector, sectorsPerCell, cursorSector, hexSource, hexOffsetBytes };
  return structuredClone({
    ...{ opened, opening, scan, view, tab, curve, troubles, areas, findings, compared, warning, position },
    ...{ found, search, theme, speedMbps, repository, difference, checked, checking, judgement, steps },
  });
}

async function start(): Promise<void> {
  guardText();
  const store = new Store();
  const worker = startWorker(await unpacked(document.getElementById("core-wasm")!).arrayBuffer()) as
    & Worker
    & { onmessage: ((event: MessageEvent<Told>) => void) | null };
  const client = new Client(worker, (notice) => inspector.heard(notice));
  const inspector = new Inspector(store, client, unpackZstd);
  const kept = openKeep();
  store.set(readChoices(kept));
  keepChoices(store, kept);
  inspector.navigation.readLink(location.hash);
  addEventListener("hashchange", () => inspector.navigation.readLink(location.hash));
  keepHash(store);
  // What tests look at: the model instead of pixels.
  Object.assign(globalThis, { __inspector: { state: () => snapshot(store) } });
  const place = document.getElementById("app");
  if (place) render(<App inspector={inspector} />, place);
  const served = repositoryFromServer(textOf("served"), location.href);
  const { files, leaf } = fromServer(textOf("served"), location.href);
  if (served) void inspector.opening.openRepository(served.place, served.open);
  else void inspector.opening.openFiles(files, false, leaf);
}

void start();
