/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import type { Notice, Told, Trouble } from "../../shared/protocol.ts";
import { Client, type Port, Refusal } from "./client.ts";

const TROUBLE: Trouble = { code: "X", message: "no", path: "a", offsetBytes: 1, hint: undefined };

class FakePort implements Port {
  readonly sent: { id: number; type: string }[] = [];
  onmessage: Port["onmessage"] = null;
  onerror: Port["onerror"] = null;

  postMessage(message: unknown): void {
    this.sent.push(message as { id: number; type: string });
  }

  tell(told: Told): void {
    this.onmessage?.(new MessageEvent("message", { data: told }));
  }
}

Deno.test("ask() matches answers to requests by number, in any order", async () => {
  const port = new FakePort();
  const client = new Client(port, () => {});
  const first = client.ask({ type: "next", view: 0, fromBytes: 512, backwards: false });
  const second = client.ask({ type: "next", view: 0, fromBytes: 1024, backwards: false });
  const [a, b] = port.sent;
  port.tell({ id: b?.id ?? -1, ok: true, answer: { offsetBytes: 22 } });
  port.tell({ id: a?.id ?? -1, ok: true, answer: { offsetBytes: 11 } });
  assert.deepEqual([await first, await second], [{ offsetBytes: 11 }, { offsetBytes: 22 }]);
});

Deno.test("ask() rejects with what the worker said", async () => {
  const port = new FakePort();
  const asked = new Client(port, () => {}).ask({ type: "findings" });
  port.tell({ id: 1, ok: false, trouble: TROUBLE });
  await assert.rejects(asked, (error) => error instanceof Refusal && error.trouble === TROUBLE);
});

Deno.test("a notice goes to the listener and settles nothing", () => {
  const port = new FakePort();
  const heard: Notice[] = [];
  new Client(port, (notice) => heard.push(notice));
  port.tell({ notice: "ready" });
  assert.deepEqual(heard, [{ notice: "ready" }]);
});

Deno.test("when the worker dies, what waits is rejected, and so is what is asked later", async () => {
  const port = new FakePort();
  const heard: Notice[] = [];
  const client = new Client(port, (notice) => heard.push(notice));
  const asked = client.ask({ type: "close" });
  port.onerror?.(new ErrorEvent("error", { message: "boom" }));
  await assert.rejects(asked, /boom/);
  await assert.rejects(client.ask({ type: "close" }), /boom/);
  assert.equal(heard.length, 1);
});
