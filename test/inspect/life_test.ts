/** `regrain inspect` over its life: large files, devices, the browser, its flags, and how it ends. */
import assert from "node:assert/strict";
import { caseNamed, Rng, writeCase } from "../../fixtures/mod.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { type CallOptions, regrainRefuses } from "../helpers/cli.ts";
import { fetchLetIn, type Inspector, letIn, withInspector, withServer } from "../helpers/inspector.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";

const CHAIN = caseNamed("chain-two-cowd-links");
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Registers a test that looks into /proc. */
function testWithProc(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os !== "linux", fn });
}

async function fetchBytes(url: string, headers: Record<string, string> = {}): Promise<[number, Uint8Array]> {
  const answer = await fetchLetIn(url, { headers });
  return [answer.status, new Uint8Array(await answer.arrayBuffer())];
}

/** Serves one sparse file of 1 GiB with something at its end. */
async function withLargeFile(
  fn: (inspector: Inspector, url: string, path: string) => Promise<void>,
): Promise<void> {
  await withTempDir(async (folder) => {
    const path = `${folder}/large.img`;
    Deno.writeTextFileSync(path, "");
    Deno.truncateSync(path, GIB - 3);
    Deno.writeTextFileSync(path, "end", { append: true });
    await withInspector(
      ["--no-open", path],
      {},
      (inspector) => fn(inspector, `${inspector.url}files/0/large.img`, path),
    );
  });
}

/** Most memory that a process ever had, in MiB. */
function peakMemoryMiB(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]) / 1024;
}

function openFiles(pid: number): number {
  const links = [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  });
  return links.filter((link) => link.endsWith("/large.img")).length;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    assert.ok(i < 200, what);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

testWithProc(
  "a gigabyte streams with flat memory, to who reads it and to who does not",
  () =>
    withLargeFile(async ({ pid }, url) => {
      await (await fetchLetIn(url, { headers: { range: "bytes=0-99" } })).body?.cancel();
      const before = peakMemoryMiB(pid);
      const stalled = await Promise.all(Array.from({ length: 8 }, () => fetchLetIn(url)));
      let bytes = 0;
      let end = "";
      for await (const piece of (await fetchLetIn(url)).body!) {
        bytes += piece.length;
        end = new TextDecoder().decode(piece.subarray(-3));
      }
      assert.deepEqual([bytes, end], [GIB, "end"]);
      const grownMiB = peakMemoryMiB(pid) - before;
      assert.ok(grownMiB < 200, `memory grew by ${grownMiB} MiB`);
      for (const { body } of stalled) await body!.cancel();
    }),
);

testWithProc(
  "E11: 400 readers that never read are bounded: 503 above the limit, flat memory, and served again when they go",
  () =>
    withLargeFile(async ({ pid, port, cookie }, url) => {
      const ask = `GET ${
        new URL(url).pathname
      } HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncookie: ${cookie}\r\n\r\n`;
      const statusOf = async () => {
        const { status, body } = await fetchLetIn(url);
        await body?.cancel();
        return status;
      };
      assert.equal(await statusOf(), 200);
      const before = peakMemoryMiB(pid);
      const sockets: Deno.TcpConn[] = [];
      for (let i = 0; i < 400; i++) {
        const socket = await Deno.connect({ hostname: "127.0.0.1", port });
        await socket.write(new TextEncoder().encode(ask));
        sockets.push(socket);
      }
      let isFull = false;
      for (let i = 0; i < 200 && !isFull; i++) isFull = await statusOf() === 503;
      assert.ok(isFull, "nothing is refused");
      assert.equal((await fetchBytes(url, { range: "bytes=-3" }))[0], 206, "what is small is answered");
      assert.ok(openFiles(pid) <= 64, `${openFiles(pid)} files are open`);
      const grownMiB = peakMemoryMiB(pid) - before;
      assert.ok(grownMiB < 200, `memory grew by ${grownMiB} MiB`);
      for (const socket of sockets) socket.close();
      await until("files stay open", () => openFiles(pid) === 0);
      assert.equal(await statusOf(), 200);
    }),
);

testWithProc(
  "downloads that are given up leave nothing open, and the server goes on",
  () =>
    withLargeFile(async ({ pid, stderr }, url) => {
      for (let i = 0; i < 10; i++) {
        const reader = (await fetchLetIn(url)).body!.getReader();
        await reader.read();
        await reader.cancel();
      }
      await until("files stay open", () => openFiles(pid) === 0);
      const [status, bytes] = await fetchBytes(url, { range: "bytes=-3" });
      assert.deepEqual([status, new TextDecoder().decode(bytes)], [206, "end"]);
      assert.doesNotMatch(stderr(), /bug|Error/);
    }),
);

