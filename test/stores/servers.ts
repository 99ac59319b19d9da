/** Object stores of every kind for the tests: real servers in processes of their own, and the one that fails. */
import { openS3Store, type S3Options, type S3Store } from "../../cli/store/s3/store.ts";
import { peer, run } from "../helpers/peers.ts";
import { FAULT_BUCKET, FAULT_KEYS, FaultServer, type FaultServerOptions } from "./fault_server.ts";
import type { Keys } from "./sigv4.ts";

export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  /** Profile of its keys. */
  readonly profile: string;
  /** Opens the bucket; every call a prefix of its own unless one is named. */
  open(options?: Partial<S3Options> & { keys?: Keys }): Promise<S3Store>;
  close(): Promise<void>;
}

const SERVER_KEYS: Keys = { accessKey: "AKREGRAIN", secretKey: "regrain-test-secret" };
const S3RVER_KEYS: Keys = { accessKey: "S3RVER", secretKey: "S3RVER" };
/** Right for no server: the name of {@link FAULT_KEYS}, and another secret. */
export const WRONG_SECRET: Keys = { accessKey: FAULT_KEYS.accessKey, secretKey: "not-the-secret" };
/** The same for the real servers. */
export const FORGED: Keys = { accessKey: SERVER_KEYS.accessKey, secretKey: "not-the-secret-either" };
/** A name that no server knows. */
export const UNKNOWN_KEYS: Keys = { accessKey: "AKNOBODY", secretKey: "nobody" };
/** Of a user of versitygw who is nobody yet: see {@link allowAppending}. */
const APPENDING_KEYS: Keys = { accessKey: "AKAPPEND", secretKey: "append-only-secret" };
const PROFILES = {
  appending: APPENDING_KEYS,
  server: SERVER_KEYS,
  s3rver: S3RVER_KEYS,
  fault: FAULT_KEYS,
  wrong: WRONG_SECRET,
  forged: FORGED,
  unknown: UNKNOWN_KEYS,
} as const;
const START_MS = 120_000;

/** Pauses short enough for tests. */
export const HASTY = { baseMs: 5, capMs: 20, forMs: 20_000 };

/** @param tls Files of a certificate for `localhost` and its key. */
export function startVersitygw(
  folder: string,
  tls?: { certificate: string; key: string },
): Promise<S3Server> {
  Deno.mkdirSync(`${folder}/data`);
  Deno.mkdirSync(`${folder}/versions`);
  Deno.mkdirSync(`${folder}/users`);
  const secure = tls === undefined ? [] : ["--cert", tls.certificate, "--key", tls.key];
  return startServer(peer("versitygw")!, (port) => ({
    args: [
      ...["--port", `127.0.0.1:${port}`, "--keep-alive", "--quiet", ...secure],
      ...["--iam-dir", `${folder}/users`],
      ...["posix", "--versioning-dir", `${folder}/versions`, `${folder}/data`],
    ],
    env: { ROOT_ACCESS_KEY: SERVER_KEYS.accessKey, ROOT_SECRET_KEY: SERVER_KEYS.secretKey },
  }), { caFile: tls?.certificate });
}

export function startS3sFs(folder: string): Promise<S3Server> {
  const { accessKey, secretKey } = SERVER_KEYS;
  return startServer(peer("s3s-fs")!, (port) => ({
    args: [
      ...["--host", "127.0.0.1", "--port", String(port)],
      ...["--access-key", accessKey, "--secret-key", secretKey, folder],
    ],
  }));
}

/** The server that lies: it takes any secret, and does not look at conditions. */
export function startS3rver(folder: string): Promise<S3Server> {
  return startServer(peer("s3rver")!, (port) => ({
    args: ["--directory", folder, "--address", "127.0.0.1", "--port", String(port), "--silent"],
  }), { keys: S3RVER_KEYS });
}

export function startFaultServer(
  options: FaultServerOptions = {},
): S3Server & { readonly server: FaultServer } {
  const server = new FaultServer(options);
  const { endpoint } = server;
  const at = { endpoint, bucket: FAULT_BUCKET, keys: options.keys ?? FAULT_KEYS };
  return {
    server,
    ...at,
    profile: profileOf(at.keys),
    open: (more) => openAt(at, more),
    close: () => server.close(),
  };
}

