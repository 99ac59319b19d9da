/**
 * The worker: the first message brings the kernels, every further one is a request, the page's answer to what the
 * worker asked, or zstd.
 */
import { Core, type CoreExports, RegrainError } from "../../core-as/host/mod.ts";
import type { Codec } from "../../core-as/host/repo/mod.ts";
import type { Asked, Provided, Reply, Told, Wanted, ZstdParts } from "../shared/protocol.ts";
import { openObjects } from "./repository/objects.ts";
import { Session } from "./session.ts";
import { type Decompress, zstdCodec } from "./repository/zstd.ts";

type Message = { readonly wasm: ArrayBuffer } | { readonly zstd: ZstdParts } | Reply | Asked;

/** The side of a worker that this module needs; the types of the page know only its own. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Message>) => void) | null;
  postMessage(told: Told, transfer: Transferable[]): void;
  importScripts(url: string): void;
  /** Left by the script of zstd. */
  startZstd?(wasm: Uint8Array): Promise<Decompress>;
}

const scope = globalThis as unknown as WorkerScope;
let session: Promise<Session> | undefined;
let codec: Promise<Codec> | undefined;
const questions = new Map<number, (provided: Provided) => void>();
let lastQuestion = 0;

/** Asks the page, which alone can look into a folder. */
function askPage(wanted: Wanted): Promise<Provided> {
  const question = ++lastQuestion;
  return new Promise((resolve) => {
    questions.set(question, resolve);
    scope.postMessage({ notice: "wanted", question, wanted }, []);
  });
}

async function startZstd({ script, wasm }: ZstdParts): Promise<Codec> {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  scope.importScripts(url);
  URL.revokeObjectURL(url);
  return zstdCodec(await scope.startZstd!(wasm));
}

function loadedCodec(): Promise<Codec> {
  if (codec) return codec;
  throw new RegrainError("UNSUPPORTED", "this page was built without zstd, which backups are packed with", {
    hint: "open inspector-repository.html, or run regrain inspect --repo REPOSITORY",
  });
}

async function start(wasm: ArrayBuffer): Promise<Session> {
  const module = await WebAssembly.compile(wasm);
  const newCore = () => new Core(new WebAssembly.Instance(module).exports as unknown as CoreExports);
  return new Session(newCore, (told, transfer) => scope.postMessage(told, transfer), {
    objects: (place) => openObjects(place, askPage),
    codec: async () => await loadedCodec(),
  });
}

scope.onmessage = async ({ data }) => {
  if ("wasm" in data) {
    session = start(data.wasm);
    await session;
    scope.postMessage({ notice: "ready" }, []);
  } else if ("zstd" in data) codec = startZstd(data.zstd);
  else if ("question" in data) {
    questions.get(data.question)?.(data.provided);
    questions.delete(data.question);
  } else await (await session)?.receive(data);
};
