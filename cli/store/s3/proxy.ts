/**
 * Connections through the proxy that the environment names, as `HTTPS_PROXY` does: it is asked by CONNECT for a tunnel
 * to the server, and TLS goes through that. So the proxy sees the name of the server, and neither what is sent nor the
 * keys of requests.
 */
import { Buffer } from "node:buffer";
import type { ClientRequestArgs } from "node:http";
import { Agent, type AgentOptions } from "node:https";
import { connect as connectPlainly, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectByTls, type ConnectionOptions } from "node:tls";

export interface Proxy {
  readonly hostname: string;
  readonly port: number;
  /** `user:password`, as it is in the address. */
  readonly login: string | undefined;
}

/** The code of an error that says what the proxy did. */
export const PROXY_FAILED = "EPROXY";
/** A proxy answers with a few lines. */
const MAX_ANSWER_BYTES = 16 * 1024;
const HEAD_END = "\r\n\r\n";

type Connected = (error: Error | null, stream: Duplex) => void;

/** An agent whose connections lead through a proxy. */
export function agentThrough(proxy: Proxy, options: AgentOptions & { connectMs: number }): Agent {
  return new ProxyAgent(proxy, options);
}

class ProxyAgent extends Agent {
  constructor(
    private readonly proxy: Proxy,
    private readonly settings: AgentOptions & { connectMs: number },
  ) {
    super(settings);
  }

  /** Node takes the connection from `done`; that none is returned its types do not know. */
  override createConnection(options: ClientRequestArgs, done?: Connected): Duplex {
    const to = options as ConnectionOptions & { host: string; port: number | string };
    openTunnel(this.proxy, to, this.settings.connectMs).then(
      (socket) => {
        const servername = to.servername || to.host;
        const { ca } = this.settings;
        done!(null, connectByTls({ ...to, ...ca === undefined ? {} : { ca }, socket, servername }));
      },
      (error: Error) => done!(error, NO_CONNECTION),
    );
    return NO_CONNECTION;
  }
}

const NO_CONNECTION = undefined as unknown as Duplex;

/** A connection to the server that the proxy opened, before a byte of it was read. */
function openTunnel(
  { hostname, port, login }: Proxy,
  to: { host: string; port: number | string },
  connectMs: number,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectPlainly({ host: hostname, port });
    const at = `${to.host.includes(":") ? `[${to.host}]` : to.host}:${to.port}`;
    const fail = (what: string) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new ProxyFailure(`the proxy ${hostname}:${port} ${what}`));
    };
    const timer = setTimeout(() => fail("does not answer"), connectMs);
    let answer = Buffer.alloc(0);
    const onData = (bytes: Uint8Array) => {
      answer = Buffer.concat([answer, bytes]);
      const end = answer.indexOf(HEAD_END);
      if (end < 0 && answer.length < MAX_ANSWER_BYTES) return;
      const [line = ""] = answer.subarray(0, 200).toString("latin1").split("\r\n");
      // A server speaks only after its client, so nothing may follow.
      const isOpen = /^HTTP\/1\.[01] 2\d\d/.test(line) && end === answer.length - HEAD_END.length;
      if (!isOpen) return fail(`opens no connection to ${at}: ${line}`);
      clearTimeout(timer);
      socket.off("data", onData).off("error", onError).off("end", onEnd);
      socket.pause();
      resolve(socket);
    };
    const onError = ({ message }: Error) => fail(`cannot be reached: ${message}`);
    const onEnd = () => fail(`ended the connection to ${at}`);
    socket.on("data", onData).on("error", onError).on("end", onEnd);
    const authorization = login === undefined
      ? ""
      : `Proxy-Authorization: Basic ${Buffer.from(login).toString("base64")}\r\n`;
    socket.write(`CONNECT ${at} HTTP/1.1\r\nHost: ${at}\r\n${authorization}\r\n`);
  });
}

/** What a proxy did; the SDK hands it on as it is. */
class ProxyFailure extends Error {
  override readonly name = "ProxyFailure";
  readonly code = PROXY_FAILED;
}
