/**
 * Who may ask: programs of this machine that know the address as it was given out.
 *
 * The name a browser thinks it talks to is checked because of DNS rebinding: a page from elsewhere may make its own
 * name point to 127.0.0.1, and its requests would come from this machine.
 */

/** What a request is judged by; a `Request` is one. The address is as it came, not tidied. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

/** Where a connection comes from. */
export type Remote = Deno.Addr;

/** The part of an address behind the host, as it came: no `..` resolved, nothing decoded, without the query. */
export function pathOf(url: string): string {
  return url.replace(/^[a-z]+:\/\/[^/]*/i, "").replace(/[?#].*$/s, "");
}

/** Whether a connection comes from this machine, through its loopback. */
export function isLocal(remote: Remote): boolean {
  return remote.transport === "tcp" && /^127\.\d+\.\d+\.\d+$/.test(remote.hostname);
}

/** Whether a request names this machine as its host, by the header and, if it holds one, by the address itself. */
export function namesUs({ url, headers }: Pick<Asked, "url" | "headers">, port: number): boolean {
  const host = headers.get("host");
  if (host === null || !ourHosts(port).includes(host.toLowerCase())) return false;
  return url.toLowerCase().startsWith(`http://${host.toLowerCase()}/`);
}

/** Browsers leave the port out where it is the common one. */
function ourHosts(port: number): string[] {
  const names = ["127.0.0.1", "localhost", "[::1]"];
  return port === 80
    ? [...names, ...names.map((name) => `${name}:80`)]
    : names.map((name) => `${name}:${port}`);
}
