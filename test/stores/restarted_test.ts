/** A store that is restarted while it is used: a backup of hours waits for it, and does not begin again. */
import assert from "node:assert/strict";
import { HASTY, startFaultServer } from "./servers.ts";

const BYTES = new TextEncoder().encode("what is kept");

/** Where clients knock: while it is closed nobody listens there, and behind it is a server. */
class Door {
  private listener: Deno.Listener | undefined;
  private readonly connections = new Set<Deno.Conn>();

  constructor(private readonly behind: number) {
    this.open(0);
  }

  private opened = 0;

  get port(): number {
    return this.opened;
  }

  open(port = this.opened): void {
    const listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.listener = listener;
    this.opened = listener.addr.port;
    this.serve(listener);
  }

  private async serve(listener: Deno.Listener): Promise<void> {
    for await (const client of listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: this.behind });
      for (const each of [client, server]) this.connections.add(each);
      this.pass(client, server);
      this.pass(server, client);
    }
  }

  private async pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    try {
      await from.readable.pipeTo(to.writable);
    } catch (error) {
      // The door was closed between them.
      assert.ok(error instanceof Error);
    }
  }

  close(): void {
    this.listener?.close();
    for (const each of this.connections) {
      try {
        each.close();
      } catch (error) {
        assert.ok(error instanceof Deno.errors.BadResource);
      }
    }
    this.connections.clear();
  }
}

Deno.test("a store that answered before is waited for while nobody listens there, and not given up", async () => {
  const { server, open, close, endpoint } = startFaultServer();
  const door = new Door(Number(new URL(endpoint).port));
  let waited = 0;
  const store = await open({
    endpoint: `http://127.0.0.1:${door.port}`,
    prefix: "repo",
    retry: HASTY,
    onRetry: ({ reason }) => {
      if (reason !== "ECONNREFUSED") return;
      if (++waited === 12) door.open();
    },
  });
  try {
    await store.put("a", BYTES);
    door.close();
    await store.put("b", BYTES);
    assert.ok(waited >= 12, `${waited} attempts`);
    assert.deepEqual([...server.objects.keys()].sort(), ["repo/a", "repo/b"]);
  } finally {
    store.close();
    door.close();
    await close();
  }
});

Deno.test("a store that stays away is waited for once, and what is asked then ends soon", async () => {
  const { open, close, endpoint } = startFaultServer();
  const door = new Door(Number(new URL(endpoint).port));
  let waited = 0;
  const store = await open({
    endpoint: `http://127.0.0.1:${door.port}`,
    prefix: "repo",
    retry: { ...HASTY, forMs: 2000 },
    onRetry: () => waited++,
  });
  try {
    await store.put("a", BYTES);
    door.close();
    await assert.rejects(() => store.put("b", BYTES), { code: "STORE_FAILED" });
    assert.ok(waited > 4, `${waited} attempts`);
    await assert.rejects(() => store.put("c", BYTES), /cannot be reached \(ECONNREFUSED\), after 4 attempts/);
  } finally {
    store.close();
    await close();
  }
});
