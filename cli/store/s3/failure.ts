/**
 * What a failed request to an S3 store means: whether to try again, and how to say it.
 *
 * Messages are made of the server's error code and of words of this program; of what the server wrote only its
 * message is repeated, shortened, and only for codes that are not known here. So no credential can get into one.
 */
import { type ErrorCode, RegrainError } from "../../../core-as/host/errors.ts";
import { PROXY_FAILED } from "./proxy.ts";

/** Where a request failed: for messages. */
export interface FailurePlace {
  readonly bucket: string;
  /** `s3://bucket/prefix/key`. */
  readonly path: string;
  /** `put`, `get`, `list`: what was asked for. */
  readonly operation: string;
  /** What may be wrong with the address of the server, where it answers that there is no such bucket. */
  readonly endpointHint?: string | undefined;
  /** The store answered a moment ago: it is restarted, or the line is down, and a backup of hours waits for it. */
  readonly wasReached?: boolean;
}

export interface Failure {
  /** A new attempt may do better. */
  readonly transient: boolean;
  /** For transient ones: after this many attempts it is given up, whatever time is left. */
  readonly maxAttempts: number;
  /** In a few words, for a report of a retry. */
  readonly reason: string;
  readonly error: RegrainError;
}

interface Facts {
  readonly status: number | undefined;
  readonly code: string;
  readonly message: string;
  readonly clockCorrected: boolean;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly text: string;
  readonly hint?: string;
}

/** Thrown by the store itself when an answer ends before the length that its head named. */
export class ShortAnswer extends Error {
  override readonly name = "ShortAnswer";
}

/** Thrown by the store itself when nothing moved for too long. */
export class IdleConnection extends Error {
  override readonly name = "IdleConnection";
}

const MANY_ATTEMPTS = Infinity;
/** Nobody listens, or no such host: soon clear, and seldom mended by waiting where there never was an answer. */
const UNREACHABLE_ATTEMPTS = 4;
/** Content that arrives damaged again and again is not the wire's fault. */
const DAMAGE_ATTEMPTS = 4;
const CLOCK_ATTEMPTS = 2;

