import assert from "node:assert/strict";
import { refusalOf } from "../../../test/helpers/refusal.ts";
import { endpointOf, endpointPathHint, exposedHost, refuseProxy, type Variables } from "./endpoint.ts";

const of = (variables: Record<string, string>) => (name: string) => variables[name];

const refusal = (fn: () => unknown) => refusalOf("USAGE", fn);

Deno.test("slashes at the end are left out, and quotes of a settings file are told of", () => {
  const none: Variables = () => undefined;
  assert.equal(endpointOf("https://nas:9000//", none), "https://nas:9000");
  assert.equal(endpointOf("https://nas/storage/v1/", none), "https://nas/storage/v1");
  const { hint } = refusalOf("USAGE", () => endpointOf('"https://nas:9000"', none));
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
    const { hint = "" } = refusal(() => endpointOf(text, of({})));
    assert.ok(hint.includes(`https://${text};`) && hint.includes(`http://${text} `), hint);
    assert.equal(endpointOf(`https://${text}`, of({})), `https://${text}`);
  }
  assert.equal(endpointOf(" http://127.0.0.1:1\n", of({})), "http://127.0.0.1:1");
  for (const text of ["http://[::1", "ftp://host", "https://host/?x=1", "https://"]) {
    refusal(() => endpointOf(text, of({})));
  }
  const { message, hint = "" } = refusal(() => endpointOf("https://key:secret@host:9000", of({})));
  assert.ok(!`${message}${hint}`.includes("secret@"), "the secret is not printed");
});

Deno.test("B13: AWS_ENDPOINT_URL_S3 goes before AWS_ENDPOINT_URL, and a flag before both", () => {
  const both = { AWS_ENDPOINT_URL: "https://all", AWS_ENDPOINT_URL_S3: "https://s3" };
  assert.equal(endpointOf(undefined, of(both)), "https://s3");
  assert.equal(endpointOf(undefined, of({ AWS_ENDPOINT_URL: "https://all" })), "https://all");
  assert.equal(endpointOf("https://flag", of(both)), "https://flag");
  assert.equal(endpointOf(undefined, of({})), undefined);
  assert.equal(
    endpointOf(undefined, of({ ...both, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" })),
    undefined,
  );
  assert.match(
    refusal(() => endpointOf(undefined, of({ AWS_ENDPOINT_URL: "host" }))).message,
    /AWS_ENDPOINT_URL /,
  );
});

Deno.test("B13: a proxy in the environment is refused unless NO_PROXY names the server, and the hint does", () => {
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
    refusal(() => refuseProxy(endpoint, of(proxy)));
    refuseProxy(endpoint, of({ ...proxy, NO_PROXY: exempt }));
    refuseProxy(endpoint, of({ https_proxy: "http://proxy:3128", no_proxy: exempt }));
  }
  for (const exempt of ["xample.com", "s3.example.com:1", "s3.example.com.org", ""]) {
    refusal(() => refuseProxy("https://s3.example.com", of({ ...proxy, NO_PROXY: exempt })));
  }
  for (const endpoint of ["https://s3.example.com", "https://[::1]:9000", undefined]) {
    const { hint = "" } = refusal(() => refuseProxy(endpoint, of({ ...proxy, NO_PROXY: "elsewhere" })));
    const [, list] = /NO_PROXY=(\S+)/.exec(hint)!;
    refuseProxy(endpoint, of({ ...proxy, NO_PROXY: list! }));
  }
  refuseProxy("http://s3.example.com", of(proxy));
  refusal(() => refuseProxy("http://s3.example.com", of({ ALL_PROXY: "socks5://proxy" })));
});

Deno.test("E11: a host is exposed when http:// leads to another machine", () => {
  const distant = [
    "http://nas:9000",
    "http://192.168.1.4",
    "http://127.example.com",
    "http://localhost.example.com",
  ];
  for (const endpoint of distant) assert.equal(exposedHost(endpoint, of({})), new URL(endpoint).host);
  const near = ["https://nas:9000", "http://127.0.0.1:9000", "http://localhost:1", "http://[::1]:1"];
  for (const endpoint of near) assert.equal(exposedHost(endpoint, of({})), undefined);
  assert.equal(exposedHost(undefined, of({ AWS_ENDPOINT_URL: "http://nas" })), "nas");
  assert.equal(exposedHost(undefined, of({})), undefined);
});
