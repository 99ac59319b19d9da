/** How a thread starts: as `cli/workers/main.ts`, or, where all is bundled into one file, as that file. */

/** What a thread can be; `cli/workers/serve.ts` knows what each does. */
export type LaneName = "apply" | "chunks";

const ENTRY = "../workers/main.ts";

/** Starts a thread. Its name tells it what it is. */
export function startWorker(name: LaneName): Worker {
  return new Worker(laneModule(), { type: "module", name });
}

/** False where Deno may not read the module that a thread starts as: then there is this thread alone. */
export function workersMayStart(): boolean {
  const url = new URL(laneModule());
  if (Deno.build.standalone || url.protocol !== "file:") return true;
  return Deno.permissions.querySync({ name: "read", path: url }).state === "granted";
}

function laneModule(): string {
  return import.meta.url.endsWith(".ts") ? new URL(ENTRY, import.meta.url).href : import.meta.url;
}
