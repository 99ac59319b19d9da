import assert from "node:assert/strict";
import { withTempDir } from "../../test/helpers/peers.ts";
import { pickIo } from "../io/mod.ts";
import { PIECE_BYTES } from "./file_answer.ts";
import { Entry } from "./entry.ts";
import type { Remote } from "./gate.ts";
import { Routes } from "./routes.ts";
import { ServedFiles } from "./served_files.ts";
import { isToken, newToken } from "./token.ts";

const PORT = 8023;
const HOST = `127.0.0.1:${PORT}`;
const LOCAL: Remote = { transport: "tcp", hostname: "127.0.0.1", port: 50000 };
const PAGE = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; connect-src 'none'">` +
  '<script type="application/json" id="served">null</script>';
/** More than one piece, and no whole number of them. */
const CONTENT = Uint8Array.from({ length: 3 * PIECE_BYTES + 7 }, (_, i) => (i * 31 + (i >> 8)) % 251);

const ON_LINUX = Deno.build.os === "linux";

interface Ask {
  readonly method?: string;
  readonly host?: string;
  readonly headers?: Record<string, string>;
  readonly remote?: Remote;
  readonly nowMs?: number;
  /** By default that of the browser that was let in. */
  readonly cookie?: string;
}

interface Place {
  readonly entry: Entry;
  /** Where the page is. */
  readonly base: string;
  readonly ask: (path: string, ask?: Ask) => Promise<Response>;
  /** Where the one file that is served stands, and its address. */
  readonly file: string;
  readonly url: string;
}

/** Places with nobody let in yet. */
const withClosedPlace = (fn: (place: Place) => Promise<void>) => withPlace(fn, false);

function cookieOf(answer: Response): string {
  const [cookie, ...attributes] = answer.headers.getSetCookie()[0]!.split("; ");
  assert.deepEqual(attributes.map((each) => each.replace(/=\/.*/, "")), [
    "Path",
    "HttpOnly",
    "SameSite=Strict",
  ]);
  return cookie!;
}

async function withPlace(fn: (place: Place) => Promise<void>, isLetIn = true): Promise<void> {
  await withTempDir(async (folder) => {
    const file = `${Deno.realPathSync(folder)}/vm.img`;
    Deno.writeFileSync(file, CONTENT);
    const files = new ServedFiles(pickIo("portable"), [{ name: "vm.img", realPath: file, named: true }]);
    const entry = new Entry();
    const routes = new Routes(PAGE, entry, files);
    const ask = (
      path: string,
      { method = "GET", host = HOST, headers = {}, cookie = known, ...at }: Ask = {},
    ) =>
      routes.answer(
        { method, url: `http://${host}${path}`, headers: new Headers({ host, cookie, ...headers }) },
        { remote: LOCAL, port: PORT, ...at },
      );
    let known = "";
    if (isLetIn) known = cookieOf(await ask(entry.oneTimePath()));
    await fn({ entry, base: entry.path, ask, file, url: `${entry.path}files/0/vm.img` });
  });
}

async function bytesOf(answer: Response): Promise<Uint8Array> {
  return new Uint8Array(await answer.arrayBuffer());
}

Deno.test("a token has 256 bits, is new every time, and only itself", () => {
  const tokens = new Set(Array.from({ length: 100 }, newToken));
  assert.equal(tokens.size, 100);
  for (const token of tokens) {
    assert.match(token, /^[A-Za-z0-9_-]{43}$/);
    assert.ok(isToken(token, token));
    for (const other of ["", token.slice(1), `${token}A`, token.toLowerCase(), "é".repeat(43)]) {
      assert.ok(!isToken(other, token));
    }
  }
});

Deno.test("the page comes with the list, its policy, and what keeps others out", () =>
  withPlace(async ({ base, ask }) => {
    for (const method of ["GET", "HEAD"]) {
      const answer = await ask(base, { method });
      assert.equal(answer.status, 200);
      const headers = Object.fromEntries(answer.headers);
      const length = Number(headers["content-length"]);
      delete headers["content-length"];
      assert.deepEqual(headers, {
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; connect-src 'self'",
        "content-type": "text/html; charset=utf-8",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      });
      const html = await answer.text();
      if (method === "HEAD") assert.equal(html, "");
      else assert.equal(html.length, length);
      if (method === "GET") assert.match(html, /"path":"0\/vm\.img","sizeBytes":\d+,.*"open":\["vm\.img"\]/);
    }
  }));

