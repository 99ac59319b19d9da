/**
 * An S3 store through every fault that a server, a network or a clock has: each is overcome, and then reported as a
 * retry, or it is an error with its name. What is never seen is a success that is none.
 *
 * Prints a table of what came of them.
 */
import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/errors.ts";
import type { S3Options, S3Store } from "../../cli/store/s3/store.ts";
import type { Fault, FaultServer, FaultServerOptions, Operation } from "./fault_server.ts";
import { HASTY, startFaultServer, UNKNOWN_KEYS, WRONG_SECRET } from "./servers.ts";
import type { Keys } from "./sigv4.ts";

const OLD = new TextEncoder().encode("what stood there before");
const NEW = new TextEncoder().encode("what is written now, and somewhat longer");
const LIMIT = 1000;
const PREFIX = "repo";

interface Scene {
  readonly store: S3Store;
  readonly server: FaultServer;
  /** Reasons of the retries, in order. */
  readonly retries: string[];
}

async function withScene(
  options: FaultServerOptions & { client?: Partial<S3Options> & { keys?: Keys } },
  fn: (scene: Scene) => Promise<void>,
): Promise<void> {
  const { client, ...faults } = options;
  const { server, open, close } = startFaultServer(faults);
  const retries: string[] = [];
  const onRetry = ({ reason }: { reason: string }) => retries.push(reason);
  const store = await open({ prefix: PREFIX, idleMs: 2500, onRetry, ...client });
  for (const key of ["old", "list/a", "list/b"]) {
    server.objects.set(`${PREFIX}/${key}`, { bytes: OLD, modifiedMs: Date.now() });
  }
  try {
    await fn({ store, server, retries });
  } finally {
    store.close();
    await close();
  }
}

interface Act {
  readonly kind: Operation;
  /** Does the operation, and asserts that it did what it says. */
  readonly run: (scene: Scene) => Promise<void>;
}

const ACTS: Record<string, Act> = {
  "put": {
    kind: "put",
    async run({ store, server }) {
      assert.equal(await store.put("old", NEW), "created");
      assertHolds(server, "old", NEW);
    },
  },
  "put if absent": {
    kind: "put",
    async run({ store, server }) {
      // A reply that was lost makes this object one that was there already: by ourselves.
      assert.match(await store.put("new", NEW, { ifAbsent: true }), /^(created|exists)$/);
      assertHolds(server, "new", NEW);
    },
  },
  "put if absent, and it is there": {
    kind: "put",
    async run({ store, server }) {
      assert.equal(await store.put("old", NEW, { ifAbsent: true }), "exists");
      assertHolds(server, "old", OLD);
    },
  },
  "get": {
    kind: "get",
    async run({ store }) {
      assert.deepEqual(await store.get("old", LIMIT), new Uint8Array(OLD));
    },
  },
  "get what is absent": {
    kind: "get",
    async run({ store }) {
      assert.equal(await store.get("absent", LIMIT), undefined);
    },
  },
  "head": {
    kind: "head",
    async run({ store }) {
      assert.equal((await store.head("old"))?.sizeBytes, OLD.length);
    },
  },
  "list": {
    kind: "list",
    async run({ store }) {
      const keys = [];
      for await (const { key } of store.list("list/")) keys.push(key);
      assert.deepEqual(keys, ["list/a", "list/b"]);
    },
  },
  "remove": {
    kind: "delete",
    async run({ store, server }) {
      await store.remove(["old"]);
      assert.ok(!server.objects.has(`${PREFIX}/old`));
    },
  },
  "remove many": {
    kind: "delete-batch",
    async run({ store, server }) {
      await store.remove(["old", "list/a", "never/there"]);
      assert.deepEqual([...server.objects.keys()], [`${PREFIX}/list/b`]);
    },
  },
};

function assertHolds(server: FaultServer, key: string, bytes: Uint8Array): void {
  assert.deepEqual(server.objects.get(`${PREFIX}/${key}`)?.bytes, new Uint8Array(bytes));
}

/** Faults that pass: the first two requests of the operation meet them. */
const PASSING: Record<string, { fault: Fault; reason: RegExp }> = {
  "500 InternalError": { fault: refusal(500, "InternalError"), reason: /InternalError|status 500/ },
  "502 from a proxy": {
    fault: { kind: "proxy-page", status: 502 },
    reason: /status 502|cannot be understood/,
  },
  "503 SlowDown": { fault: refusal(503, "SlowDown"), reason: /SlowDown|status 503/ },
  "429 TooManyRequests": { fault: refusal(429, "TooManyRequests"), reason: /TooManyRequests|status 429/ },
  "reset in mid-request": {
    fault: { kind: "reset" },
    reason: /reset|closed|hang up|ECONN|EPIPE|instead of/i,
  },
  "reply lost after success": { fault: { kind: "lose-reply" }, reason: /reset|closed|hang up|ECONN|EPIPE/i },
  "no answer": { fault: { kind: "stall" }, reason: /nothing moved/ },
};
const FAULTY_REQUESTS = 2;

