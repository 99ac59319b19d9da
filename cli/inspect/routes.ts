/**
 * What is answered to whom: the page and the bytes of the files to who knows the address, nothing to anybody else.
 *
 * Refusals in their order: 403 for a connection from elsewhere or for another host, 405 for a method that does not just
 * read, 404 without the token and for everything that is not served.
 */
import { answerFile, textAnswer } from "./file_answer.ts";
import { type Asked, isLocal, namesUs, pathOf, type Remote } from "./gate.ts";
import { servePage } from "./page.ts";
import type { ServedFiles } from "./served_files.ts";
import type { ServedObjects } from "./served_objects.ts";
import { isToken, newToken } from "./token.ts";

/** How long an address that works once does so. */
const ONE_TIME_MS = 60_000;

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
  readonly #token = newToken();
  #oneTime: { readonly token: string; readonly untilMs: number } | undefined;

  /**
   * @param built   The page as it was built.
   * @param objects Those of a repository, if one is served.
   */
  constructor(
    private readonly built: string,
    private readonly files: ServedFiles,
    private readonly objects?: ServedObjects,
  ) {}

  /** Where the page is, from the host on. */
  get path(): string {
    return `/${this.#token}/`;
  }

  /**
   * An address that leads to the page, once and soon: for a place where others on this machine may read it, such as the
   * arguments of a program.
   */
  oneTimePath(nowMs = performance.now()): string {
    this.#oneTime = { token: newToken(), untilMs: nowMs + ONE_TIME_MS };
    return `/${this.#oneTime.token}/`;
  }

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
    const [, token, rest] = /^\/([^/]*)(.*)$/s.exec(pathOf(asked.url)) ?? [];
    if (token === undefined || rest === undefined) return notFound();
    if (!isToken(token, this.#token)) {
      return this.#answerOnce(token + rest, asked, at.nowMs ?? performance.now());
    }
    if (rest === "/") return this.#answerPage(asked);
    if (rest === "") return redirect(308, this.path);
    if (rest.startsWith("/repository/")) return this.#answerObject(rest.slice("/repository/".length), asked);
    const file = rest.startsWith("/files/") ? this.files.find(rest.slice("/files/".length)) : undefined;
    return file === undefined ? notFound() : answerFile(file, asked, this.files);
  }

  async #answerObject(path: string, asked: Asked): Promise<Response> {
    return await this.objects?.answer(path, asked) ?? notFound();
  }

  #answerPage({ method }: Asked): Response {
    const repository = this.objects && { repository: this.objects.describe() };
    const { html, policy } = servePage(this.built, { ...this.files.list(), ...repository });
    const bytes = new TextEncoder().encode(html);
    return new Response(method === "HEAD" ? null : bytes, {
      headers: {
        "content-length": String(bytes.length),
        "content-security-policy": policy,
        "content-type": "text/html; charset=utf-8",
      },
    });
  }

  #answerOnce(path: string, { method }: Asked, nowMs: number): Response {
    const once = this.#oneTime;
    if (!once || method !== "GET" || !isToken(path, `${once.token}/`)) return notFound();
    this.#oneTime = undefined;
    return nowMs < once.untilMs ? redirect(303, this.path) : notFound();
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

function redirect(status: 303 | 308, location: string): Response {
  return textAnswer(status, "it is elsewhere", { location });
}
