/**
 * An S3 server of our own, in memory and in this process, that fails when it is told to. It checks signatures and
 * checksums as a careful server does, so that what the client sends is tested as well as what it makes of answers.
 */
import { createHash } from "node:crypto";
import { type Handling, serveWire, type WireAnswer, type WireRequest } from "./http_wire.ts";
import { type Keys, refusalOf } from "./sigv4.ts";

/** What goes wrong with one request. */
export type Fault =
  /** An error of S3's instead of the operation. */
  | { readonly kind: "refuse"; readonly status: number; readonly code: string }
  /** The connection ends in the middle of the request's body. */
  | { readonly kind: "reset" }
  /** The operation is done, and the connection ends without an answer. */
  | { readonly kind: "lose-reply" }
  /** The operation is done, and half of the answer's body is sent. */
  | { readonly kind: "truncate" }
  /** The operation is done; no answer comes, and the connection stays. */
  | { readonly kind: "stall" }
  /** Something between client and server answers in its place. */
  | { readonly kind: "proxy-page"; readonly status: number };

export type Operation = "put" | "get" | "head" | "list" | "delete" | "delete-batch" | "other";

export interface FaultServerOptions {
  readonly keys?: Keys;
  /** What becomes of `If-None-Match: *`: kept, not looked at, or refused as not implemented. */
  readonly conditions?: "atomic" | "ignored" | "rejected";
  /** The fault of a request; the first one has the number 1. */
  readonly fault?: (number: number, operation: Operation) => Fault | undefined;
  /** The server's clock beside this machine's. */
  readonly skewMs?: number;
  /** Bytes that it takes before it is full. */
  readonly capacityBytes?: number;
  /** Listings show what was there this many requests ago. */
  readonly listLag?: number;
  /** Whether `DeleteObjects` is known. */
  readonly batches?: boolean;
  /** Whether a removed object goes on to be there. */
  readonly keepsRemoved?: boolean;
  /** Objects in a page of a listing. */
  readonly pageKeys?: number;
  /** Whether a listing's continuation is forgotten: each page is the first one. */
  readonly forgetsPage?: boolean;
  /**
   * The checksum that it takes with an upload: S3's SHA-256; as Backblaze, `Content-MD5` alone; or any, and
   * `Content-MD5` where an object is locked.
   */
  readonly checksum?: "sha256" | "md5" | "md5-when-locked";
  /** Name of its bucket; {@link FAULT_BUCKET} by default. */
  readonly bucket?: string;
  /** What it says to a listing, instead of what there is. */
  readonly listing?: (query: URLSearchParams) => string;
  /** Whether objects come back with a bit changed. */
  readonly garblesReads?: boolean;
}

interface Stored {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
  readonly retainUntilMs?: number;
}

export const FAULT_KEYS: Keys = { accessKey: "AKFAULT", secretKey: "fault-server-secret" };
export const FAULT_BUCKET = "bucket";
const MAX_PAGE_KEYS = 1000;
const NOTHING = new Uint8Array(0);

export class FaultServer {
  readonly objects = new Map<string, Stored>();
  /** Operations in the order in which they came, those that failed too. */
  readonly log: Operation[] = [];
  private readonly past: (readonly string[])[] = [];
  private readonly server;

