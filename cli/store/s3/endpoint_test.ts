import assert from "node:assert/strict";
import { refusalOf } from "../../../test/helpers/refusal.ts";
import { endpointOf, endpointPathHint, exposedHost, proxyOf, type Variables } from "./endpoint.ts";

const of = (variables: Record<string, string>) => (name: string) => variables[name];

const refusal = (fn: () => unknown) => refusalOf("USAGE", fn);

Deno.test("slashes at the end are left out, and quotes of a settings file are told of", () => {
  const none: Variables = () => undefined;
  assert.equal(endpointOf({ endpoint: "https://nas:9000//" }, none), "https://nas:9000");
  assert.equal(endpointOf({ endpoint: "https://nas/storage/v1/" }, none), "https://nas/storage/v1");
  const { hint } = refusalOf("USAGE", () => endpointOf({ endpoint: '"https://nas:9000"' }, none));
  assert.equal(hint, "without the quotes, which are part of it here: https://nas:9000");
});

Deno.test("a path in the address of a server is asked about where there is no such bucket", () => {
  assert.equal(endpointPathHint("https://nas:9000", "vms"), undefined);
  assert.equal(
    endpointPathHint("https://nas/vms", "vms"),
    "--endpoint is the server without the bucket: https://nas",
  );
  assert.match(
    endpointPathHint("https://nas/storage/v1", "vms")!,
    /^the path \/storage\/v1 of --endpoint stands before/,
  );
});

Deno.test("B13: an endpoint without a scheme is refused with what to write, and blanks around one are cut off", () => {
  for (const text of ["s3.eu-central-1.wasabisys.com", "127.0.0.1:9000", "localhost:9000"]) {
    const { hint = "" } = refusal(() => endpointOf({ endpoint: text }, of({})));
    assert.ok(hint.includes(`https://${text};`) && hint.includes(`http://${text} `), hint);
    assert.equal(endpointOf({ endpoint: `https://${text}` }, of({})), `https://${text}`);
  }
  assert.equal(endpointOf({ endpoint: " http://127.0.0.1:1\n" }, of({})), "http://127.0.0.1:1");
  for (const text of ["http://[::1", "ftp://host", "https://host/?x=1", "https://"]) {
    refusal(() => endpointOf({ endpoint: text }, of({})));
  }
  const { message, hint = "" } = refusal(() =>
    endpointOf({ endpoint: "https://key:secret@host:9000" }, of({}))
  );
  assert.ok(!`${message}${hint}`.includes("secret@"), "the secret is not printed");
});

