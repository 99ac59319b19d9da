/** The worker of the inspector's page without a browser. */
import assert from "node:assert/strict";
import { Core, type CoreExports } from "../../core-as/host/mod.ts";
import type { Files } from "../../fixtures/mod.ts";
import type {
  Answers,
  GivenFile,
  Request,
  ScanState,
  Told,
  Trouble,
  View,
} from "../../inspector-web/shared/protocol.ts";
import { Session } from "../../inspector-web/worker/session.ts";

const module = new WebAssembly.Module(Deno.readFileSync(new URL("../../core-as/core.wasm", import.meta.url)));
const newCore = () => new Core(new WebAssembly.Instance(module).exports as unknown as CoreExports);

/** A page without a window: it asks as the page does, and keeps what it is told. */
export class Page {
  readonly told: Told[] = [];
  private readonly session = new Session(newCore, (told) => this.told.push(told));
  private lastId = 0;

  /** The answer, or the trouble as an error. */
  async ask<T extends Request["type"]>(request: Extract<Request, { type: T }>): Promise<Answers[T]> {
    const id = ++this.lastId;
    await this.session.receive({ ...request, id });
    const told = this.told.find((each) => "id" in each && each.id === id);
    assert.ok(told && "id" in told, "no answer");
    if (told.ok) return told.answer as Answers[T];
    throw new TroubleError(told.trouble);
  }

  open(files: Files): Promise<Answers["open"]> {
    return this.ask({ type: "open", files: givenOf(files) });
  }

  /** Scans to the end. */
  async scan(view: View, fromSector = 0): Promise<ScanState> {
    this.told.length = 0;
    await this.ask({ type: "scan", view, fromSector });
    while (true) {
      for (const told of this.told) {
        if ("notice" in told && told.notice === "scan" && told.state.finished) return told.state;
        if ("notice" in told && told.notice === "trouble") throw new TroubleError(told.trouble);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

/** What the worker refused. */
export class TroubleError extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble.message);
  }
}

/** Files as they are dropped. */
export function givenOf(files: Files): GivenFile[] {
  return Object.entries(files).map(([name, bytes]) => ({ name, file: new Blob([bytes]), modifiedMs: null }));
}
