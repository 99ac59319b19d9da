/** A lane for tests: it fails in every way that a thread can, as its name and its jobs say. */
import { RegrainError } from "../../core-as/host/errors.ts";
import { Lane } from "../../cli/lanes/lane.ts";
import { serve } from "../../cli/lanes/serve.ts";

export type FaultyJobs = {
  echo: { request: unknown; result: unknown };
  /** Throws an error of ours with all that one can say. */
  refuse: { request: { code: string; offsetBytes: number }; result: undefined };
  bug: { request: string; result: undefined };
  /** Answers with what cannot be sent. */
  unsendable: { request: undefined; result: unknown };
  /** Throws where nobody waits. */
  stray: { request: undefined; result: undefined };
  exit: { request: undefined; result: undefined };
  close: { request: undefined; result: undefined };
  /** Asks for more memory than there is. */
  memory: { request: undefined; result: undefined };
  never: { request: undefined; result: undefined };
};

/** Starts one. `load` throws as it loads; `late` listens only after a while. */
export function faultyLane(name = "faulty"): Lane<FaultyJobs> {
  const lane = new Lane<FaultyJobs>(name, () => new Worker(import.meta.url, { type: "module", name }));
  lane.start();
  return lane;
}

/** A promise that nothing settles. */
const never = () => new Promise<never>(() => undefined);

function serveFaulty(): void {
  serve<FaultyJobs>({
    echo: (request) => Promise.resolve({ result: request }),
    refuse({ code, offsetBytes }) {
      const detail = { path: "/disks/a.vmdk", offsetBytes, hint: "look at it" };
      throw Object.assign(new RegrainError("DAMAGED", "is not right", detail), { code });
    },
    bug(message) {
      throw new TypeError(message);
    },
    unsendable: () => Promise.resolve({ result: () => 1 }),
    stray() {
      setTimeout(() => {
        throw new Error("thrown where nobody waits");
      }, 0);
      return never();
    },
    exit: () => Deno.exit(3),
    close() {
      self.close();
      return never();
    },
    memory() {
      new ArrayBuffer(2 ** 52);
      return never();
    },
    never,
  });
}

if ("WorkerGlobalScope" in globalThis) {
  if (self.name === "load") throw new Error("thrown at load");
  if (self.name === "late") await new Promise((resolve) => setTimeout(resolve, 50));
  serveFaulty();
}