function refusal(status: number, code: string): Fault {
  return { kind: "refuse", status, code };
}

/** The n-th requests of a kind meet the fault. */
function early(fault: Fault, kind: Operation): NonNullable<FaultServerOptions["fault"]> {
  let met = 0;
  return (_, operation) => operation === kind && ++met <= FAULTY_REQUESTS ? fault : undefined;
}

const table = new Map<string, number>();

function count(outcome: string): void {
  table.set(outcome, (table.get(outcome) ?? 0) + 1);
}

for (const [faultName, { fault, reason }] of Object.entries(PASSING)) {
  Deno.test(`${faultName}: every operation is tried again, says so, and then has done what it says`, async () => {
    await Promise.all(
      Object.entries(ACTS).map(([actName, act]) =>
        withScene({ fault: early(fault, act.kind) }, async (scene) => {
          await act.run(scene);
          assert.equal(scene.retries.length, FAULTY_REQUESTS, `${actName}: ${scene.retries.join()}`);
          for (const each of scene.retries) assert.match(each, reason, actName);
          count(`${faultName}: retried, then right`);
        })
      ),
    );
  });
}

for (const actName of ["get", "list", "remove many"]) {
  Deno.test(`an answer that is cut short is not taken for the whole: ${actName}`, async () => {
    const act = ACTS[actName]!;
    await withScene({ fault: early({ kind: "truncate" }, act.kind) }, async (scene) => {
      await act.run(scene);
      assert.equal(scene.retries.length, FAULTY_REQUESTS, scene.retries.join());
      count("answer cut short: retried, then right");
    });
  });
}

/** Faults that stay. */
const STAYING: readonly {
  readonly what: string;
  readonly options: FaultServerOptions & { client?: Partial<S3Options> & { keys?: Keys } };
  readonly code: string;
  readonly message: RegExp;
  readonly isTried?: "once" | "often";
}[] = [
  {
    what: "expired credentials",
    options: always(refusal(400, "ExpiredToken")),
    code: "STORE_DENIED",
    message: /the credentials have expired \(ExpiredToken\)/,
  },
  {
    what: "a wrong secret",
    options: { client: { keys: WRONG_SECRET } },
    code: "STORE_DENIED",
    message: /does not take these credentials/,
  },
  {
    what: "unknown credentials",
    options: { client: { keys: UNKNOWN_KEYS } },
    code: "STORE_DENIED",
    message: /does not take these credentials/,
  },
  {
    what: "no permission",
    options: always(refusal(403, "AccessDenied")),
    code: "STORE_DENIED",
    message: /does not allow it/,
  },
  {
    what: "a clock that the server does not believe",
    options: always(refusal(403, "RequestTimeTooSkewed")),
    code: "STORE_DENIED",
    message: /the clocks differ/,
  },
  {
    what: "no such bucket",
    options: { client: { bucket: "elsewhere" } },
    code: "STORE_FAILED",
    message: /there is no bucket elsewhere/,
  },
  {
    what: "a server that always fails",
    options: { ...always(refusal(500, "InternalError")), client: { retry: { ...HASTY, forMs: 1500 } } },
    code: "STORE_FAILED",
    message: /after \d+ attempts/,
    isTried: "often",
  },
  {
    what: "a server that never answers",
    options: { ...always({ kind: "stall" }), client: { idleMs: 40, retry: { ...HASTY, forMs: 1500 } } },
    code: "STORE_FAILED",
    message: /nothing moved .* after \d+ attempts/,
    isTried: "often",
  },
  {
    what: "nobody there",
    options: { client: { endpoint: "http://127.0.0.1:9" } },
    code: "STORE_FAILED",
    message: /cannot be reached \(ECONNREFUSED\), after 4 attempts/,
    isTried: "often",
  },
];

function always(fault: Fault): FaultServerOptions {
  return { fault: () => fault };
}

for (const { what, options, code, message, isTried = "once" } of STAYING) {
  Deno.test(`${what}: every operation fails by name, without a secret in its words`, async () => {
    await Promise.all(
      Object.entries(ACTS).map(([actName, { run }]) =>
        withScene(options, async (scene) => {
          const error = await failureOf(() => run(scene));
          assert.equal(error.code, code, `${actName}: ${error.message}`);
          assert.match(error.message, message, actName);
          assert.match(error.message, /^s3:\/\/(bucket|elsewhere)\/repo/);
          assertNoSecret(error);
          assert.equal(scene.retries.length > 0, isTried === "often", scene.retries.join());
          count(`${what}: ${code}`);
        })
      ),
    );
  });
}

