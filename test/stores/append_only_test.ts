/** Credentials that put, get and list, and remove nothing, are enough for backups; what removes says what it lacks. */
import assert from "node:assert/strict";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { BucketCli } from "./bucket_cli.ts";
import { allowAppending, startFaultServer, startVersitygw } from "./servers.ts";

async function assertAppends(cli: BucketCli): Promise<void> {
  await cli.backUp("abc");
  const { id, warnings } = await cli.backUp("abd");
  assert.equal(warnings, "");
  await cli.assertHolds(String(id), "abd");
  await cli.run(["verify", "--deep"]);
}

Deno.test("a server that refuses every removal takes backups, and nothing asks it to remove", () =>
  withTempDir(async (folder) => {
    const server = startFaultServer({
      fault: (_, operation) =>
        operation.startsWith("delete") ? { kind: "refuse", status: 403, code: "AccessDenied" } : undefined,
    });
    try {
      const cli = new BucketCli(server, folder);
      const { stderr } = await cli.init();
      assert.match(stderr, /cannot remove objects/);
      server.server.log.length = 0;
      await assertAppends(cli);
      assert.deepEqual(server.server.log.filter((operation) => operation.startsWith("delete")), []);
      const { stderr: told } = await cli.run(["prune", "--keep-last", "1"], 7);
      assert.match(told, /does not (allow it|let it be removed)/);
    } finally {
      await server.close();
    }
  }));

testWithPeers(
  "versitygw: a user who may not remove anything makes backups",
  ["versitygw"],
  () =>
    withTempDir(async (folder) => {
      const server = await startVersitygw(folder);
      try {
        const owner = new BucketCli(server, folder);
        await owner.init();
        const appending = owner.as(await allowAppending(server));
        await assertAppends(appending);
        const { stderr } = await appending.run(["prune", "--keep-last", "1"], 7);
        assert.match(stderr, /STORE_DENIED/);
        await owner.run(["prune", "--keep-last", "1"]);
      } finally {
        await server.close();
      }
    }),
);
