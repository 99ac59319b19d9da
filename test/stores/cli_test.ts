/** The life of a repository in a bucket, by the commands: on real servers, and through every kind of fault. */
import assert from "node:assert/strict";
import { Rng } from "../../fixtures/mod.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { BucketCli, DISK } from "./bucket_cli.ts";
import type { Fault, Operation } from "./fault_server.ts";
import { type S3Server, startFaultServer, startS3sFs, startVersitygw } from "./servers.ts";

const FIRST = "abcd.ef.g";
const SECOND = "abcdhef..";

async function liveThrough(server: S3Server, folder: string): Promise<void> {
  const cli = new BucketCli(server, folder);
  await cli.init();
  const first = await cli.backUp(FIRST);
  const second = await cli.backUp(SECOND);
  assert.equal((second.stats as { newChunks: number }).newChunks, 1);
  const listed = (await cli.json(["snapshots"])).flatMap((line) => JSON.stringify(line));
  for (const { id } of [first, second]) assert.ok(listed.join().includes(String(id)));
  await cli.run(["verify", "--deep"]);
  await cli.assertHolds(String(first.id), FIRST);
  await cli.assertHolds(String(second.id), SECOND);
  await cli.run(["compare", `${folder}/image`, `repo:${DISK}@latest`]);
  const pruned = await cli.json(["prune", "--keep-last", "1"]);
  assert.deepEqual(pruned.at(-1)!.ids, [first.id]);
  const collected = (await cli.json(["gc"])).at(-1)!;
  // A chunk and the last, short one of the first disk, and its page.
  assert.equal(collected.removedObjects, 2);
  await cli.run(["verify", "--deep"]);
  await cli.assertHolds("latest", SECOND);
  await cli.run(["restore", `${DISK}@${first.id}`, `${folder}/gone`], 4);
  assert.deepEqual((await cli.json(["gc"])).at(-1)!.removedObjects, 0);
}

for (const [name, start] of [["versitygw", startVersitygw], ["s3s-fs", startS3sFs]] as const) {
  testWithPeers(
    `${name}: a repository from its making to its second collection`,
    [name],
    () =>
      withTempDir(async (folder) => {
        const server = await start(folder);
        try {
          await liveThrough(server, folder);
        } finally {
          await server.close();
        }
      }),
  );
}

/** One request of so many fails. */
const FAULTY_SHARE = 6;

const FAULTS: readonly Fault[] = [
  { kind: "refuse", status: 500, code: "InternalError" },
  { kind: "refuse", status: 503, code: "SlowDown" },
  { kind: "proxy-page", status: 502 },
  { kind: "reset" },
  { kind: "lose-reply" },
  { kind: "truncate" },
];

Deno.test("backup and restore come through random faults with the right result, and tell of them", () =>
  withTempDir(async (folder) => {
    const rng = new Rng(7);
    let isFaulty = false;
    const met = new Map<string, number>();
    const fault = (_: number, operation: Operation): Fault | undefined => {
      const pick = FAULTS[rng.int(FAULTS.length)]!;
      if (!isFaulty || rng.int(FAULTY_SHARE) !== 0) return undefined;
      // Half of nothing is all of it.
      if (pick.kind === "truncate" && operation !== "get" && operation !== "list") return undefined;
      met.set(pick.kind, (met.get(pick.kind) ?? 0) + 1);
      return pick;
    };
    const server = startFaultServer({ fault });
    try {
      const cli = new BucketCli(server, folder);
      await cli.init();
      isFaulty = true;
      const first = await cli.backUp(FIRST.repeat(3));
      const second = await cli.backUp(SECOND.repeat(3));
      assert.match(first.warnings + second.warnings, /the store is asked again: /);
      const told = await cli.assertHolds(String(first.id), FIRST.repeat(3)) +
        await cli.assertHolds(String(second.id), SECOND.repeat(3));
      isFaulty = false;
      assert.match(first.warnings + second.warnings + told, /again \d+ more times?, at last: /);
      await cli.run(["verify", "--deep"]);
      console.log(`faults overcome: ${[...met].map(([kind, count]) => `${count} ${kind}`).join(", ")}`);
      assert.ok(met.size >= 4, [...met.keys()].join());
    } finally {
      await server.close();
    }
  }));
