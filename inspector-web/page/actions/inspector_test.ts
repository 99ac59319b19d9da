/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import type { Asked, Opened } from "../../shared/protocol.ts";
import { Client, type Port } from "../model/client.ts";
import { Store } from "../model/store.ts";
import { Inspector } from "./inspector.ts";

/** What a page asks of its worker when it hears of damage, up to the question about findings. */
async function askedOnDamage(opened: Partial<Opened>): Promise<string[]> {
  const asked: string[] = [];
  const store = new Store();
  store.set({ opened: opened as Opened });
  await new Promise<void>((resolve) => {
    const port: Port = {
      postMessage: (message) => {
        const { type } = message as Asked;
        asked.push(type);
        if (type === "findings") resolve();
      },
      onmessage: null,
      onerror: null,
    };
    const client = new Client(port, () => undefined);
    const inspector = new Inspector(store, client, () => Promise.resolve(undefined));
    // Many notices are one question.
    for (let i = 0; i < 3; i++) inspector.heard({ notice: "damaged" });
  });
  return asked;
}

Deno.test("a disk of which a survey found damage is scanned again, a snapshot is not", async () => {
  assert.deepEqual(await askedOnDamage({}), ["scan", "findings"]);
  const snapshot = {} as NonNullable<Opened["snapshot"]>;
  assert.deepEqual(await askedOnDamage({ snapshot }), ["findings"]);
});
