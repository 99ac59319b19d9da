/**
 * Addresses that mean no store of this program: what to write instead.
 *
 * Most are those of other backup tools. Taken for the name of a folder, `sftp:nas:/backups` would hold every backup on
 * the very disk that is backed up, and nobody would look there before it is needed.
 */
import { quoteWord } from "../../core-as/host/command_line.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { datastorePath, fromHome, isBelowHome, schemeOf } from "../../core-as/host/place_name.ts";
import { isBucketName } from "./s3/kind.ts";

/** How the command line is typed that names a store. */
export interface AddressWords {
  /** The words that name it by this address. */
  address(address: string): string;
  /** The name of a flag that is about it. */
  flag(flag: string): string;
}

export const FIRST_STORE: AddressWords = {
  address: (text) => `--repo ${quoteWord(text)}`,
  flag: (flag) => flag,
};
/** The second store of a command that has two. */
export const OTHER_STORE: AddressWords = {
  address: (text) => `--to ${quoteWord(text)}`,
  flag: (flag) => flag.replace(/^--/, "--to-"),
};
/** A store that is an argument, beside `--repo`. */
export const GIVEN_STORE: AddressWords = { address: quoteWord, flag: (flag) => flag };

/** A place where a folder of another machine may be mounted, as the hints name it. */
const MOUNT = "/mnt/backups";

/** @param forms How addresses are written, of every kind that there is. */
export function refusedAddress(address: string, words: AddressWords, forms: string): RegrainError {
  const shown = withoutSecret(address);
  const instead = insteadOf(shown, words);
  const local = shown === address
    ? `; a folder of that name begins with ./: ${words.address(`./${address}`)}`
    : "";
  return new RegrainError("USAGE", `${shown} is no address of a repository: ${reasonOf(address)}`, {
    hint: `${instead === undefined ? "" : `${instead}; `}a repository is ${forms}${local}`,
  });
}

function reasonOf(address: string): string {
  if (datastorePath(address) !== undefined) return "it is written as a path in a vSphere datastore";
  if (isBelowHome(address)) {
    return "~ is for the shell, which replaces it at the start of an argument, not in quotes and not behind a =";
  }
  if (address.startsWith(":")) return "it is written as a remote of rclone";
  const { scheme = "", rest = "" } = schemeOf(address) ?? {};
  if (scheme === "s3" && rest.startsWith("//")) {
    return isHost(rest)
      ? "s3:// is followed by a bucket, not by a server"
      : "s3:// is followed by the name of a bucket";
  }
  if (/^s3[an]?$/i.test(scheme)) return "a bucket is written s3://bucket/prefix";
  if (Object.hasOwn(INSTEAD, scheme.toLowerCase())) return `there is no store for ${scheme}:`;
  if (rest.startsWith("//")) return `there is no store for ${scheme}://`;
  return `it is written as a folder of another machine, ${scheme}`;
}

/** What stands between two slashes and an @ may be a password. */
function withoutSecret(address: string): string {
  return address.replace(/(\/\/[^/@:]*):[^/@]*@/, "$1:...@");
}

function insteadOf(address: string, words: AddressWords): string | undefined {
  if (isBelowHome(address)) return `the whole path, such as ${fromHome(address)} where a shell reads it`;
  // `:s3,provider=Minio:bucket` of rclone.
  if (/^:s3[,:]/i.test(address)) return bucketOf(address.replace(/^:[^:]*:/, ""), words);
  if (address.startsWith(":")) return mounted("the remote", words);
  const { scheme, rest } = schemeOf(address) ?? {};
  if (datastorePath(address) !== undefined || scheme === undefined || rest === undefined) {
    return mounted("the folder", words);
  }
  const known = scheme.toLowerCase();
  if (Object.hasOwn(INSTEAD, known)) return INSTEAD[known as keyof typeof INSTEAD](rest, words);
  return rest.startsWith("//") ? mounted("it", words) : bySshfs(address, words);
}

type Instead = (rest: string, words: AddressWords) => string | undefined;

