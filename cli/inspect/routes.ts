/**
 * What is answered to whom: the page and the bytes of the files to the browser that was let in, nothing to others.
 *
 * Refusals in their order: 403 for a connection from elsewhere or for another host, 405 for a method that does not just
 * read, 404 outside the folder of this server, 410 for a one-time address that was used, 403 without the cookie, 404
 * for everything that is not served.
 */
import type { Entry } from "./entry.ts";
import { answerFile, textAnswer } from "./file_answer.ts";
import { type Asked, isLocal, namesUs, pathOf, type Remote } from "./gate.ts";
import { pageTo } from "./opening_page.ts";
import { servePage } from "./page.ts";
import type { ServedFiles } from "./served_files.ts";
import type { ServedObjects } from "./served_objects.ts";

/** Sent with every answer. */
const HEADERS = {
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/** Of answers that are no page. */
const NO_PAGE_POLICY = "default-src 'none'";

export class Routes {
  /**
   * @param built   The page as it was built.
   * @param entry   Who is let in.
   * @param objects Those of a repository, if one is served.
   */
  constructor(
    private readonly built: string,
    readonly entry: Entry,
    private readonly files: ServedFiles,
    private readonly objects?: ServedObjects,
  ) {}

  async answer(asked: Asked, at: { remote: Remote; port: number; nowMs?: number }): Promise<Response> {
    return guarded(await this.#route(asked, at));
  }

  #route(
    asked: Asked,
    at: { remote: Remote; port: number; nowMs?: number },
  ): Response | Promise<Response> {
    if (!isLocal(at.remote) || !namesUs(asked, at.port)) {
      return textAnswer(403, "only 127.0.0.1, localhost and [::1] are served, at the port as it was printed");
    }
    if (asked.method !== "GET" && asked.method !== "HEAD") {
      return textAnswer(405, "files are only read here", { allow: "GET, HEAD" });
    }
    const path = pathOf(asked.url);
    if (!path.startsWith(this.entry.path)) return notFound();
    const rest = path.slice(this.entry.path.length);
    return this.#answerOnce(rest, asked, at.nowMs ?? performance.now()) ?? this.#answerKnown(rest, asked);
  }

  /** Answers who uses a one-time address. */
  #answerOnce(token: string, { method, headers }: Asked, nowMs: number): Response | undefined {
    // A browser may fetch an address before its user goes there; that is not its use.
    if (method !== "GET" || headers.has("sec-purpose")) return undefined;
    switch (this.entry.open(token, headers, nowMs)) {
      case "in":
        // A page, not a redirect: what sent the browser here is another site, and what it is sent on to by one gets no
        // strict cookie.
        return htmlAnswer(pageTo("./"), { "set-cookie": this.entry.setCookie });
      case "known":
        return textAnswer(303, "it is elsewhere", { location: "./" });
      case "reused":
        return textAnswer(410, "this address was used before, and works once: the server ends now");
      case "none":
        return undefined;
    }
  }

  #answerKnown(rest: string, asked: Asked): Response | Promise<Response> {
    if (!this.entry.admits(asked.headers)) {
      return textAnswer(403, "only the browser that opened the one-time address first is let in");
    }
    if (rest === "") return this.#answerPage(asked);
    if (rest.startsWith("repository/")) return this.#answerObject(rest.slice("repository/".length), asked);
    const file = rest.startsWith("files/") ? this.files.find(rest.slice("files/".length)) : undefined;
    return file === undefined ? notFound() : answerFile(file, asked, this.files);
  }

  async #answerObject(path: string, asked: Asked): Promise<Response> {
    return await this.objects?.answer(path, asked) ?? notFound();
  }

  #answerPage({ method }: Asked): Response {
    const repository = this.objects && { repository: this.objects.describe() };
    const { html, policy } = servePage(this.built, { ...this.files.list(), ...repository });
    return htmlAnswer(html, { "content-security-policy": policy }, method === "HEAD");
  }
}

/** Adds what every answer is sent with. */
export function guarded(answer: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) answer.headers.set(name, value);
  const { headers } = answer;
  if (!headers.has("content-security-policy")) headers.set("content-security-policy", NO_PAGE_POLICY);
  return answer;
}

function notFound(): Response {
  return textAnswer(404, "not found");
}

function htmlAnswer(html: string, headers: Record<string, string>, isHead = false): Response {
  const bytes = new TextEncoder().encode(html);
  return new Response(isHead ? null : bytes, {
    headers: {
      "content-length": String(bytes.length),
      "content-type": "text/html; charset=utf-8",
      ...headers,
    },
  });
}
