/** The worker: the first message brings the kernels, every further one is a request. */
import { Core, type CoreExports } from "../../core-as/host/mod.ts";
import type { Asked, Told } from "../shared/protocol.ts";
import { Session } from "./session.ts";

/** The side of a worker that this module needs; the types of the page know only its own. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<{ wasm: ArrayBuffer } | Asked>) => void) | null;
  postMessage(told: Told, transfer: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
let session: Promise<Session> | undefined;

async function start(wasm: ArrayBuffer): Promise<Session> {
  const module = await WebAssembly.compile(wasm);
  const newCore = () => new Core(new WebAssembly.Instance(module).exports as unknown as CoreExports);
  return new Session(newCore, (told, transfer) => scope.postMessage(told, transfer));
}

scope.onmessage = async ({ data }) => {
  if ("wasm" in data) {
    session = start(data.wasm);
    await session;
    scope.postMessage({ notice: "ready" }, []);
  } else await (await session)?.receive(data);
};
