/** The probe: what it says of stores that keep their promises, and of those that do not. */
import assert from "node:assert/strict";
import { FolderStore } from "../../cli/store/folder/store.ts";
import { probeStore, type StoreProbe } from "../../cli/store/probe.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import type { FaultServerOptions } from "./fault_server.ts";
import {
  makeBucket,
  type S3Server,
  startFaultServer,
  startS3rver,
  startS3sFs,
  startVersitygw,
} from "./servers.ts";

async function probeServer(server: S3Server, options: { bucket?: string } = {}): Promise<StoreProbe> {
  const store = await server.open({ prefix: "repo", ...options });
  try {
    const probe = await probeStore(store);
    for await (const { key } of store.list("")) assert.fail(`${key} was left behind`);
    return probe;
  } finally {
    store.close();
    await server.close();
  }
}

function probeFaulty(options: FaultServerOptions): Promise<StoreProbe> {
  return probeServer(startFaultServer(options));
}

Deno.test("a folder is good, and writes an object of one key once", () =>
  withTempDir(async (folder) => {
    assert.deepEqual(await probeStore(new FolderStore(folder)), { conditionalPut: "atomic", warnings: [] });
    for await (const { key } of new FolderStore(folder).list("")) assert.fail(`${key} was left behind`);
  }));

for (const conditions of ["atomic", "ignored", "rejected"] as const) {
  Deno.test(`conditions that a server has ${conditions} are told so`, async () => {
    const { conditionalPut, warnings } = await probeFaulty({ conditions });
    assert.equal(conditionalPut, conditions);
    assert.deepEqual(warnings, []);
  });
}

const UNSUITABLE: readonly { what: string; options: FaultServerOptions; reason: RegExp }[] = [
  { what: "lists late", options: { listLag: 1 }, reason: /does not list an object that was just written/ },
  {
    what: "forgets where a listing goes on",
    options: { forgetsPage: true },
    reason: /cannot list in several pages|of several pages/,
  },
  {
    what: "keeps what is removed",
    options: { keepsRemoved: true },
    reason: /still has an object that was just removed/,
  },
  {
    what: "gives back other content",
    options: { garblesReads: true },
    reason: /an object that was just written with other content/,
  },
];

for (const { what, options, reason } of UNSUITABLE) {
  Deno.test(`a store that ${what} is refused by name`, async () => {
    const server = startFaultServer(options);
    const store = await server.open();
    try {
      await assert.rejects(probeStore(store), (error: Error & { code?: string }) => {
        assert.equal(error.code, "STORE_UNSUITABLE");
        assert.match(error.message, reason);
        return true;
      });
    } finally {
      store.close();
      await server.close();
    }
  });
}

Deno.test("credentials that cannot remove are enough, with a warning", async () => {
  const server = startFaultServer({
    fault: (_, operation) =>
      operation.startsWith("delete") ? { kind: "refuse", status: 403, code: "AccessDenied" } : undefined,
  });
  const store = await server.open();
  const { warnings } = await probeStore(store);
  assert.match(warnings.join(), /cannot remove objects/);
  store.close();
  await server.close();
});

testWithPeers(
  "versitygw: conditions are kept, versions and locks recognised",
  ["versitygw"],
  () =>
    withTempDir(async (folder) => {
      const server = await startVersitygw(folder);
      await makeBucket({ endpoint: server.endpoint, bucket: "locked", locks: true });
      const plain = await server.open();
      assert.deepEqual(await probeStore(plain), {
        conditionalPut: "atomic",
        versioned: false,
        objectLock: false,
        warnings: [],
      });
      plain.close();
      assert.deepEqual(await probeServer(server, { bucket: "locked" }), {
        conditionalPut: "atomic",
        versioned: true,
        objectLock: true,
        warnings: [],
      });
    }),
);

testWithPeers(
  "s3s-fs is good enough, whatever its conditions are worth",
  ["s3s-fs"],
  () =>
    withTempDir(async (folder) => {
      const { conditionalPut, warnings } = await probeServer(await startS3sFs(folder));
      assert.ok(conditionalPut === "ignored" || conditionalPut === "atomic");
      assert.deepEqual(warnings, []);
    }),
);

testWithPeers("s3rver, the server that lies, is refused", ["s3rver"], () =>
  withTempDir(async (folder) => {
    await assert.rejects(probeServer(await startS3rver(folder)), { code: "STORE_UNSUITABLE" });
  }));
