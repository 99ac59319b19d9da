/**
 * Who is let in: the browser that opens a one-time address first, and nobody else.
 *
 * An address is seen by many: it is in the arguments of the program that opens it, in the browser's history, in a log.
 * So the address that lets in works once, and the browser gets a cookie for it. Whoever uses the address a second
 * time may be the user, and the first one somebody else. That cannot be told apart, so nobody is let in from then on.
 *
 * The cookie is sent to addresses below the id alone. The id is no secret; it keeps the cookie from other servers of
 * this machine, since browsers do not tell ports apart here, and from another `regrain inspect`.
 */
import { isToken, newToken } from "./token.ts";

const COOKIE = "regrain";

/** What the use of an address came to. */
export type Entrance = "in" | "known" | "reused" | "none";

export class Entry {
  readonly #id = newToken();
  readonly #cookie = newToken();
  #oneTime: { readonly token: string; readonly untilMs: number } | undefined;
  #used: string | undefined;
  #isClosed = false;

  /** @param onIn Called when somebody was let in. */
  constructor(private readonly onIn: () => void = () => undefined) {}

  /** Below which everything is, from the host on. It lets nobody in. */
  get path(): string {
    return `/${this.#id}/`;
  }

  /** Whether somebody was let in. */
  get wasUsed(): boolean {
    return this.#used !== undefined;
  }

  /** Whether an address was used twice; then nobody is let in, not even who was. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The cookie, as an answer sets it: no script can read it, and no page from elsewhere can make a browser send it. */
  get setCookie(): string {
    return `${COOKIE}=${this.#cookie}; Path=${this.path}; HttpOnly; SameSite=Strict`;
  }

  /** A new address that lets in once; the one before does so no more. */
  oneTimePath(untilMs = Infinity): string {
    const token = newToken();
    this.#oneTime = { token, untilMs };
    return this.path + token;
  }

  /** Whether a request comes from the browser that was let in. */
  admits(headers: Headers): boolean {
    if (this.#isClosed || !this.wasUsed) return false;
    const pairs = headers.get("cookie")?.split(/; */) ?? [];
    return pairs.some((pair) =>
      pair.startsWith(`${COOKIE}=`) && isToken(pair.slice(COOKIE.length + 1), this.#cookie)
    );
  }

  /** Uses the one-time address that ends in `token`. */
  open(token: string, headers: Headers, nowMs: number): Entrance {
    if (this.#used !== undefined && isToken(token, this.#used)) {
      if (this.admits(headers)) return "known";
      this.#isClosed = true;
      return "reused";
    }
    const oneTime = this.#oneTime;
    if (this.wasUsed || oneTime === undefined || !isToken(token, oneTime.token)) return "none";
    if (nowMs >= oneTime.untilMs) return "none";
    this.#used = oneTime.token;
    this.onIn();
    return "in";
  }
}