/** By the scheme in small letters, without the colon. */
const INSTEAD = {
  s3: (rest, words) => {
    if (/^https?:\/\//i.test(rest)) {
      return serverOf(rest.replace(/^https?/i, (each) => each.toLowerCase()), words);
    }
    return (isHost(rest) ? hostOf(rest, words) : undefined) ?? bucketOf(rest, words);
  },
  s3a: (rest, words) => bucketOf(rest, words),
  s3n: (rest, words) => bucketOf(rest, words),
  http: (rest, words) => serverOf(`http:${rest}`, words),
  https: (rest, words) => serverOf(`https:${rest}`, words),
  b2: (rest, words) => bucketOf(rest, words, "https://s3.REGION.backblazeb2.com"),
  gs: (rest, words) => bucketOf(rest, words, "https://storage.googleapis.com"),
  file: (rest, words) => local(rest, words),
  local: (rest, words) => local(rest, words),
  sftp: (rest, words) => bySshfs(rest, words),
  ssh: (rest, words) => bySshfs(rest, words),
  rest: (_, words) =>
    `a server that speaks S3: ${words.address("s3://bucket/prefix")} ${words.flag("--endpoint")} URL`,
  azure: (_, words) => mounted("the container", words),
  az: (_, words) => mounted("the container", words),
  swift: (_, words) => mounted("the container", words),
  rclone: (_, words) =>
    `rclone serve s3, and its address as ${words.flag("--endpoint")}, or ${mounted("the remote", words)}`,
  repo: () => "repo: names a snapshot in a repository",
} as const satisfies Record<string, Instead>;

/** `bucket/prefix`, `bucket:prefix` of other tools, with any number of slashes before it. */
function bucketOf(rest: string, words: AddressWords, endpoint?: string): string | undefined {
  const [, bucket = "", prefix = ""] = /^\/*([^/:]+)(?:[/:]\/*(.*))?$/.exec(rest) ?? [];
  if (!isBucketName(bucket)) return undefined;
  const path = prefix.replace(/\/+$/, "");
  const named = words.address(`s3://${bucket}${path === "" ? "" : `/${path}`}`);
  return endpoint === undefined ? named : `${named} ${words.flag("--endpoint")} ${withoutUser(endpoint)}`;
}

/** Keys come from the environment or a profile, not from an address. */
function withoutUser(endpoint: string): string {
  return endpoint.replace(/\/\/[^/]*@/, "//");
}

/** The address of a page: a bucket in the name of a host, or behind a server. */
function serverOf(url: string, words: AddressWords): string | undefined {
  const [, scheme, host, path = ""] = /^(https?):\/\/([^/]+)\/?(.*)$/.exec(url) ?? [];
  return host === undefined ? undefined : hostOf(`${host}/${path}`, words, scheme);
}

/**
 * `HOST/BUCKET/PREFIX` and `BUCKET.s3.HOST/PREFIX`, as other tools write a bucket of a server of one's own, and of
 * Amazon's; `undefined` where the first part is no name of a host.
 */
function hostOf(rest: string, words: AddressWords, scheme = "https"): string | undefined {
  const [, host = "", path = ""] = /^\/*([^/]+)(?:\/+(.*))?$/.exec(rest) ?? [];
  const [, bucket, server = host] = /^(.+?)\.(s3[.-].+)$/.exec(host) ?? [];
  const named = bucket === undefined ? path : `${bucket}/${path}`;
  const [, region] = /^s3[.-](?:dualstack\.)?(?:([a-z0-9-]+)\.)?amazonaws\.com$/.exec(server) ?? [];
  if (server.endsWith("amazonaws.com")) {
    const place = bucketOf(named, words) ?? words.address("s3://BUCKET");
    return region === undefined ? place : `${place} ${words.flag("--region")} ${region}`;
  }
  return bucketOf(named, words, `${scheme}://${server}`);
}

/** What has a port, dots, or is this machine: a bucket may have dots too, but other tools have a host there. */
function isHost(rest: string): boolean {
  return /^\/*(?:localhost|[^/]+:\d+|[^/:]+\.[^/:]+)(?:\/|$)/.test(rest);
}

function local(rest: string, words: AddressWords): string | undefined {
  const path = rest.replace(/^\/\/(?=\/)/, "");
  return path.startsWith("/") ? words.address(path) : undefined;
}

function mounted(what: string, words: AddressWords): string {
  return `mount ${what} and name the folder: ${words.address(MOUNT)}`;
}

/** `user@host:path`, or `//user@host/path`. */
function bySshfs(rest: string, words: AddressWords): string {
  const [, url, below = ""] = /^\/\/([^/]+)(\/.*)?$/.exec(rest) ?? [];
  const remote = url === undefined ? rest : `${url.replace(/:\d+$/, "")}:${below || "/"}`;
  return /^[^/:]+:/.test(remote)
    ? `sshfs ${quoteWord(remote)} ${MOUNT} mounts it, and then ${words.address(MOUNT)}`
    : mounted("it", words);
}
