import assert from "node:assert/strict";
import { isLocal, namesUs, pathOf } from "./gate.ts";

const PORT = 8023;

/** A request as Deno hands it over: its address is put together from the header and the request line. */
function asked(host: string | null, url = `http://${host}/x`) {
  return { url, headers: new Headers(host === null ? {} : { host }) };
}

Deno.test("the hosts of this machine pass, at this port alone", () => {
  for (const host of ["127.0.0.1:8023", "localhost:8023", "LocalHost:8023", "[::1]:8023"]) {
    assert.ok(namesUs(asked(host), PORT), host);
  }
  const refused = [
    ...[
      "127.0.0.1",
      "localhost",
      "127.0.0.1:8024",
      "127.0.0.1:80230",
      "[::1]",
      "127.0.0.2:8023",
      "0.0.0.0:8023",
    ],
    ...[
      "evil.example:8023",
      "127.0.0.1.evil.example:8023",
      "localhost.:8023",
      "localhost:8023, evil.example",
      "",
    ],
    ...["evil.example@localhost:8023", "2130706433:8023", "[::ffff:127.0.0.1]:8023", null],
  ];
  for (const host of refused) assert.ok(!namesUs(asked(host), PORT), String(host));
});

Deno.test("at port 80 browsers leave the port out", () => {
  for (const host of ["127.0.0.1", "localhost:80", "[::1]"]) assert.ok(namesUs(asked(host), 80), host);
  assert.ok(!namesUs(asked("evil.example"), 80));
});

Deno.test("an address that names another host than the header is refused", () => {
  assert.ok(!namesUs(asked("localhost:8023", "http://evil.example/x"), PORT));
  assert.ok(!namesUs(asked("localhost:8023", "http://localhost:8023.evil.example/x"), PORT));
  assert.ok(!namesUs(asked("localhost:8023", "http://localhost:8023@evil.example/x"), PORT));
});

Deno.test("what does not come through the loopback is from elsewhere", () => {
  const tcp = (hostname: string) => ({ transport: "tcp", hostname, port: 1 }) as const;
  assert.ok(isLocal(tcp("127.0.0.1")) && isLocal(tcp("127.8.9.1")));
  for (const name of ["192.0.2.2", "::1", "127.0.0.1.example", "0.0.0.0", "1127.0.0.1"]) {
    assert.ok(!isLocal(tcp(name)), name);
  }
  assert.ok(!isLocal({ transport: "unix", path: "127.0.0.1" }));
});

Deno.test("a path stays as it came", () => {
  const base = "http://localhost:8023";
  assert.equal(pathOf(`${base}/a/../b/%2e%2e/%2Fc//d?e=/f#g`), "/a/../b/%2e%2e/%2Fc//d");
  assert.equal(pathOf(`${base}/`), "/");
  assert.equal(pathOf(base), "");
});
