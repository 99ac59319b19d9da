/**
 * Which checksum a server takes with a request. Amazon's own take SHA-256 in a header of theirs; Backblaze and older
 * servers refuse that header, or want `Content-MD5` where an object is locked. The content is safe either way: its
 * SHA-256 is part of every signature.
 */
import { createHash } from "node:crypto";
import { codeOf } from "./failure.ts";

/** What the SDK passes from one step of a request to the next. */
export interface Step {
  readonly request: { headers: Record<string, string>; readonly body?: unknown };
}

type Next = (args: Step) => Promise<unknown>;

/** What is added to: a client or a command of the SDK. */
export interface WithMiddleware {
  readonly middlewareStack: {
    add(
      middleware: (next: Next, context: { commandName?: string }) => Next,
      options: { step: "build" | "deserialize"; name: string; priority?: "high" | "normal" | "low" },
    ): void;
  };
}

const CHECKSUM_HEADER = /^x-amz-(?:checksum-|sdk-checksum-algorithm$)/i;
/** Content that arrived damaged is not refused for the header's sake. */
const DAMAGED = new Set(["BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "IncompleteBody"]);

/** From the first refusal on, a client sends `Content-MD5` instead; the request that was refused is made again. */
export function fallBackToMd5(client: unknown): void {
  let usesMd5 = false;
  (client as WithMiddleware).middlewareStack.add(
    (next) => async (args) => {
      if (usesMd5) return await next(withMd5(args));
      try {
        return await next(args);
      } catch (error) {
        if (!hasChecksum(args) || !isRefusalOfChecksum(error)) throw error;
        usesMd5 = true;
        return await next(withMd5(args));
      }
    },
    // After the SDK has put its own checksums in, and before the request is signed.
    { step: "build", name: "fallBackToMd5", priority: "low" },
  );
}

function hasChecksum({ request }: Step): boolean {
  return Object.keys(request.headers).some((name) => CHECKSUM_HEADER.test(name));
}

function withMd5(args: Step): Step {
  const { request } = args;
  const { body } = request;
  if (!hasChecksum(args) || !(body instanceof Uint8Array || typeof body === "string")) return args;
  for (const name of Object.keys(request.headers)) {
    if (CHECKSUM_HEADER.test(name)) delete request.headers[name];
  }
  request.headers["content-md5"] = createHash("md5").update(body).digest("base64");
  return args;
}

function isRefusalOfChecksum(error: unknown): boolean {
  const { message = "", $metadata } = error as {
    message?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  return (status === 400 || status === 501) && !DAMAGED.has(codeOf(error)) &&
    /checksum|content-md5/i.test(`${codeOf(error)} ${message}`);
}