  constructor(private readonly options: FaultServerOptions = {}) {
    this.server = serveWire((head) => {
      const operation = operationOf(head.method, head);
      this.log.push(operation);
      const fault = options.fault?.(this.log.length, operation);
      return fault?.kind === "reset" ? "cut" : (request) => this.handle(request, fault);
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.server.port}`;
  }

  get connectionsMade(): number {
    return this.server.connectionsMade;
  }

  close(): Promise<void> {
    return this.server.close();
  }

  private handle(request: WireRequest, fault: Fault | undefined): Handling {
    this.past.push([...this.objects.keys()]);
    if (fault?.kind === "refuse") return this.refuse(fault.code, fault.status);
    if (fault?.kind === "proxy-page") {
      return page(fault.status, "text/html", "<html><body>Bad gateway<p></html>");
    }
    const answer = this.answer(request);
    if (fault?.kind === "lose-reply") return "cut";
    if (fault?.kind === "stall") return "stall";
    return fault?.kind === "truncate" ? { ...answer, cutAfter: Math.floor(answer.body.length / 2) } : answer;
  }

  private answer(request: WireRequest): WireAnswer {
    const { keys = FAULT_KEYS, skewMs = 0 } = this.options;
    const stranger = refusalOf(request, { keys, nowMs: Date.now() + skewMs });
    const unfit = stranger === undefined ? unfitChecksum(request, this.options.checksum) : undefined;
    if (unfit !== undefined) return this.refuse(unfit.code, 400, unfit.message);
    const refusal = stranger ?? damageOf(request);
    if (refusal !== undefined) return this.refuse(refusal, DAMAGE.has(refusal) ? 400 : 403);
    const [, bucket, ...parts] = decodeURIComponent(request.path).split("/");
    if (bucket !== (this.options.bucket ?? FAULT_BUCKET)) return this.refuse("NoSuchBucket", 404);
    const key = parts.join("/");
    switch (operationOf(request.method, request)) {
      case "put":
        return this.put(key, request);
      case "get":
      case "head":
        return this.get(key);
      case "list":
        return this.list(new URLSearchParams(request.query));
      case "delete":
        return this.remove(key) === undefined ? this.plain(204) : this.refuse("AccessDenied", 403);
      case "delete-batch":
        return this.removeBatch(new TextDecoder().decode(request.body));
      case "other":
        return request.method === "HEAD" ? this.plain(200) : this.refuse("NotImplemented", 501);
    }
  }

  private put(key: string, { headers, body, query }: WireRequest): WireAnswer {
    const before = this.objects.get(key);
    if (/^retention\b/.test(query)) {
      if (before === undefined) return this.refuse("NoSuchKey", 404);
      const [, until = ""] = /<RetainUntilDate>([^<]+)</.exec(new TextDecoder().decode(body)) ?? [];
      this.objects.set(key, { ...before, retainUntilMs: Date.parse(until) });
      return this.plain(200);
    }
    const { conditions = "atomic", capacityBytes = Infinity } = this.options;
    if (headers.has("if-none-match")) {
      if (conditions === "rejected") return this.refuse("NotImplemented", 501);
      if (conditions === "atomic" && this.objects.has(key)) return this.refuse("PreconditionFailed", 412);
    }
    const used = [...this.objects.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (used + body.length > capacityBytes) return this.refuse("XMinioStorageFull", 507);
    const retain = headers.get("x-amz-object-lock-retain-until-date");
    const locked = retain === undefined ? {} : { retainUntilMs: Date.parse(retain) };
    this.objects.set(key, { bytes: body, modifiedMs: Date.now(), ...locked });
    return this.plain(200);
  }

  private get(key: string): WireAnswer {
    const stored = this.objects.get(key);
    if (stored === undefined) return this.refuse("NoSuchKey", 404);
    const modified = new Date(stored.modifiedMs).toUTCString();
    return {
      ...this.plain(200, { "last-modified": modified }),
      body: this.options.garblesReads ? garbled(stored.bytes) : stored.bytes,
    };
  }

  private list(query: URLSearchParams): WireAnswer {
    if (this.options.listing !== undefined) return this.xml(this.options.listing(query));
    const { listLag = 0, pageKeys = MAX_PAGE_KEYS, forgetsPage = false } = this.options;
    const seen = listLag === 0 ? [...this.objects.keys()] : this.past.at(-1 - listLag) ?? [];
    const after = forgetsPage ? "" : query.get("continuation-token") ?? "";
    const matching = seen.filter((key) => key.startsWith(query.get("prefix") ?? "") && key > after).sort();
    const keys = matching.slice(0, Math.min(pageKeys, Number(query.get("max-keys") ?? pageKeys)));
    const contents = keys.map((key) => {
      const { bytes, modifiedMs } = this.objects.get(key) ?? { bytes: NOTHING, modifiedMs: 0 };
      const modified = new Date(modifiedMs).toISOString();
      const size = `<Size>${bytes.length}</Size>`;
      return `<Contents><Key>${key}</Key><LastModified>${modified}</LastModified>${size}</Contents>`;
    });
    const next = matching.length > keys.length
      ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${keys.at(-1)}</NextContinuationToken>`
      : "<IsTruncated>false</IsTruncated>";
    return this.xml(`<ListBucketResult>${next}${contents.join("")}</ListBucketResult>`);
  }

  private removeBatch(text: string): WireAnswer {
    if (this.options.batches === false) return this.refuse("NotImplemented", 501);
    const keys = [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!);
    const errors = keys.flatMap((key) => {
      const code = this.remove(key);
      return code === undefined ? [] : [`<Error><Key>${key}</Key><Code>${code}</Code></Error>`];
    });
    return this.xml(`<DeleteResult>${errors.join("")}</DeleteResult>`);
  }

  /** @returns An error code, when it stays. */
  private remove(key: string): string | undefined {
    if ((this.objects.get(key)?.retainUntilMs ?? 0) > Date.now()) return "AccessDenied";
    if (!this.options.keepsRemoved) this.objects.delete(key);
    return undefined;
  }

  private refuse(code: string, status: number, message = "as the test wants it"): WireAnswer {
    return this.xml(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`, status);
  }

  private xml(text: string, status = 200): WireAnswer {
    return { ...this.plain(status), ...page(status, "application/xml", text, this.date()) };
  }

  private plain(status: number, headers: Record<string, string> = {}): WireAnswer {
    return { status, headers: { date: this.date(), ...headers }, body: NOTHING };
  }

  private date(): string {
    return new Date(Date.now() + (this.options.skewMs ?? 0)).toUTCString();
  }
}

const DAMAGE = new Set(["BadDigest", "XAmzContentSHA256Mismatch"]);

/** Every upload must carry a checksum, and the checksum must be right. */
function damageOf({ method, headers, body }: WireRequest): string | undefined {
  if (method !== "PUT") return undefined;
  const claimed = [
    ["sha256", headers.get("x-amz-checksum-sha256")],
    ["md5", headers.get("content-md5")],
  ].filter((each): each is [string, string] => each[1] !== undefined);
  const isRight = claimed.every(([name, sum]) => createHash(name).update(body).digest("base64") === sum);
  const isNamed = claimed.length > 0 || headers.has("x-amz-checksum-crc32");
  return isNamed && isRight ? undefined : "BadDigest";
}

/** What a server says that takes another checksum. */
function unfitChecksum(
  { method, headers }: WireRequest,
  taken: FaultServerOptions["checksum"] = "sha256",
): { code: string; message: string } | undefined {
  const unknown = [...headers.keys()].find((name) => /^x-amz-(sdk-)?checksum/.test(name));
  if (taken === "md5" && unknown !== undefined) {
    const message = `Unsupported header '${unknown}' received for this API call.`;
    return { code: "InvalidArgument", message };
  }
  const isLocking = headers.has("x-amz-object-lock-retain-until-date");
  if (taken === "sha256" || method !== "PUT" || !isLocking || headers.has("content-md5")) return undefined;
  return {
    code: "InvalidRequest",
    message: "Content-MD5 HTTP header is required for Put Object requests with Object Lock parameters",
  };
}

function garbled(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  if (changed.length > 0) changed[changed.length >> 1]! ^= 1;
  return changed;
}

function operationOf(method: string, { path, query }: { path: string; query: string }): Operation {
  const isObject = path.split("/").length > 2 && !path.endsWith("/");
  if (method === "PUT" && isObject) return "put";
  if (method === "GET" && isObject) return "get";
  if (method === "HEAD" && isObject) return "head";
  if (method === "DELETE" && isObject) return "delete";
  if (method === "GET" && query.includes("list-type=2")) return "list";
  return method === "POST" && /\bdelete\b/.test(query) ? "delete-batch" : "other";
}

function page(status: number, type: string, text: string, date = new Date().toUTCString()): WireAnswer {
  const body = new TextEncoder().encode(text);
  return { status, headers: { date, "content-type": type }, body };
}
