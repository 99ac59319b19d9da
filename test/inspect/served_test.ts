/** `regrain inspect` from outside: what it serves, and what it refuses. */
import assert from "node:assert/strict";
import { caseNamed, Rng, writeCase } from "../../fixtures/mod.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { regrainRefuses } from "../helpers/cli.ts";
import { askRaw, fetchLetIn, type Inspector, type RawAnswer, withInspector } from "../helpers/inspector.ts";
import { withTempDir } from "../helpers/peers.ts";

const CHAIN = caseNamed("chain-two-cowd-links");

interface Place extends Inspector {
  /** Folder of the files that are served, and of `secret.txt`, which is not. */
  readonly folder: string;
  /** Address of a file. */
  file(name: string): string;
}

/** Serves the leaf of a chain, with no more permissions than that takes. */
async function withChain(fn: (place: Place) => Promise<void>, more: readonly string[] = []): Promise<void> {
  await withTempDir(async (folder) => {
    await writeCase(CHAIN, folder);
    Deno.writeTextFileSync(`${folder}/secret.txt`, "secret");
    const permissions = [`--allow-read=${folder}`, "--allow-net=127.0.0.1", ...more];
    await withInspector(
      ["--no-open", `${folder}/${CHAIN.leaf}`],
      { permissions },
      (inspector) => fn({ ...inspector, folder, file: (name) => `${inspector.url}files/0/${name}` }),
    );
  });
}

async function fetchBytes(url: string, headers: Record<string, string> = {}): Promise<[number, Uint8Array]> {
  const answer = await fetchLetIn(url, { headers });
  return [answer.status, new Uint8Array(await answer.arrayBuffer())];
}

/** A request line with the host that it should have, as it is written. */
async function askLine(place: Inspector, line: string, host = `127.0.0.1:${place.port}`): Promise<RawAnswer> {
  return (await askRaw(place.port, [{ line, headers: [`Host: ${host}`, `Cookie: ${place.cookie}`] }]))[0]!;
}

function pathOf(url: string): string {
  return new URL(url).pathname;
}

Deno.test("inspect serves the page, and byte for byte the image and every file that belongs to it", () =>
  withChain(async ({ url, file, folder }) => {
    const page = await (await fetchLetIn(url)).text();
    const { images, open } = JSON.parse(/<script [^>]*id="served">(.*?)<\/script>/s.exec(page)![1]!);
    const names = Object.keys(CHAIN.make()).toSorted();
    assert.deepEqual(images.map(({ name }: { name: string }) => name).toSorted(), names);
    assert.deepEqual(open, [CHAIN.leaf]);
    for (const { name, path, sizeBytes, modifiedMs } of images) {
      const info = Deno.statSync(`${folder}/${name}`);
      assert.deepEqual([sizeBytes, modifiedMs], [info.size, info.mtime!.getTime()]);
      assert.equal(`${url}files/${path}`, file(name));
      const [status, bytes] = await fetchBytes(file(name));
      assert.equal(status, 200);
      assert.ok(sameBytes(bytes, Deno.readFileSync(`${folder}/${name}`)), name);
    }
  }));

for (const [io, permissions] of [["libc", ["--allow-ffi"]], ["Deno's own files", []]] as const) {
  Deno.test(`random ranges are the bytes of the file, by ${io}`, () =>
    withChain(async ({ file, folder }) => {
      const name = "disk-flat.vmdk";
      const content = Deno.readFileSync(`${folder}/${name}`);
      const rng = new Rng(20261121);
      for (let i = 0; i < 150; i++) {
        const from = rng.int(content.length);
        const to = Math.min(content.length, from + 1 + rng.int(i % 3 === 0 ? content.length : 5000));
        const range = i % 10 === 0 ? `bytes=-${content.length - from}` : `bytes=${from}-${to - 1}`;
        const [status, bytes] = await fetchBytes(file(name), { range });
        assert.equal(status, 206);
        const end = i % 10 === 0 ? content.length : to;
        assert.ok(sameBytes(bytes, content.subarray(from, end)), range);
      }
    }, permissions));
}