Deno.test("every answer carries what keeps others out", () =>
  withPlace(async ({ base, ask, url }) => {
    const answers = [
      await ask(url),
      await ask(url, { headers: { range: "bytes=0-0" } }),
      await ask(url, { headers: { range: "bytes=9999999-" } }),
      await ask("/"),
      await ask(base, { host: "evil.example" }),
      await ask(base, { method: "POST" }),
      await ask(base, { cookie: "" }),
    ];
    assert.deepEqual(answers.map(({ status }) => status), [200, 206, 416, 404, 403, 405, 403]);
    for (const { headers, status, body } of answers) {
      assert.equal(headers.get("x-content-type-options"), "nosniff", String(status));
      assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
      assert.equal(headers.get("content-security-policy"), "default-src 'none'");
      assert.equal(headers.get("cache-control"), "no-store");
      await body?.cancel();
    }
  }));

Deno.test("outside the folder of the server there is nothing, whatever is asked for", () =>
  withPlace(async ({ base, ask, url }) => {
    const almost = base.replace(/.\/$/, (end) => end[0] === "A" ? "B/" : "A/");
    const paths = [
      "/",
      "//",
      "/favicon.ico",
      "/files/0/vm.img",
      almost,
      base.slice(0, -1),
      url.replace(base, almost),
    ];
    const odd = [base.toLowerCase(), `/${base}`, `/x/..${base}`, `/%2e${base}`];
    const texts = await Promise.all([...paths, ...odd].map(async (path) => {
      const answer = await ask(path);
      assert.equal(answer.status, 404, path);
      return await answer.text();
    }));
    assert.deepEqual([...new Set(texts)], ["not found\n"]);
  }));

Deno.test("connections from elsewhere and other hosts are refused even with the cookie", () =>
  withPlace(async ({ base, ask, url }) => {
    for (const path of [base, url]) {
      const remote: Remote = { transport: "tcp", hostname: "192.0.2.2", port: 1 };
      assert.equal((await ask(path, { remote })).status, 403);
      for (const host of ["evil.example", `evil.example:${PORT}`, "127.0.0.1", "127.0.0.1:1"]) {
        assert.equal((await ask(path, { host })).status, 403, host);
      }
      for (const host of [`localhost:${PORT}`, `[::1]:${PORT}`]) {
        assert.equal((await ask(path, { host, method: "HEAD" })).status, 200, host);
      }
    }
  }));

Deno.test("no method but GET and HEAD is answered", () =>
  withPlace(async ({ base, ask, url, file }) => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MKCOL", "PROPFIND", "get"]) {
      for (const path of [base, url, "/"]) {
        const answer = await ask(path, { method });
        assert.equal(answer.status, 405, method);
        assert.equal(answer.headers.get("allow"), "GET, HEAD");
      }
    }
    assert.deepEqual(Deno.readFileSync(file), CONTENT);
  }));

Deno.test("E3: a one-time address lets one browser in, by a cookie that no script and no other site can use", () =>
  withClosedPlace(async ({ entry, base, ask, url }) => {
    const once = entry.oneTimePath();
    assert.match(once.slice(base.length), /^[\w-]{43}$/);
    for (const path of [base, url, `${once}/`, `${once}x`, `${once}/files/0/vm.img`]) {
      assert.equal((await ask(path)).status, 403, path);
    }
    // What looks ahead or asks for no bytes does not use it up.
    assert.equal((await ask(once, { method: "HEAD" })).status, 403);
    assert.equal((await ask(once, { headers: { "sec-purpose": "prefetch;prerender" } })).status, 403);
    const answer = await ask(once);
    assert.equal(answer.status, 200);
    const cookie = cookieOf(answer);
    assert.ok(!cookie.includes(base.slice(1, -1)) && !cookie.includes(once.slice(base.length)));
    assert.match(await answer.text(), /<meta http-equiv="refresh" content="0; url=\.\/">/);
    assert.equal((await ask(url, { cookie })).status, 200);
    assert.equal((await ask(url, { cookie: `a=b; ${cookie}; c=d` })).status, 200);
    for (
      const wrong of ["", `${cookie}x`, `x${cookie}`, cookie.slice(0, -1), cookie.replace("regrain", "other")]
    ) {
      assert.equal((await ask(url, { cookie: wrong })).status, 403, wrong);
    }
    const again = await ask(once, { cookie });
    assert.deepEqual([again.status, again.headers.get("location")], [303, "./"]);
    assert.ok(!entry.isClosed);
  }));

Deno.test("E3: a second use of a one-time address shuts everybody out, also who was let in", () =>
  withClosedPlace(async ({ entry, base, ask, url }) => {
    const once = entry.oneTimePath();
    const cookie = cookieOf(await ask(once));
    assert.equal((await ask(url, { cookie })).status, 200);
    const answer = await ask(once);
    assert.equal(answer.status, 410);
    assert.match(await answer.text(), /used before/);
    assert.ok(entry.isClosed);
    for (const path of [base, url, once, entry.oneTimePath()]) {
      assert.ok([403, 410].includes((await ask(path, { cookie })).status), path);
    }
  }));

