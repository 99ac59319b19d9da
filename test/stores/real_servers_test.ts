/** What only a real server shows: locks, older versions, certificates, and its own words for refusals. */
import assert from "node:assert/strict";
import { run, testWithPeers, withTempDir } from "../helpers/peers.ts";
import { BucketCli } from "./bucket_cli.ts";
import { FORGED, makeBucket, type S3Server, startS3sFs, startVersitygw, UNKNOWN_KEYS } from "./servers.ts";

const BYTES = new TextEncoder().encode("locked");
const REFUSED = /does not take these credentials|does not allow it/;

interface Refusal {
  readonly options: Parameters<S3Server["open"]>[0];
  readonly code: string;
  readonly message: RegExp;
}

const CREDENTIALS: readonly Refusal[] = [
  { options: { keys: UNKNOWN_KEYS }, code: "STORE_DENIED", message: REFUSED },
  { options: { keys: FORGED }, code: "STORE_DENIED", message: REFUSED },
];
const ABSENT = {
  options: { bucket: "elsewhere" },
  code: "STORE_FAILED",
  message: /there is no bucket elsewhere/,
};

/** s3s-fs makes a bucket by writing to it. */
const SERVERS: readonly [string, (folder: string) => Promise<S3Server>, readonly Refusal[]][] = [
  ["versitygw", startVersitygw, [...CREDENTIALS, ABSENT]],
  ["s3s-fs", startS3sFs, CREDENTIALS],
];

for (const [name, start, refusals] of SERVERS) {
  testWithPeers(`${name}: what it refuses is told by name`, [name], () =>
    withTempDir(async (folder) => {
      const server = await start(folder);
      for (const { options, code, message } of refusals) {
        const store = await server.open(options);
        const list = async () => {
          for await (const { key } of store.list("")) assert.fail(key);
        };
        for (
          const act of [() => store.put("x", BYTES), () => store.get("x", 9), () => store.head("x"), list]
        ) {
          await assert.rejects(act, (error: Error & { code?: string }) => {
            assert.equal(error.code, code, error.message);
            assert.match(error.message, message);
            return true;
          });
        }
        store.close();
      }
      await server.close();
    }));
}

for (const lockMode of ["compliance", "governance"] as const) {
  testWithPeers(
    `versitygw: an object that is locked (${lockMode}) outlives its removal`,
    ["versitygw"],
    () =>
      withTempDir(async (folder) => {
        const server = await startVersitygw(folder);
        await makeBucket({ endpoint: server.endpoint, bucket: "locked", locks: true });
        const store = await server.open({ bucket: "locked", lockMode });
        const retainUntilMs = Math.ceil(Date.now() / 1000 + 3600) * 1000;
        assert.equal(await store.put("x", BYTES, { ifAbsent: true, retainUntilMs }), "created");
        const { mode, untilMs, versionId } = await lockOf(
          server,
          `${store.label.slice("s3://locked/".length)}/x`,
        );
        assert.deepEqual({ mode, untilMs }, { mode: lockMode.toUpperCase(), untilMs: retainUntilMs });
        // With versions, removing hides the object; the locked version cannot be removed.
        await store.remove(["x"]);
        assert.equal(await store.head("x"), undefined);
        assert.notEqual(versionId, undefined);
        store.close();
        await server.close();
      }),
  );
}

async function lockOf(server: S3Server, key: string) {
  const { HeadObjectCommand, S3Client } = await import("@aws-sdk/client-s3");
  const { endpoint } = server;
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, profile: "server" });
  const head = await client.send(new HeadObjectCommand({ Bucket: "locked", Key: key }));
  client.destroy();
  return {
    mode: head.ObjectLockMode,
    untilMs: head.ObjectLockRetainUntilDate?.getTime(),
    versionId: head.VersionId,
  };
}

testWithPeers(
  "versitygw over TLS: a certificate is trusted when it is named",
  ["versitygw", "openssl"],
  () =>
    withTempDir(async (folder) => {
      const [certificate, key] = [`${folder}/server.pem`, `${folder}/server.key`];
      run("openssl", [
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
        ...["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
      ]);
      const server = await startVersitygw(folder, { certificate, key });
      const trusting = await server.open({ caFile: certificate });
      assert.equal(await trusting.put("x", BYTES), "created");
      assert.deepEqual(await trusting.get("x", 100), new Uint8Array(BYTES));
      trusting.close();
      const careful = await server.open();
      await assert.rejects(careful.put("x", BYTES), {
        code: "STORE_FAILED",
        message: /certificate is not trusted/,
      });
      careful.close();
      const cli = (flags: readonly string[]) => new BucketCli(server, folder, flags);
      const init = ["repo", "init"];
      assert.match((await cli([]).run(init, 7)).stderr, /not trusted.*\n.*--ca-file/s);
      await cli(["--ca-file", certificate]).run(init);
      assert.match(
        (await cli(["--ca-file", certificate, "--path-style"]).run(["repo", "info"])).stdout,
        /repository/,
      );
      await assert.rejects(server.open({ caFile: `${folder}/absent` }), { code: "NOT_FOUND" });
      await server.close();
    }),
);
