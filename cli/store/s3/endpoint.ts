/** Which server a bucket is on: the address that a person or the environment gives, checked before anything is sent. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { variable } from "../../environment.ts";

/** The value of a variable; `undefined` where it is unset, empty, or may not be read. */
export type Variables = (name: string) => string | undefined;

/** Variables of this process. */
export const theVariables: Variables = (name) => variable(name)?.trim() || undefined;

/** The variables of the AWS tools, the one that counts first. */
const ENDPOINT_VARIABLES = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/**
 * The server's address as the flag gives it, or else the environment; `undefined`: Amazon's own.
 *
 * @throws {RegrainError} `USAGE` when it is no address of a server, with what to write.
 */
export function endpointOf(
  flag: string | undefined,
  variables: Variables = theVariables,
): string | undefined {
  if (flag !== undefined) return checkedEndpoint(flag, "--endpoint");
  if (variables("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")?.toLowerCase() === "true") return undefined;
  for (const name of ENDPOINT_VARIABLES) {
    const value = variables(name);
    if (value !== undefined) return checkedEndpoint(value, name);
  }
  return undefined;
}

function checkedEndpoint(given: string, from: string): string {
  const text = given.trim();
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    throw new RegrainError("USAGE", `${from} ${JSON.stringify(given)} does not say how to connect`, {
      hint: /^(["'`]).*\1$/.test(text)
        ? `without the quotes, which are part of it here: ${text.slice(1, -1)}`
        : `write https://${text}; http://${text} only where the server has no TLS`,
    });
  }
  const url = URL.parse(text);
  const isGood = url !== null && (scheme === "https" || scheme === "http") && url.search === "" &&
    url.hash === "";
  if (!isGood) {
    throw new RegrainError("USAGE", `${from} ${JSON.stringify(given)} is no address of a server`, {
      hint: "https://HOST or https://HOST:PORT; an IPv6 address in brackets: https://[2001:db8::1]:9000",
    });
  }
  if (url.username !== "" || url.password !== "") {
    throw new RegrainError("USAGE", `${from} holds a user name or a password`, {
      hint: `write ${url.protocol}//${url.host}, and give the keys by AWS_ACCESS_KEY_ID and ` +
        "AWS_SECRET_ACCESS_KEY or a profile",
    });
  }
  // A slash too many would stand before the bucket, and means another one to some servers.
  return text.replace(/\/+$/, "");
}

/** What to say of a path in the address of a server, when that answers that it knows no such bucket. */
export function endpointPathHint(endpoint: string | undefined, bucket: string): string | undefined {
  const { pathname = "/", origin = "" } = endpoint === undefined ? {} : new URL(endpoint);
  if (pathname === "/") return undefined;
  return pathname.split("/").includes(bucket)
    ? `--endpoint is the server without the bucket: ${origin}`
    : `the path ${pathname} of --endpoint stands before the bucket: is that right for this server?`;
}

/** True for this machine's own addresses, which no wire leads to. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i.test(hostname);
}

/** The host that is reached over `http://` and is another machine: `undefined` when there is none. */
export function exposedHost(
  flag: string | undefined,
  variables: Variables = theVariables,
): string | undefined {
  const endpoint = endpointOf(flag, variables);
  if (endpoint === undefined) return undefined;
  const { protocol, hostname, host } = new URL(endpoint);
  return protocol === "http:" && !isLoopback(hostname) ? host : undefined;
}

/**
 * Refuses a server that the environment says is reached through a proxy: this program connects directly, and behind
 * a firewall that ends in minutes of waiting.
 *
 * @param endpoint Amazon's own when absent.
 * @throws {RegrainError} `USAGE`.
 */
export function refuseProxy(endpoint: string | undefined, variables: Variables = theVariables): void {
  const { protocol, hostname, port } = new URL(endpoint ?? "https://s3.amazonaws.com");
  const of = protocol === "http:" ? "HTTP_PROXY" : "HTTPS_PROXY";
  const name = [of, of.toLowerCase(), "ALL_PROXY", "all_proxy"].find((each) => variables(each) !== undefined);
  if (name === undefined) return;
  const exempt = variables("NO_PROXY") ?? variables("no_proxy") ?? "";
  if (isExempt({ hostname, port }, exempt)) return;
  const add = endpoint === undefined ? ".amazonaws.com" : hostname.replace(/^\[|\]$/g, "");
  const list = exempt === "" ? add : `${exempt},${add}`;
  throw new RegrainError("USAGE", `${name} names a proxy for ${hostname}, and regrain connects directly`, {
    hint:
      `NO_PROXY=${list} connects directly, which fails where only the proxy leads out; there give --endpoint a ` +
      "forwarder or gateway inside of the network",
  });
}

/** Whether `NO_PROXY` names a host: `*`, a name and all below it, with or without a dot before it, or with a port. */
function isExempt({ hostname, port }: { hostname: string; port: string }, list: string): boolean {
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, "");
  return list.toLowerCase().split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    const { name, only } = splitEntry(entry);
    if (name === "" || only !== undefined && only !== port) return false;
    return host === name || host.endsWith(`.${name}`);
  });
}

/** The name of an entry without the dot before it, and its port. */
function splitEntry(entry: string): { name: string; only?: string | undefined } {
  const bare = entry.replace(/^\*?\./, "");
  const { six, name = six, only } =
    /^(?:\[(?<six>[^\]]+)\]|(?<name>[^:]+))(?::(?<only>\d+))?$/.exec(bare)?.groups ?? {};
  return name === undefined ? { name: bare } : { name, only };
}