const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  PROXY_FAILED,
]);
const UNTRUSTED = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT)/;
/** The other end speaks no TLS, or none that is known here. */
const NO_TLS = /^(ERR_SSL_|EPROTO$)/;
const BROKEN = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_SOCKET_CLOSED",
  "ERR_STREAM_DESTROYED",
  "TimeoutError",
  "AbortError",
  "ShortAnswer",
  "IdleConnection",
]);
const DAMAGED = new Set(["BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "IncompleteBody"]);
const BUSY = new Set([
  "SlowDown",
  "ServiceUnavailable",
  "InternalError",
  "RequestTimeout",
  "TooManyRequests",
  "Throttling",
  "ThrottlingException",
  "OperationAborted",
  "ConditionalRequestConflict",
]);
const FULL = new Set(["InsufficientStorage", "XMinioStorageFull", "StorageFull", "QuotaExceeded"]);
const EXPIRED = new Set(["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken"]);
const UNKNOWN_KEY = new Set(["InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound"]);
const SKEWED = new Set(["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"]);
/** In an archive, from where it must be fetched for hours or days: Glacier, Deep Archive, and the like of others. */
const ARCHIVED = new Set(["InvalidObjectState", "ObjectNotInActiveTierError", "ArchivedObject"]);
const ELSEWHERE = new Set([
  "PermanentRedirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
]);

/** The codes under which a server says that it cannot do a thing at all. */
const UNABLE = new Set(["NotImplemented", "MethodNotAllowed", "XNotImplemented"]);

/** How servers answer where the first part of a path is no bucket that can be. */
const NO_SUCH_ADDRESS = new Set([
  "InvalidBucketName",
  "MethodNotAllowed",
  "NotFound",
  "NoSuchKey",
  "SyntaxError",
]);

const CREDENTIALS_HINT =
  "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws with --profile";

/** Judges what a request threw. A bug of ours is thrown on, not judged. */
export function judge(thrown: unknown, place: FailurePlace): Failure {
  if (thrown instanceof RegrainError) {
    return { transient: false, maxAttempts: 1, reason: thrown.reason, error: thrown };
  }
  if (isBug(thrown)) throw thrown;
  const facts = factsOf(thrown);
  const meaning = meaningOf(facts, place);
  const maxAttempts = attemptsFor(facts, place);
  const detail = meaning.hint === undefined ? {} : { hint: meaning.hint };
  return {
    transient: maxAttempts > 1,
    maxAttempts,
    reason: describe(facts),
    error: new RegrainError(meaning.code, meaning.text, { path: place.path, cause: thrown, ...detail }),
  };
}

/**
 * The store answered that there is no such object. A bare 404 is no such answer: there are servers that say so of
 * credentials, and a proxy may say it of anything.
 */
export function isAbsence(thrown: unknown): boolean {
  return factsOf(thrown).code === "NoSuchKey";
}

/** The condition of a conditional request does not hold. */
export function isConditionUnmet(thrown: unknown): boolean {
  const { status, code } = factsOf(thrown);
  return status === 412 || code === "PreconditionFailed";
}

/** The server says that it cannot do this kind of request, in one of the ways in which servers say it. */
export function isUnable(thrown: unknown): boolean {
  const { status, code } = factsOf(thrown);
  return status === 501 || status === 405 || UNABLE.has(code);
}

/** `NoSuchBucket` and its like, as the server named it. */
export function codeOf(thrown: unknown): string {
  return factsOf(thrown).code;
}

export function isDenial(thrown: unknown): boolean {
  const { status, code } = factsOf(thrown);
  return status === 403 || code === "AccessDenied";
}

/** Nobody answers at all. */
export function isUnreachable(thrown: unknown): boolean {
  return UNREACHABLE.has(factsOf(thrown).code);
}

/** A refusal without a code, as the answer to a HEAD is. */
export function isWordless(thrown: unknown): boolean {
  const { status } = factsOf(thrown);
  return status !== undefined && [301, 400, 401, 403, 404].includes(status);
}

/**
 * A server answered, or the network failed, or Deno forbids it, or a sign-in ran out: nothing that is written wrong in
 * a file.
 */
export function isOfTheWorld(thrown: unknown): boolean {
  if (thrown instanceof RegrainError) return true;
  const facts = factsOf(thrown);
  return facts.status !== undefined || UNREACHABLE.has(facts.code) || UNTRUSTED.test(facts.code) ||
    NO_TLS.test(facts.code) || BROKEN.has(facts.code) || EXPIRED.has(facts.code) ||
    facts.code === "NotCapable" ||
    /--allow-\w+|expired|refresh/i.test(facts.message);
}

function factsOf(thrown: unknown): Facts {
  const error = (typeof thrown === "object" && thrown !== null ? thrown : {}) as {
    name?: string;
    code?: string;
    Code?: string;
    message?: string;
    $metadata?: { httpStatusCode?: number; clockSkewCorrected?: boolean };
    $response?: { statusCode?: number };
  };
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
  const named = [error.Code, error.code, error.name].find((each) => typeof each === "string" && each !== "");
  return {
    status,
    code: named === "Error" || named === undefined ? "" : named,
    message: error.message ?? "",
    clockCorrected: error.$metadata?.clockSkewCorrected === true,
  };
}

/** Errors without an answer and without a name of the network's are thrown by a line of this program. */
function isBug(thrown: unknown): boolean {
  const { status } = factsOf(thrown);
  if (status !== undefined) return false;
  return thrown instanceof ReferenceError || thrown instanceof RangeError ||
    thrown instanceof TypeError && !isOfNetwork(thrown.message);
}

function isOfNetwork(message: string): boolean {
  return /connection|socket|network|stream|body|certificate|tls|closed|reset|fetch/i.test(message);
}

function isBroken({ status, code, message }: Facts): boolean {
  return status === undefined &&
    (BROKEN.has(code) || code === "" && isOfNetwork(message) || isOfNetwork(message) && code === "TypeError");
}

function attemptsFor(facts: Facts, { wasReached = false }: FailurePlace): number {
  const { status, code } = facts;
  if (UNREACHABLE.has(code)) return wasReached ? MANY_ATTEMPTS : UNREACHABLE_ATTEMPTS;
  if (DAMAGED.has(code)) return DAMAGE_ATTEMPTS;
  if (SKEWED.has(code)) return facts.clockCorrected ? CLOCK_ATTEMPTS : 1;
  if (isFull(facts) || status === 501) return 1;
  if (BUSY.has(code) || isBroken(facts) || status === 408 || status === 429) return MANY_ATTEMPTS;
  // An answer that was cut off cannot be parsed, whatever its status.
  if (code === "SyntaxError" || status !== undefined && status >= 500) return MANY_ATTEMPTS;
  return 1;
}

function isFull({ status, code }: Facts): boolean {
  return status === 507 || FULL.has(code);
}

function meaningOf(facts: Facts, { bucket, operation, endpointHint }: FailurePlace): Meaning {
  const { status, code } = facts;
  if (code === "NoSuchBucket") {
    return {
      code: "STORE_FAILED",
      text: `there is no bucket ${bucket}`,
      hint: endpointHint ?? "make it first, or check --endpoint and the name",
    };
  }
  if (isFull(facts)) return { code: "NO_SPACE", text: `the store has no space left (${describe(facts)})` };
  return denialOf(facts) ?? connectionOf(facts) ?? {
    code: "STORE_FAILED",
    text: `${operation} failed: ${describe(facts)}${quoted(facts)}`,
    ...(endpointHint === undefined || !NO_SUCH_ADDRESS.has(code) ? {} : { hint: endpointHint }),
    ...(status === 301 || ELSEWHERE.has(code) ? { hint: "give the bucket's own region with --region" } : {}),
  };
}

function denialOf(facts: Facts): Meaning | undefined {
  const { status, code } = facts;
  if (code === "CredentialsProviderError" || code === "TokenProviderError") {
    return {
      code: "STORE_DENIED",
      text: "no credentials were found, or none that work",
      hint: CREDENTIALS_HINT,
    };
  }
  if (SKEWED.has(code)) {
    return {
      code: "STORE_DENIED",
      text: "the store refuses the request because the clocks differ: its own and this machine's",
      hint: "set this machine's clock",
    };
  }
  if (EXPIRED.has(code)) {
    return { code: "STORE_DENIED", text: `the credentials have expired (${code})`, hint: "sign in again" };
  }
  if (UNKNOWN_KEY.has(code)) {
    return {
      code: "STORE_DENIED",
      text: `the store does not take these credentials (${code})`,
      hint: CREDENTIALS_HINT,
    };
  }
  if (ARCHIVED.has(code)) {
    return {
      code: "STORE_FAILED",
      text: `is in an archive of the store, and cannot be read there (${code})`,
      hint:
        "have the store fetch it, and everything below chunks/ and maps/ that lies there, first (aws s3api " +
        "restore-object); and end the lifecycle rule that moves objects there: backups, verify and restore read them",
    };
  }
  if (status !== 401 && status !== 403) return undefined;
  return {
    code: "STORE_DENIED",
    text: `the store does not allow it (${describe(facts)})`,
    hint:
      "the credentials need s3:GetObject, s3:PutObject and s3:ListBucket; pruning and gc also s3:DeleteObject",
  };
}

function connectionOf(facts: Facts): Meaning | undefined {
  const { code, message } = facts;
  if (code === PROXY_FAILED) {
    return {
      code: "STORE_FAILED",
      text: message,
      hint:
        "check HTTPS_PROXY, and the name and password in it; NO_PROXY with the server's name connects directly",
    };
  }
  if (UNREACHABLE.has(code)) {
    return {
      code: "STORE_FAILED",
      text: `cannot be reached (${code})`,
      hint: "check --endpoint and the network",
    };
  }
  if (UNTRUSTED.test(code)) {
    return {
      code: "STORE_FAILED",
      text: `the server's certificate is not trusted (${code})`,
      hint: "name the certificate of its authority with --ca-file",
    };
  }
  if (NO_TLS.test(code)) {
    return {
      code: "STORE_FAILED",
      text: `no TLS connection comes about (${code})`,
      hint: "does the server speak TLS at that port? Where it has none, write --endpoint http://HOST:PORT",
    };
  }
  if (/Region is missing/.test(message)) {
    return {
      code: "STORE_FAILED",
      text: "no region is known",
      hint: "give one with --region, or AWS_REGION",
    };
  }
  const [, flag] = /the (--allow-\w+) flag/.exec(message) ?? [];
  if (code === "NotCapable" || flag !== undefined) {
    return {
      code: "PERMISSION",
      text: "Deno does not allow it",
      hint: `grant ${flag ?? "--allow-net, --allow-env, --allow-read and --allow-sys"}`,
    };
  }
  return undefined;
}

/** The code, or the status, or the words of the network. */
function describe({ status, code, message }: Facts): string {
  if (code === "ShortAnswer" || code === "IdleConnection") return message;
  if (code === "AbortError" || code === "TimeoutError") return "no answer in time";
  if (code !== "" && code !== "SyntaxError" && code !== "TypeError") {
    return /^\d+$/.test(code) || code === "UnknownError" || code === "Unknown" ? `status ${status}` : code;
  }
  if (code === "SyntaxError") return "an answer that cannot be understood";
  return status === undefined ? shorten(message) : `status ${status}`;
}

function quoted({ status, code, message }: Facts): string {
  return status === undefined || code === "" || message === "" || message === code ||
      message === "UnknownError"
    ? ""
    : `: ${shorten(message)}`;
}

function shorten(message: string): string {
  // deno-lint-ignore no-control-regex
  return message.replace(/[\x00-\x1f\x7f]+/g, " ").replace(/\.$/, "").slice(0, 160);
}
