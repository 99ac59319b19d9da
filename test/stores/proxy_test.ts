/** Buckets behind a proxy: a small one that opens tunnels, and servers with TLS on the other side of it. */
import assert from "node:assert/strict";
import { run, testWithPeers, withTempDir } from "../helpers/peers.ts";
import { type S3Server, startS3sFs, startVersitygw } from "./servers.ts";

/** More than one read of a tunnel takes. */
const BYTES = new Uint8Array(300_000).fill(7);

/** A proxy that knows CONNECT alone, and counts. */
class TunnelProxy {
  readonly asked: string[] = [];
  private readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  private readonly open = new Set<Deno.Conn>();
  private readonly done = this.serve();

  /** @param login What it wants to be told, in base64. */
  constructor(private readonly login?: string) {}

  get address(): string {
    return `127.0.0.1:${(this.listener.addr as Deno.NetAddr).port}`;
  }

  private async serve(): Promise<void> {
    const tunnels: Promise<void>[] = [];
    for await (const client of this.listener) tunnels.push(this.tunnel(client));
    await Promise.all(tunnels);
  }

  private async tunnel(client: Deno.Conn): Promise<void> {
    this.open.add(client);
    const buffer = new Uint8Array(4096);
    const head = new TextDecoder().decode(buffer.subarray(0, await client.read(buffer) ?? 0));
    this.asked.push(head.split("\r\n")[0]!);
    const answer = (line: string) => client.write(new TextEncoder().encode(`HTTP/1.1 ${line}\r\n\r\n`));
    if (this.login !== undefined && !head.includes(`Proxy-Authorization: Basic ${this.login}\r\n`)) {
      await answer("407 Proxy Authentication Required");
      return client.close();
    }
    const [, port] = /^CONNECT localhost:(\d+) HTTP\/1\.1\r\n/.exec(head)!;
    const server = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    this.open.add(server);
    await answer("200 Connection established");
    const both = [client.readable.pipeTo(server.writable), server.readable.pipeTo(client.writable)];
    await Promise.allSettled(both);
  }

  async close(): Promise<void> {
    this.listener.close();
    for (const each of this.open) {
      try {
        each.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
      }
    }
    await this.done;
  }
}

function certificateIn(folder: string): { certificate: string; key: string } {
  const [certificate, key] = [`${folder}/server.pem`, `${folder}/server.key`];
  run("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
  ]);
  return { certificate, key };
}

/** TLS before a server that has none, as a gateway does it. */
function withTls(endpoint: string, { certificate, key }: { certificate: string; key: string }) {
  const server = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert: Deno.readTextFileSync(certificate),
    key: Deno.readTextFileSync(key),
  });
  const to = { hostname: "127.0.0.1", port: Number(new URL(endpoint).port) };
  const serve = async () => {
    for await (const client of server) {
      const plain = await Deno.connect(to);
      void Promise.allSettled([
        client.readable.pipeTo(plain.writable),
        plain.readable.pipeTo(client.writable),
      ]);
    }
  };
  void serve();
  return { endpoint: `https://localhost:${(server.addr as Deno.NetAddr).port}`, close: () => server.close() };
}

/** The variables of this process for as long as a store is used: it reads them when it is opened. */
async function withVariables(
  variables: Readonly<Record<string, string>>,
  fn: () => Promise<void>,
): Promise<void> {
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  try {
    await fn();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

testWithPeers(
  "B13: versitygw and s3s-fs are used through the proxy of the environment, and directly where NO_PROXY says so",
  ["versitygw", "s3s-fs", "openssl"],
  () =>
    withTempDir(async (folder) => {
      const tls = certificateIn(folder);
      Deno.mkdirSync(`${folder}/versity`);
      Deno.mkdirSync(`${folder}/s3s`);
      const versity = await startVersitygw(`${folder}/versity`, tls);
      const s3s = await startS3sFs(`${folder}/s3s`);
      const gateway = withTls(s3s.endpoint, tls);
      const proxy = new TunnelProxy(btoa("me:secret"));
      const through = { HTTPS_PROXY: `http://me:secret@${proxy.address}`, NO_PROXY: "" };
      const use = async (server: S3Server, endpoint: string): Promise<string[]> => {
        const before = proxy.asked.length;
        const store = await server.open({ endpoint, caFile: tls.certificate });
        try {
          await Promise.all(["a", "b", "c"].map((key) => store.put(key, BYTES)));
          assert.deepEqual(await store.get("b", BYTES.length), BYTES);
          assert.equal((await Array.fromAsync(store.list(""))).length, 3);
        } finally {
          store.close();
        }
        return proxy.asked.slice(before);
      };
      try {
        for (const [server, endpoint] of [[versity, versity.endpoint], [s3s, gateway.endpoint]] as const) {
          await withVariables(through, async () => {
            const asked = await use(server, endpoint);
            assert.deepEqual([...new Set(asked)], [`CONNECT ${new URL(endpoint).host} HTTP/1.1`]);
            assert.ok(asked.length < 6, "connections are used again");
          });
          await withVariables({ ...through, NO_PROXY: "localhost" }, async () => {
            assert.deepEqual(await use(server, endpoint), []);
          });
        }
        await withVariables({ HTTPS_PROXY: `http://${proxy.address}`, NO_PROXY: "" }, async () => {
          await assert.rejects(use(versity, versity.endpoint), {
            code: "STORE_FAILED",
            message: /the proxy 127\.0\.0\.1:\d+ opens no connection to localhost:\d+: HTTP\/1\.1 407/,
            hint: /check HTTPS_PROXY, and the name and password in it/,
          });
        });
      } finally {
        await proxy.close();
        gateway.close();
        await versity.close();
        await s3s.close();
      }
    }),
);