async function startServer(
  program: string,
  command: (port: number) => { args: readonly string[]; env?: Record<string, string> },
  { keys = SERVER_KEYS, caFile }: { keys?: Keys; caFile?: string | undefined } = {},
): Promise<S3Server> {
  const port = freePort();
  const { args, env = {} } = command(port);
  const child = new Deno.Command(program, {
    args: [...args],
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  })
    .spawn();
  const endpoint = caFile === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  const at = { endpoint, bucket: "bucket", keys, caFile };
  try {
    await untilListening(port);
    await makeBucket(at);
  } catch (error) {
    child.kill("SIGKILL");
    await child.status;
    throw error;
  }
  return {
    ...at,
    profile: profileOf(keys),
    open: (more) => openAt(at, more),
    async close() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

async function openAt(
  { endpoint, bucket, keys }: { endpoint: string; bucket: string; keys: Keys },
  { keys: otherKeys, ...options }: Partial<S3Options> & { keys?: Keys } = {},
): Promise<S3Store> {
  const profile = profileOf(otherKeys ?? keys);
  const prefix = `test/${crypto.randomUUID()}`;
  return await openS3Store({ bucket, endpoint, prefix, profile, retry: HASTY, ...options });
}

/** Makes a bucket, with locks when asked for. */
export async function makeBucket(
  { endpoint, bucket, keys = SERVER_KEYS, locks = false, caFile }: {
    endpoint: string;
    bucket: string;
    keys?: Keys;
    locks?: boolean;
    caFile?: string | undefined;
  },
): Promise<void> {
  const { CreateBucketCommand, S3Client } = await import("@aws-sdk/client-s3");
  const profile = profileOf(keys);
  const trust = caFile === undefined
    ? {}
    : { requestHandler: { httpsAgent: { ca: Deno.readTextFileSync(caFile) } } };
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, profile, ...trust });
  await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: locks }));
  client.destroy();
}

/**
 * Makes a user of versitygw who may put, get and list in the bucket, and remove nothing.
 *
 * @returns The profile of that user.
 */
export async function allowAppending({ endpoint, bucket, profile }: S3Server): Promise<string> {
  const { accessKey, secretKey } = APPENDING_KEYS;
  run(peer("versitygw")!, [
    ...["admin", "-a", SERVER_KEYS.accessKey, "-s", SERVER_KEYS.secretKey, "--er", endpoint],
    ...["create-user", "-a", accessKey, "-s", secretKey, "-r", "user"],
  ]);
  const { PutBucketPolicyCommand, S3Client } = await import("@aws-sdk/client-s3");
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, profile });
  const allow = (Action: readonly string[], Resource: string) => ({
    Effect: "Allow",
    Principal: { AWS: [accessKey] },
    Action,
    Resource,
  });
  const Statement = [
    allow(["s3:PutObject", "s3:GetObject"], `arn:aws:s3:::${bucket}/*`),
    allow(["s3:ListBucket"], `arn:aws:s3:::${bucket}`),
  ];
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
  await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  client.destroy();
  return profileOf(APPENDING_KEYS);
}

/** Credentials come to the SDK as a user's do: from its files, which it reads once. */
let credentialsFile: string | undefined;
addEventListener("unload", () => {
  if (credentialsFile !== undefined) Deno.removeSync(credentialsFile);
});

function profileOf(wanted: Keys): string {
  credentialsFile ??= writeCredentials();
  Deno.env.set("AWS_SHARED_CREDENTIALS_FILE", credentialsFile);
  Deno.env.set("AWS_CONFIG_FILE", credentialsFile);
  Deno.env.set("AWS_EC2_METADATA_DISABLED", "true");
  const [profile] = Object.entries(PROFILES).find(([, keys]) => keys === wanted)!;
  return profile;
}

function writeCredentials(): string {
  const file = Deno.makeTempFileSync({ prefix: "regrain_test_" });
  const profiles = Object.entries(PROFILES).map(([name, { accessKey, secretKey }]) =>
    `[${name}]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`
  );
  Deno.writeTextFileSync(file, profiles.join(""));
  return file;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

async function untilListening(port: number): Promise<void> {
  for (const endMs = Date.now() + START_MS;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused) || Date.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