Deno.test("inspect needs to read the folder and to listen on 127.0.0.1, and nothing else", () =>
  withTempDir(async (folder) => {
    await writeCase(CHAIN, folder);
    const args = ["inspect", "--no-open", `${folder}/${CHAIN.leaf}`];
    const permissions = [`--allow-read=${folder}`, "--allow-net=127.0.0.1"];
    for (const left of permissions) {
      const fewer = permissions.filter((each) => each !== left);
      const error = regrainRefuses({ code: "PERMISSION", exit: 6 }, args, { permissions: fewer });
      assert.match(error.hint!, /--allow-(read|net)/);
    }
    await withInspector(args.slice(1), { permissions }, async ({ url }) => {
      assert.equal((await fetchBytes(url))[0], 200);
    });
  }));

Deno.test("a request elsewhere than below its id, or without the cookie, gets nothing", () =>
  withChain(async (place) => {
    const path = pathOf(place.file(CHAIN.leaf));
    const token = path.split("/")[1]!;
    const other = token.replace(/^./, (first) => first === "x" ? "y" : "x");
    for (
      const wrong of [
        "",
        other,
        token.slice(0, -1),
        `${token}x`,
        "*",
        "..",
        "%2e",
        `${token}%00`,
      ]
    ) {
      const answer = await askLine(place, `GET ${path.replace(token, wrong)} HTTP/1.1`);
      assert.deepEqual([answer.status, answer.body], [404, "not found\n"], wrong);
    }
    assert.equal((await askLine(place, "GET / HTTP/1.1")).status, 404);
    const headers = [`Host: 127.0.0.1:${place.port}`];
    for (
      const cookie of [[], ["Cookie: regrain="], [`Cookie: ${place.cookie}x`], [`Cookie: x${place.cookie}`]]
    ) {
      const [answer] = await askRaw(place.port, [
        { line: `GET ${path} HTTP/1.1`, headers: [...headers, ...cookie] },
      ]);
      assert.equal(answer!.status, 403);
      assert.match(answer!.body, /^only the browser that opened/);
    }
  }));

Deno.test("a path outside what was named is not there, however it is written", () =>
  withChain(async (place) => {
    const { folder } = place;
    const base = pathOf(place.url);
    const paths = [
      ...["files/0/secret.txt", "files/secret.txt", "files/0/", "files/", "files", "secret.txt", "x"],
      ...["files/0/../secret.txt", "files/../secret.txt", `files/0/../0/${CHAIN.leaf}`, `../${CHAIN.leaf}`],
      ...["files/0/%2e%2e/secret.txt", "files/%2e%2e%2fsecret.txt", "files/0%2fsecret.txt"],
      ...[
        `files/0%2f${CHAIN.leaf}`,
        `files/0/.%2f${CHAIN.leaf}`,
        `files/0/%64isk.vmdk`,
        "files/0\\disk.vmdk",
      ],
      ...[`files/${folder}/secret.txt`, `files/0/${folder}/secret.txt`, `files//${folder}/secret.txt`],
      ...[
        "files//etc/passwd",
        "files/0//etc/passwd",
        "files/%2fetc%2fpasswd",
        "files/0/../../../../etc/passwd",
      ],
      ...["files/1/disk.vmdk", "files/-0/disk.vmdk", "files/00/disk.vmdk", `files/0/${CHAIN.leaf}/`],
      ...[`files/0/${CHAIN.leaf}%00`, `files/0/${CHAIN.leaf};x`, "files/0/__proto__", "files/constructor"],
    ];
    for (const path of paths) {
      const answer = await askLine(place, `GET ${base}${path} HTTP/1.1`);
      assert.deepEqual([answer.status, answer.body], [404, "not found\n"], path);
    }
    const absolute = [`GET file://${folder}/secret.txt HTTP/1.1`, "GET http://evil.example/ HTTP/1.1"];
    for (const line of absolute) assert.notEqual((await askLine(place, line)).status, 200, line);
    assert.equal((await askLine(place, `GET ${base}files/0/${CHAIN.leaf}?x=/../y HTTP/1.1`)).status, 200);
  }));

Deno.test("a method that writes is refused, and writes nothing", () =>
  withChain(async (place) => {
    const path = `${place.folder}/${CHAIN.leaf}`;
    const before = Deno.readFileSync(path);
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MOVE", "LOCK"]) {
      const answer = await askLine(place, `${method} ${pathOf(place.file(CHAIN.leaf))} HTTP/1.1`);
      assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"], method);
    }
    const put = await fetchLetIn(place.file(CHAIN.leaf), { method: "PUT", body: "x" });
    assert.equal(put.status, 405);
    await put.body?.cancel();
    assert.ok(sameBytes(Deno.readFileSync(path), before));
  }));

