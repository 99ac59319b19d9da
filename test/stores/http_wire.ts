/**
 * HTTP/1.1 by hand, for a server that misbehaves on purpose: it can stop anywhere, which real servers' libraries
 * take care not to.
 */

export interface WireRequest {
  readonly method: string;
  /** As sent, still encoded. */
  readonly path: string;
  readonly query: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Bytes of the body that are sent before the connection is cut; all by default. */
  readonly cutAfter?: number;
}

/** `cut` ends the connection without a word, `stall` keeps it open without a word. */
export type Handling = WireAnswer | "cut" | "stall";

export interface WireServer {
  readonly port: number;
  /** Since it began to listen. */
  readonly connectionsMade: number;
  close(): Promise<void>;
}

/** What the handler sees before the body is read. */
export type WireHead = Omit<WireRequest, "body">;

/** Takes a request by its head: `cut` ends the connection in the middle of the request's body. */
export type Begin = (head: WireHead) => "cut" | ((request: WireRequest) => Handling);

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("latin1");
const READ_BYTES = 256 * 1024;

export function serveWire(begin: Begin): WireServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  const served: Promise<void>[] = [];
  let connectionsMade = 0;
  const accepting = (async () => {
    for await (const connection of listener) {
      connectionsMade++;
      connection.setNoDelay();
      open.add(connection);
      served.push(
        serveConnection(connection, begin).catch(ignoreBroken).finally(() => {
          open.delete(connection);
          closeOnce(connection);
        }),
      );
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    get connectionsMade() {
      return connectionsMade;
    },
    async close() {
      listener.close();
      await accepting;
      open.forEach(closeOnce);
      await Promise.all(served);
    },
  };
}

async function serveConnection(connection: Deno.Conn, begin: Begin): Promise<void> {
  const reader = new Reader(connection);
  for (let head = await reader.head(); head !== undefined; head = await reader.head()) {
    const length = Number(head.headers.get("content-length") ?? 0);
    const handle = begin(head);
    if (handle === "cut") {
      await reader.take(Math.floor(length / 2));
      return;
    }
    const answer = handle({ ...head, body: await reader.take(length) });
    if (answer === "cut") return;
    if (answer === "stall") {
      await reader.untilClosed();
      return;
    }
    await send(connection, { answer, hasBody: head.method !== "HEAD" });
    if (answer.cutAfter !== undefined) return;
  }
}

async function send(
  connection: Deno.Conn,
  { answer: { status, headers, body, cutAfter }, hasBody }: { answer: WireAnswer; hasBody: boolean },
): Promise<void> {
  const named = { "content-length": String(body.length), ...headers };
  const lines = Object.entries(named).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  await writeAll(connection, ENCODER.encode(`HTTP/1.1 ${status} .\r\n${lines}\r\n`));
  if (hasBody) await writeAll(connection, body.subarray(0, cutAfter ?? body.length));
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
}

class Reader {
  private pending = new Uint8Array(0);

  constructor(private readonly connection: Deno.Conn) {}

  /** @returns `undefined` when the other side has ended. */
  async head(): Promise<WireHead | undefined> {
    for (;;) {
      const text = DECODER.decode(this.pending.subarray(0, READ_BYTES));
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.pending = this.pending.subarray(end + 4);
        return parseHead(text.slice(0, end));
      }
      if (!await this.more()) return undefined;
    }
  }

  async take(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const taken = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const part = this.pending.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      this.pending = this.pending.subarray(part.length);
      if (filled < length && !await this.more()) throw new Deno.errors.UnexpectedEof("a request ended early");
    }
    return taken;
  }

  async untilClosed(): Promise<void> {
    while (await this.more()) this.pending = new Uint8Array(0);
  }

  private async more(): Promise<boolean> {
    const buffer = new Uint8Array(READ_BYTES);
    const read = await this.connection.read(buffer);
    if (read === null) return false;
    const joined = new Uint8Array(this.pending.length + read);
    joined.set(this.pending);
    joined.set(buffer.subarray(0, read), this.pending.length);
    this.pending = joined;
    return true;
  }
}

function parseHead(text: string): WireHead {
  const [first, ...lines] = text.split("\r\n");
  const [method, target] = first!.split(" ");
  const [path, query] = target!.split("?");
  const headers = new Map(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  return { method: method!, path: path!, query: query ?? "", headers };
}

function closeOnce(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** The other side may go whenever it likes. */
function ignoreBroken(error: unknown): void {
  const kinds = [Deno.errors.UnexpectedEof, Deno.errors.ConnectionReset, Deno.errors.BrokenPipe];
  if (kinds.some((kind) => error instanceof kind)) return;
  if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
  throw error;
}