Deno.test("B13: AWS_ENDPOINT_URL_S3 goes before AWS_ENDPOINT_URL, and a flag before both", () => {
  const both = { AWS_ENDPOINT_URL: "https://all", AWS_ENDPOINT_URL_S3: "https://s3" };
  assert.equal(endpointOf({}, of(both)), "https://s3");
  assert.equal(endpointOf({}, of({ AWS_ENDPOINT_URL: "https://all" })), "https://all");
  assert.equal(endpointOf({ endpoint: "https://flag" }, of(both)), "https://flag");
  assert.equal(endpointOf({}, of({})), undefined);
  assert.equal(
    endpointOf({}, of({ ...both, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" })),
    undefined,
  );
  assert.match(
    refusal(() => endpointOf({}, of({ AWS_ENDPOINT_URL: "host" }))).message,
    /AWS_ENDPOINT_URL /,
  );
});

const PROXY = { hostname: "proxy", port: 3128, login: undefined };

Deno.test("B13: the environment names the proxy of a server, unless NO_PROXY names the server", () => {
  const proxy = { HTTPS_PROXY: "http://proxy:3128" };
  const ways = [
    ["https://s3.example.com", "s3.example.com"],
    ["https://s3.example.com:9000", "example.com:9000"],
    ["https://s3.example.com", "other, .example.com"],
    ["https://s3.example.com", "*.example.com"],
    ["https://[2001:db8::1]:9000", "[2001:db8::1]"],
    ["https://[2001:db8::1]:9000", "2001:db8::1"],
    ["https://s3.example.com", "*"],
  ] as const;
  for (const [endpoint, exempt] of ways) {
    assert.deepEqual(proxyOf(endpoint, of(proxy)), PROXY);
    assert.equal(proxyOf(endpoint, of({ ...proxy, NO_PROXY: exempt })), undefined);
    assert.equal(proxyOf(endpoint, of({ https_proxy: "http://proxy:3128", no_proxy: exempt })), undefined);
  }
  for (const exempt of ["xample.com", "s3.example.com:1", "s3.example.com.org", ""]) {
    assert.deepEqual(proxyOf("https://s3.example.com", of({ ...proxy, NO_PROXY: exempt })), PROXY);
  }
  assert.deepEqual(proxyOf(undefined, of(proxy)), PROXY, "Amazon's own");
  assert.equal(proxyOf("http://s3.example.com", of(proxy)), undefined);
  const written = (text: string) => proxyOf("https://s3.example.com", of({ ALL_PROXY: text }));
  assert.deepEqual(written("proxy:3128"), PROXY);
  assert.deepEqual(written("http://proxy"), { ...PROXY, port: 80 });
  assert.deepEqual(written("http://[2001:db8::2]:1"), { ...PROXY, hostname: "2001:db8::2", port: 1 });
  assert.equal(written("http://me:p%40%C3%A9%zz@proxy:3128")?.login, "me:p@é%zz");
});

Deno.test("B13: what no proxy is asked for is refused, with a list for NO_PROXY that works", () => {
  const cases = [
    ["http://s3.example.com", { HTTP_PROXY: "http://proxy:3128" }, /only https:\/\/ goes through one/],
    ["http://[::1]:9000", { ALL_PROXY: "http://proxy:3128" }, /only https/],
    ["https://s3.example.com", { ALL_PROXY: "socks5://proxy" }, /not spoken to by http/],
    [undefined, { HTTPS_PROXY: "https://proxy" }, /not spoken to by http/],
  ] as const;
  for (const [endpoint, variables, said] of cases) {
    const { message, hint = "" } = refusal(() =>
      proxyOf(endpoint, of({ ...variables, NO_PROXY: "elsewhere" }))
    );
    assert.match(message, said);
    const [, list] = /NO_PROXY=(\S+)/.exec(hint)!;
    assert.equal(proxyOf(endpoint, of({ ...variables, NO_PROXY: list! })), undefined);
  }
});

Deno.test("E11: a host is exposed when http:// leads to another machine", () => {
  const distant = [
    "http://nas:9000",
    "http://192.168.1.4",
    "http://127.example.com",
    "http://localhost.example.com",
  ];
  for (const endpoint of distant) assert.equal(exposedHost({ endpoint }, of({})), new URL(endpoint).host);
  const near = ["https://nas:9000", "http://127.0.0.1:9000", "http://localhost:1", "http://[::1]:1"];
  for (const endpoint of near) assert.equal(exposedHost({ endpoint }, of({})), undefined);
  assert.equal(exposedHost({}, of({ AWS_ENDPOINT_URL: "http://nas" })), "nas");
  assert.equal(exposedHost({}, of({})), undefined);
});

const CONFIG = `
# a comment
[default]
region = eu-west-1

[profile nas]
endpoint_url = https://nas.example.com:9000
s3 =
  addressing_style = path

[profile local]
services = on-premises
endpoint_url = https://all.example.com

[services on-premises]
dynamodb =
  endpoint_url = http://dynamo
s3 =
  endpoint_url = https://s3.example.com

[profile off]
ignore_configured_endpoint_urls = true
endpoint_url = https://off.example.com

[profile wrong]
endpoint_url = nas.example.com
`;

Deno.test("B13: the endpoint_url of a profile counts where neither flag nor environment give one", () => {
  const read = (path: string) => path === "/users/me/.aws/config" || path === "/etc/aws" ? CONFIG : undefined;
  const at = (profile: string | undefined, variables: Record<string, string> = {}, endpoint?: string) =>
    endpointOf({ profile, endpoint }, of({ HOME: "/users/me", ...variables }), read);
  assert.equal(at(undefined), undefined);
  assert.equal(at("nas"), "https://nas.example.com:9000");
  assert.equal(at("local"), "https://s3.example.com", "that of S3 counts before the profile's own");
  assert.equal(at(undefined, { AWS_PROFILE: "nas" }), "https://nas.example.com:9000");
  assert.equal(at("nas", { AWS_ENDPOINT_URL: "https://env" }), "https://env");
  assert.equal(at("nas", {}, "https://flag"), "https://flag");
  assert.equal(at("nas", { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" }), undefined);
  for (const none of ["off", "unknown"]) assert.equal(at(none), undefined);
  assert.equal(at("nas", { HOME: "/root", AWS_CONFIG_FILE: "/etc/aws" }), "https://nas.example.com:9000");
  assert.equal(at("nas", { HOME: "/root" }), undefined, "no such file");
  const { message, hint } = refusal(() => at("wrong"));
  assert.match(message, /endpoint_url of profile wrong in \/users\/me\/\.aws\/config/);
  assert.match(hint!, /https:\/\/nas\.example\.com/);
});