async function failureOf(fn: () => Promise<void>): Promise<RegrainError> {
  try {
    await fn();
  } catch (error) {
    if (error instanceof RegrainError) return error;
    throw error;
  }
  throw new Error("that was to fail");
}

function assertNoSecret({ message, hint }: RegrainError): void {
  for (const secret of ["fault-server-secret", "not-the-secret", "nobody", "Signature=", "AKFAULT"]) {
    assert.ok(!`${message} ${hint}`.includes(secret), message);
  }
}

Deno.test("a clock that is off is allowed for, once the server has said so", async () => {
  await withScene({ skewMs: 3_600_000 }, async ({ store, retries }) => {
    assert.equal(await store.put("x", NEW), "created");
    assert.deepEqual(await store.get("x", LIMIT), new Uint8Array(NEW));
    assert.deepEqual(retries, ["RequestTimeTooSkewed"]);
    count("clock an hour off: retried, then right");
  });
});

Deno.test("a full disk is no space, at once", async () => {
  await withScene({ capacityBytes: 100 }, async ({ store, server, retries }) => {
    await assert.rejects(store.put("x", new Uint8Array(200)), { code: "NO_SPACE" });
    assert.ok(!server.objects.has("repo/x"));
    assert.deepEqual(retries, []);
    count("disk full: NO_SPACE");
  });
});

Deno.test("content damaged on its way is refused by the server and sent again", async () => {
  const fault = early(refusal(400, "BadDigest"), "put");
  await withScene({ fault }, async ({ store, server, retries }) => {
    await store.put("x", NEW);
    assertHolds(server, "x", NEW);
    assert.deepEqual(retries, ["BadDigest", "BadDigest"]);
    count("damaged on the way: retried, then right");
  });
});

Deno.test("two writers in each other's way try again", async () => {
  const fault = early(refusal(409, "ConditionalRequestConflict"), "put");
  await withScene({ fault }, async ({ store, retries }) => {
    assert.equal(await store.put("x", NEW, { ifAbsent: true }), "created");
    assert.equal(retries.length, FAULTY_REQUESTS);
    count("409 conflict: retried, then right");
  });
});

Deno.test("a server without conditions is asked for one once", async () => {
  await withScene({ conditions: "rejected" }, async ({ store, server, retries }) => {
    for (const key of ["a", "b"]) {
      assert.equal(await store.put(key, NEW, { ifAbsent: true }), "created");
      assert.equal(await store.put(key, OLD, { ifAbsent: true }), "exists");
      assertHolds(server, key, NEW);
    }
    // The first absence is believed once the bucket has been seen.
    assert.deepEqual(server.log, [
      "put",
      "head",
      "get",
      "other",
      "put",
      "head",
      "head",
      "get",
      "put",
      "head",
    ]);
    assert.deepEqual(retries, []);
    count("conditions not implemented: looked for first");
  });
});

Deno.test("a server without batches removes one by one, and is asked once", async () => {
  await withScene({ batches: false }, async ({ store, server }) => {
    await store.remove(["list/a", "list/b"]);
    await store.remove(["old", "absent"]);
    assert.equal(server.objects.size, 0);
    assert.equal(server.log.filter((each) => each === "delete-batch").length, 1);
    count("batches not implemented: one by one");
  });
});

Deno.test("an object that is locked stands, and is named", async () => {
  await withScene({}, async ({ store, server }) => {
    await store.put("locked/x", NEW, { retainUntilMs: Date.now() + 60_000 });
    for (const keys of [["locked/x"], ["old", "locked/x"]]) {
      const error = await failureOf(() => store.remove(keys));
      assert.equal(error.code, "STORE_DENIED");
      assert.equal(error.path, "s3://bucket/repo/locked/x");
    }
    assertHolds(server, "locked/x", NEW);
    count("object locked: STORE_DENIED");
  });
});

Deno.test("a listing that goes in circles is an error", async () => {
  await withScene({ forgetsPage: true, pageKeys: 1 }, async ({ store }) => {
    await assert.rejects(ACTS["list"]!.run({ store } as Scene), { code: "STORE_FAILED" });
    count("listing in circles: STORE_FAILED");
  });
});

Deno.test("more than the limit is an error before it is read, and not tried again", async () => {
  await withScene({}, async ({ store, retries }) => {
    await assert.rejects(store.get("old", OLD.length - 1), { code: "LIMIT_EXCEEDED" });
    assert.deepEqual(retries, []);
  });
});

Deno.test("no more requests are under way than there are connections", async () => {
  await withScene({}, async ({ store, server }) => {
    await Promise.all(Array.from({ length: 200 }, (_, i) => store.put(`many/${i}`, NEW)));
    assert.equal(server.objects.size, 203);
    assert.ok(server.connectionsMade <= 32, `${server.connectionsMade} connections`);
  });
});

addEventListener("unload", () => {
  for (const [outcome, times] of table) console.log(`${String(times).padStart(3)}  ${outcome}`);
});