Deno.test("a download that is under way when its file is cut off breaks off", () =>
  withLargeFile(async (_, url, path) => {
    const body = (await fetchLetIn(url)).body!.getReader();
    await body.read();
    Deno.truncateSync(path, 5 * MIB);
    await assert.rejects(async () => {
      while (!(await body.read()).done);
    });
    assert.equal((await fetchBytes(url, { range: "bytes=0-9" }))[0], 206);
  }));

Deno.test("B10: Ctrl-C ends it with 0, SIGTERM with 143, SIGHUP with 129, also while somebody downloads", () =>
  withTempDir(async (folder) => {
    Deno.writeFileSync(`${folder}/vm.img`, new Uint8Array(64 * MIB));
    for (const [signal, code] of [["SIGINT", 0], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
      await withInspector(["--no-open", `${folder}/vm.img`], {}, async ({ url, stop }) => {
        const reader = (await fetchLetIn(`${url}files/0/vm.img`)).body!.getReader();
        await reader.read();
        assert.equal(await stop(signal), code);
        await reader.cancel().catch((error) => assert.ok(error instanceof TypeError));
      });
    }
  }));

Deno.test("without an image there is a page that waits for files", () =>
  withInspector(["--no-open"], { permissions: ["--allow-net=127.0.0.1"] }, async ({ url, address, line }) => {
    assert.equal(line, `${address}\n`);
    assert.match(await (await fetchLetIn(url)).text(), />\{"images":\[\],"open":\[\]\}</);
  }));

Deno.test("--json is one event, with the address and the images", () =>
  withTempDir(async (folder) => {
    await writeCase(CHAIN, folder);
    const args = ["--no-open", "--json", `${folder}/${CHAIN.leaf}`];
    await withInspector(args, {}, async ({ line, address, stop, stderr }) => {
      const event = JSON.parse(line);
      assert.deepEqual(Object.keys(event), ["type", "url", "oneTime", "images"]);
      assert.deepEqual([event.type, event.url, event.oneTime], ["listening", address, true]);
      const names = event.images.map(({ name }: { name: string }) => name);
      assert.deepEqual(names.toSorted(), Object.keys(CHAIN.make()).toSorted());
      assert.equal(await stop(), 0);
      assert.equal(stderr(), "");
    });
  }));

Deno.test("what is missing of a chain is warned of, and the rest served; a missing image is an error", () =>
  withTempDir(async (folder) => {
    await writeCase(CHAIN, folder);
    Deno.removeSync(`${folder}/disk-000001.vmdk`);
    await withInspector(["--no-open", `${folder}/${CHAIN.leaf}`], {}, async ({ url, stop, stderr }) => {
      assert.equal((await fetchBytes(`${url}files/0/disk-000002-delta.vmdk`))[0], 200);
      assert.equal((await fetchBytes(`${url}files/0/disk.vmdk`))[0], 404);
      assert.equal(await stop(), 0);
      assert.match(
        stderr(),
        /^warning: .*disk-000002\.vmdk: the parent "disk-000001\.vmdk" is not there.*--search/,
      );
    });
    regrainRefuses({ code: "NOT_FOUND", exit: 4 }, ["inspect", "--no-open", `${folder}/none.vmdk`]);
    regrainRefuses({ code: "NOT_A_DISK", exit: 4 }, ["inspect", "--no-open", folder]);
  }));

Deno.test("a port that is none, or taken, is refused; one that is free is taken", () =>
  withInspector(["--no-open"], {}, async ({ port, stop }) => {
    for (const wrong of ["65536", "-1", "http", "1e3", "", "8023 ", "123456"]) {
      regrainRefuses({ code: "USAGE", exit: 2 }, ["inspect", "--no-open", `--port=${wrong}`]);
    }
    const taken = ["inspect", "--no-open", `--port=${port}`];
    assert.match(regrainRefuses({ code: "USAGE", exit: 2 }, taken).hint!, /--port/);
    assert.equal(await stop(), 0);
    await withInspector(taken.slice(1), {}, (again) => assert.equal(again.port, port));
  }));

Deno.test("it does not listen elsewhere, although the environment tells Deno to", () => {
  const env = { DENO_SERVE_ADDRESS: "tcp:0.0.0.0:0" };
  const error = regrainRefuses({ code: "USAGE", exit: 2 }, ["inspect", "--no-open"], { env });
  assert.match(error.hint!, /DENO_SERVE_ADDRESS/);
});

const OPENER = Deno.build.os === "darwin" ? "open" : "xdg-open";

/** Options of a call that finds, in the place of what opens a browser, a script. */
function withOpener(folder: string, script: string, permissions?: readonly string[]): CallOptions {
  Deno.writeTextFileSync(`${folder}/${OPENER}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
  return permissions === undefined ? { env } : { env, permissions };
}

/** Registers a test that puts a shell script in the place of the browser. */
function testWithOpener(name: string, fn: (folder: string) => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os === "windows", fn: () => withTempDir(fn) });
}

testWithOpener(
  "E3: the browser gets a page of mode 0600 in a private folder, which goes when it was used",
  async (folder) => {
    const permissions = [
      "--allow-net=127.0.0.1",
      `--allow-run=${OPENER}`,
      "--allow-env=TMPDIR",
      `--allow-write=${folder}`,
    ];
    const script = `echo "$@" > '${folder}/part'; mv '${folder}/part' '${folder}/said'`;
    const { env } = withOpener(folder, script);
    const options = { permissions, env: { ...env, TMPDIR: folder } };
    await withInspector([], options, async ({ url, address, stop, stderr }) => {
      assert.equal(address, undefined, "what is printed lets nobody in");
      await until("the browser is not opened", () => exists(`${folder}/said`));
      const page = new URL(Deno.readTextFileSync(`${folder}/said`).trim()).pathname;
      assert.match(page, new RegExp(`^${folder}/regrain-inspect-\\w+/open\\.html$`));
      assert.equal(Deno.statSync(page).mode! & 0o777, 0o600);
      assert.equal(Deno.statSync(page.replace("/open.html", "")).mode! & 0o777, 0o700);
      const [, once] = /content="0; url=([^"]*)"/.exec(Deno.readTextFileSync(page))!;
      assert.match(once!, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{43}\/[\w-]{43}$/);
      await letIn(once!);
      assert.ok(!exists(page), "the page is still there");
      assert.equal((await fetchBytes(url))[0], 200);
      assert.equal(await stop(), 0);
      assert.doesNotMatch(stderr(), /warning/);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).toSorted(), ["said", OPENER]);
    });
  },
);

testWithOpener(
  "a browser that cannot be opened is a warning with an address that lets in once",
  async (folder) => {
    const calls: [CallOptions, RegExp][] = [
      [withOpener(folder, "exit 3"), /ended with 3/],
      [withOpener(folder, "exit 3", ["--allow-net=127.0.0.1", "--allow-write"]), /grant --allow-run=/],
      [withOpener(folder, "exit 3", ["--allow-net=127.0.0.1", "--allow-run"]), /grant --allow-write=/],
      [{ env: { PATH: "/nowhere" } }, /there is no xdg-open|there is no open/],
      [{ env: { TMPDIR: `${folder}/none` } }, /there is no place for a temporary file/],
    ];
    for (const [options, reason] of calls) {
      await withInspector([], options, async ({ url, stop, stderr }) => {
        await until("no warning", () => stderr().includes("warning"));
        assert.match(stderr(), reason);
        const [address] = /http:\S+\/[\w-]{43}(?=; |\s)/.exec(stderr())!;
        assert.ok(address.startsWith(url));
        await letIn(address);
        assert.equal((await fetchBytes(url))[0], 200);
        assert.equal(await stop(), 0);
      });
    }
  },
);

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

testWithPeers("a block device is served like a file", ["root-loop"], () =>
  withTempDir(async (folder) => {
    const content = new Rng(7).bytes(3 * MIB);
    Deno.writeFileSync(`${folder}/vm.img`, content);
    await withLoop(`${folder}/vm.img`, async (device) => {
      const permissions = [`--allow-read=${device}`, "--allow-net=127.0.0.1", "--allow-ffi"];
      await withInspector(["--no-open", "--json", device], { permissions }, async ({ url, line }) => {
        const { images: [image] } = JSON.parse(line);
        assert.deepEqual([image.name, image.sizeBytes], [device.replace("/dev/", ""), content.length]);
        const [status, bytes] = await fetchBytes(`${url}files/${image.path}`, {
          range: "bytes=1000-2999999",
        });
        assert.equal(status, 206);
        assert.ok(sameBytes(bytes, content.subarray(1000, 3000000)));
        assert.ok(sameBytes((await fetchBytes(`${url}files/${image.path}`))[1], content));
      });
    });
  }));

Deno.test("the bundle holds the page", () =>
  withTempDir(async (folder) => {
    const bundle = `${folder}/regrain.js`;
    const deno = (args: readonly string[], cwd = folder) =>
      new Deno.Command(Deno.execPath(), {
        args: [...args],
        cwd,
        env: { NO_COLOR: "1" },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });
    const args = ["run", "--quiet", "-A", "cli/ship/bundle.ts", bundle];
    const built = await deno(args, new URL("../..", import.meta.url).pathname).output();
    assert.ok(built.success, new TextDecoder().decode(built.stderr));
    const run = deno(["run", "--no-prompt", "--allow-net=127.0.0.1", bundle, "inspect", "--no-open"]);
    await withServer(run, async ({ url, stop }) => {
      assert.match(await (await fetchLetIn(url)).text(), /<script type="application\/json" id="served">\{/);
      assert.equal(await stop(), 0);
    });
  }));