Deno.test("E3: a one-time address works until its time is over, and not beside a newer one or a used one", () =>
  withClosedPlace(async ({ entry, ask }) => {
    const late = entry.oneTimePath(60_000);
    assert.equal((await ask(late, { nowMs: 60_000 })).status, 403);
    assert.ok(!entry.isClosed, "it never let anybody in");
    const older = entry.oneTimePath();
    const newer = entry.oneTimePath();
    assert.equal((await ask(older)).status, 403);
    assert.equal((await ask(newer, { nowMs: 1e9 })).status, 200);
    assert.equal((await ask(entry.oneTimePath())).status, 403);
  }));

Deno.test("bytes come as they are asked for, in one piece or in many", () =>
  withPlace(async ({ ask, url }) => {
    const whole = await ask(url);
    assert.deepEqual([whole.status, whole.headers.get("content-length")], [200, String(CONTENT.length)]);
    assert.equal(whole.headers.get("accept-ranges"), "bytes");
    assert.equal(Buffer.compare(await bytesOf(whole), CONTENT), 0);
    const ends = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, CONTENT.length];
    for (const from of ends.slice(0, -1)) {
      for (const to of ends.filter((end) => end > from)) {
        const answer = await ask(url, { headers: { range: `bytes=${from}-${to - 1}` } });
        assert.equal(answer.status, 206);
        assert.equal(answer.headers.get("content-range"), `bytes ${from}-${to - 1}/${CONTENT.length}`);
        assert.equal(answer.headers.get("content-length"), String(to - from));
        assert.equal(Buffer.compare(await bytesOf(answer), CONTENT.subarray(from, to)), 0, `${from}-${to}`);
      }
    }
  }));

Deno.test("HEAD tells what GET would, of the whole file", () =>
  withPlace(async ({ ask, url }) => {
    const answer = await ask(url, { method: "HEAD", headers: { range: "bytes=0-0" } });
    assert.deepEqual([answer.status, answer.body], [200, null]);
    assert.equal(answer.headers.get("content-length"), String(CONTENT.length));
    assert.equal(answer.headers.get("content-range"), null);
    const whole = await ask(url);
    assert.equal(answer.headers.get("etag"), whole.headers.get("etag"));
    await whole.body?.cancel();
  }));

Deno.test("a range for another state is the whole file, and none at all for If-Match", () =>
  withPlace(async ({ ask, url, file }) => {
    const etag = (await ask(url, { method: "HEAD" })).headers.get("etag")!;
    const status = async (headers: Record<string, string>) => {
      const answer = await ask(url, { headers: { range: "bytes=0-9", ...headers } });
      await answer.body?.cancel();
      return answer.status;
    };
    assert.equal(await status({ "if-range": etag }), 206);
    assert.equal(await status({ "if-range": '"other"' }), 200);
    assert.equal(await status({ "if-match": etag }), 206);
    Deno.writeFileSync(file, CONTENT.subarray(1));
    assert.equal(await status({ "if-range": etag }), 200);
    assert.equal(await status({ "if-match": etag }), 412);
    assert.equal((await ask(url, { method: "HEAD", headers: { "if-match": etag } })).status, 412);
    assert.equal(await status({}), 206);
    Deno.removeSync(file);
    assert.equal(await status({ "if-match": etag }), 410);
    assert.equal(await (await ask(url)).text(), "vm.img is not there any more\n");
  }));

Deno.test("an answer that is under way breaks off when its file changes, and never ends well", () =>
  withPlace(async ({ ask, url, file }) => {
    for (const change of [() => Deno.truncateSync(file, 10), () => Deno.removeSync(file)]) {
      Deno.writeFileSync(file, CONTENT);
      const reader = (await ask(url)).body!.getReader();
      assert.equal((await reader.read()).value!.length, PIECE_BYTES);
      change();
      await assert.rejects(async () => {
        while (!(await reader.read()).done);
      }, { code: "READ_SHORT" });
    }
  }));

Deno.test(
  "an answer that nobody wants any more leaves no file open",
  { ignore: !ON_LINUX },
  () =>
    withPlace(async ({ ask, url }) => {
      const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
      const before = open();
      for (let i = 0; i < 20; i++) {
        const reader = (await ask(url)).body!.getReader();
        await reader.read();
        await reader.cancel();
        await bytesOf(await ask(url, { headers: { range: "bytes=5-9" } }));
        await ask(url, { method: "HEAD" });
        await ask(url, { headers: { range: "bytes=5-9,1-2" } });
        await ask(url, { headers: { "if-match": '"x"' } });
      }
      assert.equal(open(), before);
    }),
);
