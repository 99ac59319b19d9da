/**
 * The client of the AWS SDK, set up for a backup repository: many connections that stay open, no retries of its own
 * (each one is to be reported), and the content's hash in every request that carries content.
 *
 * The SDK is loaded when the first store is opened: it takes longer than the rest of the program together.
 */
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";

import { endpointOf, proxyOf } from "./endpoint.ts";
import { agentThrough } from "./proxy.ts";
import { fallBackToMd5, type WithMiddleware } from "./checksum.ts";
import { limitAnswers } from "./answer.ts";
import { explainSignIn } from "./sign_in.ts";
import { isForbidden } from "../../deno_errors.ts";
import { translated } from "../../io/translate.ts";

export interface S3Location {
  readonly bucket: string;
  /** What stands before every key, without slashes at its ends; empty for the bucket's root. */
  readonly prefix: string;
  /** `https://host:port`; absent: as the environment says, else Amazon's own. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** A profile of the shared configuration files. */
  readonly profile?: string | undefined;
  /** `https://host/bucket` instead of `https://bucket.host`; by default wherever an endpoint is given. */
  readonly pathStyle?: boolean | undefined;
  /** A PEM file of certificates to trust instead of the usual ones. */
  readonly caFile?: string | undefined;
}

export type Sdk = typeof import("@aws-sdk/client-s3");

/** Requests that are under way at once, each on a connection of its own. */
export const MAX_CONNECTIONS = 32;
const CONNECT_MS = 10_000;
/** Servers of one's own seldom care, and signatures need some region. */
const ANY_REGION = "us-east-1";

export interface Connected {
  readonly sdk: Sdk;
  readonly client: S3Client;
  /** Finds the credentials, once: what is wrong with a profile is said of the profile. */
  readonly signIn: () => Promise<void>;
  /** A client of the same name with a wrong secret; absent for AWS itself. */
  readonly forge?: () => Promise<S3Client>;
}

export async function connect(location: S3Location): Promise<Connected> {
  const { profile, caFile } = location;
  const endpoint = endpointOf(location);
  const proxy = proxyOf(endpoint);
  const sdk = await import("@aws-sdk/client-s3");
  const agent = { keepAlive: true, maxSockets: MAX_CONNECTIONS };
  const trust = caFile === undefined ? {} : { ca: await readCertificates(caFile) };
  const region = location.region ?? (endpoint === undefined ? undefined : regionOfEnvironment());
  const settings: S3ClientConfig = {
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Waiting for a go-ahead takes a round trip, and the SDK opens a connection of its own for each such request.
    expectContinueHeader: false,
    followRegionRedirects: endpoint === undefined,
    forcePathStyle: location.pathStyle ?? endpoint !== undefined,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      httpAgent: agent,
      httpsAgent: proxy === undefined
        ? { ...agent, ...trust }
        : agentThrough(proxy, { ...agent, ...trust, connectMs: CONNECT_MS }),
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
  };
  const client = new sdk.S3Client(settings);
  fallBackToMd5(client);
  limitAnswers(client);
  let signedIn: Promise<void> | undefined;
  const signIn = () => signedIn ??= explainSignIn(() => client.config.credentials(), profile);
  if (endpoint === undefined) return { sdk, client, signIn };
  const forge = async () => {
    const { accessKeyId } = await client.config.credentials();
    return new sdk.S3Client({
      ...settings,
      credentials: { accessKeyId, secretAccessKey: crypto.randomUUID() },
    });
  };
  return { sdk, client, signIn, forge };
}

async function readCertificates(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw translated({ operation: "read file", path }, cause);
  }
}

function regionOfEnvironment(): string {
  try {
    return Deno.env.get("AWS_REGION") ?? Deno.env.get("AWS_DEFAULT_REGION") ?? ANY_REGION;
  } catch (error) {
    if (isForbidden(error)) return ANY_REGION;
    throw error;
  }
}

/** Signs a request with a hash of its content that is known already, so that it is not computed twice. */
export function presetContentHash(command: unknown, hex: string): void {
  (command as WithMiddleware).middlewareStack.add(
    (next) => (args) => {
      args.request.headers["x-amz-content-sha256"] = hex;
      return next(args);
    },
    { step: "build", name: "presetContentHash" },
  );
}
