/** Servers that take other requests than Amazon's own do. */
import assert from "node:assert/strict";
import type { RegrainError } from "../../core-as/host/errors.ts";
import { regrainCommand, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { FAULT_KEYS, type FaultServerOptions } from "./fault_server.ts";
import { HASTY, startFaultServer } from "./servers.ts";

const BYTES = new TextEncoder().encode("what is kept");
const UNTIL_MS = Date.UTC(2099, 0, 1);

async function withServer(
  options: FaultServerOptions,
  fn: (made: ReturnType<typeof startFaultServer>) => Promise<void>,
): Promise<void> {
  const made = startFaultServer(options);
  try {
    await fn(made);
  } finally {
    await made.close();
  }
}

for (const checksum of ["md5", "md5-when-locked"] as const) {
  Deno.test(`B13: a server that takes ${checksum} gets Content-MD5 after its first refusal, locks too`, () =>
    withServer({ checksum, batches: false }, async ({ open, server }) => {
      const store = await open({ prefix: "repo", retry: HASTY });
      try {
        assert.equal(await store.put("locked", BYTES, { retainUntilMs: UNTIL_MS }), "created");
        assert.equal(await store.put("plain", BYTES, { ifAbsent: true }), "created");
        assert.equal(await store.put("plain", BYTES, { ifAbsent: true }), "exists");
        assert.deepEqual(await store.extendRetention(["plain"], UNTIL_MS), []);
        assert.equal(server.objects.get("repo/locked")?.retainUntilMs, UNTIL_MS);
        assert.equal(server.objects.get("repo/plain")?.retainUntilMs, UNTIL_MS);
        assert.deepEqual(await store.get("locked", 100), BYTES);
        // The first put was refused once; nothing after it.
        assert.equal(server.log.filter((each) => each === "put").length, 5);
      } finally {
        store.close();
      }
    }));
}

Deno.test("a server that wants Content-MD5 with a batch of removals, and does not get it, loses no removal", () =>
  withServer({
    fault: (_, operation) =>
      operation === "delete-batch" ? { kind: "refuse", status: 400, code: "MissingContentMD5" } : undefined,
  }, async ({ open, server }) => {
    const store = await open({ prefix: "repo", retry: HASTY });
    try {
      for (const key of ["a", "b", "c"]) await store.put(key, BYTES);
      await store.remove(["a", "b"]);
      assert.deepEqual([...server.objects.keys()], ["repo/c"]);
    } finally {
      store.close();
    }
  }));

Deno.test("an object that a lifecycle rule moved to an archive is no matter of credentials, and says what to do", () =>
  withServer({
    fault: (_, operation) =>
      operation === "get" ? { kind: "refuse", status: 403, code: "InvalidObjectState" } : undefined,
  }, async ({ open }) => {
    const store = await open({ prefix: "repo", retry: HASTY });
    try {
      await store.put("a", BYTES);
      assert.equal((await store.head("a"))?.sizeBytes, BYTES.length);
      await assert.rejects(() => store.get("a", 100), (error: RegrainError) => {
        assert.equal(error.code, "STORE_FAILED");
        assert.match(error.message, /s3:\/\/.*repo\/a: is in an archive of the store/);
        assert.match(error.hint!, /restore-object.*lifecycle rule/);
        return true;
      });
    } finally {
      store.close();
    }
  }));

Deno.test("B13: a bucket of a Ceph name is written and read in", () =>
  withServer({ bucket: "My_Bucket" }, async ({ open }) => {
    const store = await open({ bucket: "My_Bucket", prefix: "repo" });
    try {
      await store.put("a", BYTES);
      assert.deepEqual(await store.get("a", 100), BYTES);
    } finally {
      store.close();
    }
  }));

Deno.test("B13: a profile that was never finished is exit 2 with its name, not a bug", () =>
  withTempDir((folder) => {
    Deno.writeTextFileSync(
      `${folder}/config`,
      "[profile sso]\nsso_session=none\nsso_account_id=1\nsso_role_name=x\n" +
        "[profile web]\nrole_arn=arn:aws:iam::1:role/x\nweb_identity_token_file=/nosuch\n",
    );
    Deno.writeTextFileSync(`${folder}/credentials`, "");
    const env = {
      AWS_CONFIG_FILE: `${folder}/config`,
      AWS_SHARED_CREDENTIALS_FILE: `${folder}/credentials`,
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
    };
    for (const profile of ["sso", "web"]) {
      const { message, hint = "" } = regrainRefuses({ code: "USAGE", exit: 2 }, [
        ...["snapshots", "--repo", "s3://bucket/vms", "--endpoint", "http://127.0.0.1:1"],
        ...["--profile", profile],
      ], { env });
      assert.ok(message.includes(`the profile ${profile} cannot be used`), message);
      assert.ok(hint.includes("AWS_ACCESS_KEY_ID"), hint);
    }
    return Promise.resolve();
  }));

Deno.test("B13: the endpoint_url of a profile is where the bucket is, named in the path as with --endpoint", () =>
  withTempDir(async (folder) => {
    const server = startFaultServer();
    try {
      const { accessKey, secretKey } = FAULT_KEYS;
      const keys = `aws_access_key_id=${accessKey}\naws_secret_access_key=${secretKey}\n`;
      const services = `[services here]\ns3 =\n  endpoint_url = ${server.endpoint}\n`;
      Deno.writeTextFileSync(
        `${folder}/config`,
        `[profile own]\nregion=eu-west-1\nendpoint_url = ${server.endpoint}\n${keys}` +
          `[profile listed]\nservices = here\n${keys}${services}`,
      );
      const env = { AWS_CONFIG_FILE: `${folder}/config`, AWS_ENDPOINT_URL: "", AWS_ENDPOINT_URL_S3: "" };
      for (const profile of ["own", "listed"]) {
        const args = ["repo", "init", "--repo", `s3://${server.bucket}/${profile}`, "--profile", profile];
        const { code, stderr } = await regrainCommand(args, { env }).output();
        assert.equal(code, 0, new TextDecoder().decode(stderr));
      }
    } finally {
      await server.close();
    }
  }));

Deno.test("B13: the program says exit 2 to a proxy for http, an endpoint without scheme, a foreign address", () => {
  const usage = { code: "USAGE", exit: 2 };
  const bucket = ["snapshots", "--repo", "s3://bucket/vms"];
  regrainRefuses(usage, [...bucket, "--endpoint", "http://127.0.0.1:1"], {
    env: { HTTP_PROXY: "http://127.0.0.1:2", NO_PROXY: "" },
  });
  regrainRefuses(usage, bucket, { env: { AWS_ENDPOINT_URL: "127.0.0.1:9000" } });
  regrainRefuses(usage, ["repo", "init", "--repo", "root@nas:/backups"]);
});