Deno.test("another host than this machine is refused, so that no page from elsewhere can rebind its name", () =>
  withChain(async (place) => {
    const { port } = place;
    const line = `GET ${pathOf(place.url)} HTTP/1.1`;
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      assert.equal((await askLine(place, line, host)).status, 200, host);
    }
    for (
      const host of ["evil.example", `evil.example:${port}`, "localhost", "127.0.0.1:1", `127.0.0.1.:${port}`]
    ) {
      assert.equal((await askLine(place, line, host)).status, 403, host);
    }
    const [none] = await askRaw(port, [{ line: line.replace("1.1", "1.0"), headers: [] }]);
    assert.equal(none!.status, 403);
  }));

Deno.test("a range beyond the end is 416 with the size, many ranges are refused", () =>
  withChain(async ({ file, folder }) => {
    const { size } = Deno.statSync(`${folder}/disk-flat.vmdk`);
    for (
      const range of [
        `bytes=${size}-`,
        `bytes=${size}-${size + 5}`,
        "bytes=99999999999999999999-",
        "bytes=-0",
      ]
    ) {
      const answer = await fetchLetIn(file("disk-flat.vmdk"), { headers: { range } });
      assert.deepEqual([answer.status, answer.headers.get("content-range")], [416, `bytes */${size}`], range);
      assert.match(await answer.text(), /^disk-flat\.vmdk .*\n$/);
    }
    const [status, bytes] = await fetchBytes(file("disk-flat.vmdk"), {
      range: `bytes=${size - 3}-${size + 100}`,
    });
    assert.deepEqual([status, bytes.length], [206, 3]);
    assert.equal((await fetchBytes(file("disk-flat.vmdk"), { range: "bytes=0-1,5-6" }))[0], 400);
  }));

Deno.test("a file that changes, shrinks or vanishes while it is served is told in a line", () =>
  withChain(async ({ file, folder }) => {
    const name = "disk-flat.vmdk";
    const path = `${folder}/${name}`;
    const etagNow = async () => (await fetchLetIn(file(name), { method: "HEAD" })).headers.get("etag")!;
    const ask = async (etag: string) => {
      const answer = await fetchLetIn(file(name), { headers: { range: "bytes=0-99", "if-match": etag } });
      return [answer.status, await answer.text()] as const;
    };
    const changes = {
      "written to": () => Deno.writeFileSync(path, new Uint8Array(5), { append: true }),
      "cut off": () => Deno.truncateSync(path, 1000),
      "replaced": () => {
        Deno.writeFileSync(`${path}.new`, new Uint8Array(1000));
        Deno.renameSync(`${path}.new`, path);
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      const etag = await etagNow();
      assert.equal((await ask(etag))[0], 206);
      change();
      assert.deepEqual(await ask(etag), [412, `${name} changed while it was served\n`], what);
    }
    const etag = await etagNow();
    Deno.removeSync(path);
    Deno.symlinkSync(`${folder}/secret.txt`, path);
    assert.deepEqual(await ask(etag), [410, `${name} is not there any more\n`]);
    Deno.removeSync(path);
    assert.deepEqual(await ask("*"), [410, `${name} is not there any more\n`]);
  }));

Deno.test("HEAD tells the size, and many requests go over one connection", () =>
  withChain(async (place) => {
    const path = pathOf(place.file("disk-flat.vmdk"));
    const { size } = Deno.statSync(`${place.folder}/disk-flat.vmdk`);
    const headers = [`Host: localhost:${place.port}`, `Cookie: ${place.cookie}`];
    const answers = await askRaw(place.port, [
      { line: `HEAD ${path} HTTP/1.1`, headers },
      { line: `GET ${path} HTTP/1.1`, headers: [...headers, "Range: bytes=7-9"] },
      { line: `GET ${path}x HTTP/1.1`, headers },
      { line: `GET ${path} HTTP/1.1`, headers },
      { line: `HEAD ${pathOf(place.url)} HTTP/1.1`, headers },
    ]);
    assert.deepEqual(answers.map(({ status }) => status), [200, 206, 404, 200, 200]);
    assert.equal(answers[0]!.headers.get("content-length"), String(size));
    assert.deepEqual(answers.map(({ body }) => body.length), [0, 3, 10, size, 0]);
  }));
