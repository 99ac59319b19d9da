/** Snapshots that nobody can remove before a date, in a bucket of versitygw with object lock. */
import assert from "node:assert/strict";
import type { S3Store } from "../../cli/store/s3/store.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { BucketCli } from "./bucket_cli.ts";
import { makeBucket, startVersitygw } from "./servers.ts";

/** Dates of the objects below some prefixes, by their keys. */
async function locksOf(store: S3Store, prefixes: readonly string[]): Promise<Map<string, number>> {
  const locks = new Map<string, number>();
  for (const prefix of prefixes) {
    for await (const { key } of store.list(prefix)) {
      locks.set(key, (await store.head(key))!.retainUntilMs ?? 0);
    }
  }
  return locks;
}

const CONTENT = ["chunks/", "maps/", "snaps/"];

testWithPeers(
  "versitygw: what is to be kept until a date is locked until then",
  ["versitygw"],
  () =>
    withTempDir(async (folder) => {
      const server = await startVersitygw(folder);
      await makeBucket({ endpoint: server.endpoint, bucket: "locked", locks: true });
      const cli = new BucketCli({ ...server, bucket: "locked" }, folder);
      const store = await server.open({ bucket: "locked", prefix: "repo" });
      try {
        const { stderr } = await cli.init();
        assert.match(stderr, /keeps older versions/);
        assert.match(stderr, /has object lock/);
        assert.match((await cli.run(["repo", "info"])).stdout, /bucket +has object lock/);

        const unlocked = await cli.backUp("xab");
        for (const [key, untilMs] of await locksOf(store, CONTENT)) assert.equal(untilMs, 0, key);
        const first = await cli.backUp("abc.", ["--retain", "30d"]);
        const firstMs = Date.parse(String(first.retainUntil));
        assert.ok(firstMs >= Date.now() + 30 * 86_400_000 - 60_000 && firstMs < Date.now() + 40 * 86_400_000);
        const locks = await locksOf(store, ["active/", ...CONTENT]);
        const open = [...locks].filter(([, untilMs]) => untilMs !== firstMs).map(([key]) => key);
        // Of the snapshot without a date: x, the short chunk, page, manifest, signs; and the first one's intent.
        assert.equal(open.filter((key) => key.startsWith("snaps/")).length, 1);
        assert.equal(open.filter((key) => key.startsWith("maps/")).length, 1);
        assert.equal(open.filter((key) => key.startsWith("chunks/")).length, 2);
        assert.deepEqual(open.filter((key) => key.endsWith("/done")), [`active/${unlocked.id}/done`]);

        await cli.backUp("abcd", ["--retain", "30d"]);
        const third = await cli.backUp("abcd", ["--retain", "90d"]);
        const thirdMs = Date.parse(String(third.retainUntil));
        const longest = [...await locksOf(store, CONTENT)].filter(([, untilMs]) => untilMs === thirdMs);
        assert.equal(longest.filter(([key]) => key.startsWith("chunks/")).length, 4);
        assert.equal(longest.filter(([key]) => key.startsWith("maps/")).length, 1);
        // A shorter wish makes no lock shorter.
        await cli.backUp("abcd", ["--retain", "1d"]);
        const after = await locksOf(store, CONTENT);
        for (const [key] of longest) assert.equal(after.get(key), thirdMs, key);

        const pruned = await cli.json(["prune", "--keep-last", "1"]);
        assert.deepEqual(pruned.at(-1)!.ids, [unlocked.id]);
        assert.match(JSON.stringify(pruned), /locked until \d{4}-/);
        const { stderr: told } = await cli.run(["gc"]);
        assert.match(told, /lifecycle rule for noncurrent/);
        await cli.assertHolds(String(first.id), "abc.");
        await cli.run(["verify", "--deep"]);
      } finally {
        store.close();
        await server.close();
      }
    }),
);

testWithPeers(
  "versitygw: a bucket without object lock is refused for --retain",
  ["versitygw"],
  () =>
    withTempDir(async (folder) => {
      const server = await startVersitygw(folder);
      try {
        const cli = new BucketCli(server, folder);
        await cli.init();
        Deno.writeFileSync(`${folder}/image`, new Uint8Array(4096));
        const args = ["backup", `${folder}/image`, "--name", "a/b", "--progress", "none", "--retain"];
        assert.match(
          (await cli.run([...args, "30d"], 2)).stderr,
          /has no object lock, and --retain rests on it/,
        );
        assert.match((await cli.run([...args, "0d"], 2)).stderr, /keeps nothing/);
      } finally {
        await server.close();
      }
    }),
);
