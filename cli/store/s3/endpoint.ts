/** Which server a bucket is on: the address that a person or the environment gives, checked before anything is sent. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { variable } from "../../environment.ts";
import type { Proxy } from "./proxy.ts";
import { endpointOfProfile, type ReadText, type Variables } from "./shared_config.ts";

export type { Variables };

/** Variables of this process. */
export const theVariables: Variables = (name) => variable(name)?.trim() || undefined;

/** What the command line says of the server. */
export interface EndpointFlags {
  readonly endpoint?: string | undefined;
  /** A profile of the shared configuration files. */
  readonly profile?: string | undefined;
}

/** The variables of the AWS tools, the one that counts first. */
const ENDPOINT_VARIABLES = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/**
 * The server's address as the flag gives it, or else the environment, or the profile; `undefined`: Amazon's own.
 *
 * @throws {RegrainError} `USAGE` when it is no address of a server, with what to write.
 */
export function endpointOf(
  { endpoint: flag, profile }: EndpointFlags,
  variables: Variables = theVariables,
  read?: ReadText,
): string | undefined {
  if (flag !== undefined) return checkedEndpoint(flag, "--endpoint");
  if (variables("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")?.toLowerCase() === "true") return undefined;
  for (const name of ENDPOINT_VARIABLES) {
    const value = variables(name);
    if (value !== undefined) return checkedEndpoint(value, name);
  }
  const ofProfile = endpointOfProfile(profile, variables, read);
  return ofProfile && checkedEndpoint(ofProfile.endpoint, ofProfile.from);
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
  flags: EndpointFlags,
  variables: Variables = theVariables,
): string | undefined {
  const endpoint = endpointOf(flags, variables);
  if (endpoint === undefined) return undefined;
  const { protocol, hostname, host } = new URL(endpoint);
  return protocol === "http:" && !isLoopback(hostname) ? host : undefined;
}

/**
 * The proxy that the environment names for a server; `undefined`: it is reached directly.
 *
 * @param endpoint Amazon's own when absent.
 * @throws {RegrainError} `USAGE` for a proxy that is no address of one, or of a kind that there is no way through.
 */
export function proxyOf(
  endpoint: string | undefined,
  variables: Variables = theVariables,
): Proxy | undefined {
  const { protocol, hostname, port } = new URL(endpoint ?? "https://s3.amazonaws.com");
  const of = protocol === "http:" ? "HTTP_PROXY" : "HTTPS_PROXY";
  const name = [of, of.toLowerCase(), "ALL_PROXY", "all_proxy"].find((each) => variables(each) !== undefined);
  if (name === undefined) return undefined;
  const exempt = variables("NO_PROXY") ?? variables("no_proxy") ?? "";
  if (isExempt({ hostname, port }, exempt)) return undefined;
  const add = endpoint === undefined ? ".amazonaws.com" : hostname.replace(/^\[|\]$/g, "");
  const direct = `NO_PROXY=${exempt === "" ? add : `${exempt},${add}`} connects directly`;
  if (protocol === "http:") {
    throw new RegrainError(
      "USAGE",
      `${name} names a proxy for ${hostname}, and only https:// goes through one`,
      {
        hint: `an https:// endpoint; or ${direct}, which fails where only the proxy leads out`,
      },
    );
  }
  return parseProxy(variables(name)!, { name, direct });
}

/** `http://user:password@host:port`, as other tools take it: without a scheme it is http, without a port 80. */
function parseProxy(text: string, { name, direct }: { name: string; direct: string }): Proxy {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url?.protocol !== "http:" || url.hostname === "") {
    throw new RegrainError("USAGE", `${name} names a proxy that is not spoken to by http://`, {
      hint: `such as http://proxy:3128: what goes through it is encrypted all the same; or ${direct}`,
    });
  }
  const { username, password, hostname, port } = url;
  const login = username === "" ? undefined : `${decoded(username)}:${decoded(password)}`;
  return { hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80), login };
}

/** A URL keeps every other character of a name or a password than letters and a few signs as bytes in digits. */
function decoded(text: string): string {
  const bytes = text.replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
  return new TextDecoder().decode(Uint8Array.from(bytes, (each) => each.charCodeAt(0)));
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
