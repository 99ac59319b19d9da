/** `regrain inspect` as a process, and requests that are sent as they are written. */
import assert from "node:assert/strict";
import { type CallOptions, regrainCommand } from "./cli.ts";

/** A server that runs. */
export interface Inspector {
  /** Where the page is, with the slash at its end; only who has the cookie gets it. */
  readonly url: string;
  /** What lets in once, if it was printed; it was used for the cookie. */
  readonly address: string | undefined;
  /** As the browser that was let in sends it. */
  readonly cookie: string;
  readonly port: number;
  readonly pid: number;
  /** The first line that it printed. */
  readonly line: string;
  /** What it wrote to stderr so far. */
  stderr(): string;
  /** Waits until it ends by itself; its exit status. */
  ended(): Promise<number>;
  /** Sends a signal, and waits for the end. */
  stop(signal?: Deno.Signal): Promise<number>;
}

const ADDRESS = /(http:\/\/127\.0\.0\.1:(\d+)\/[\w-]{43}\/)([\w-]*)/;

/** Starts it, waits until it listens, and ends it whatever happens. */
export async function withInspector(
  args: readonly string[],
  options: CallOptions,
  fn: (inspector: Inspector) => void | Promise<void>,
): Promise<void> {
  const command = regrainCommand(["inspect", ...args], { ...options, stdout: "piped", stderr: "piped" });
  await withServer(command, fn);
}

const sessions = new Map<string, string>();

/** Fetches as the browser would that was let in by the server at that address. */
export function fetchLetIn(url: string, init: RequestInit = {}): Promise<Response> {
  const cookie = sessions.get(new URL(url).origin);
  const headers = { ...init.headers as Record<string, string> | undefined, ...cookie && { cookie } };
  return fetch(url, { ...init, headers });
}

/** Uses a one-time address, and returns the cookie that it lets in by. */
export async function letIn(address: string): Promise<string> {
  const answer = await fetch(address);
  await answer.body?.cancel();
  assert.equal(answer.status, 200, address);
  const [cookie] = answer.headers.getSetCookie()[0]!.split(";");
  sessions.set(new URL(address).origin, cookie!);
  return cookie!;
}

/** The same of any command that prints such an address. */
export async function withServer(
  command: Deno.Command,
  fn: (inspector: Inspector) => void | Promise<void>,
): Promise<void> {
  const child = command.spawn();
  let stderr = "";
  const drained = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) stderr += text;
  })();
  const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let line = "";
    while (!line.includes("\n")) {
      const { value, done } = await stdout.read();
      if (done) await drained;
      assert.ok(!done, `it ended before it listened: ${stderr}`);
      line += value;
    }
    const [address, url, port, token] = ADDRESS.exec(line) ?? assert.fail(line);
    const cookie = token === "" ? "" : await letIn(address);
    await fn({
      url: url!,
      address: token === "" ? undefined : address,
      cookie,
      port: Number(port),
      pid: child.pid,
      line,
      stderr: () => stderr,
      ended: async () => (await child.status).code,
      stop: async (signal = "SIGINT") => {
        child.kill(signal);
        return (await child.status).code;
      },
    });
  } finally {
    killIfRunning(child);
    await child.status;
    await stdout.cancel();
    await drained;
  }
}

function killIfRunning(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It has ended already.
    if (!(error instanceof TypeError)) throw error;
  }
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Requests of one connection, one after the other; paths and headers go out as they are, tidied by nobody. */
export async function askRaw(
  port: number,
  requests: readonly { line: string; headers: readonly string[] }[],
): Promise<RawAnswer[]> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const reader = new LineReader(connection);
  const answers: RawAnswer[] = [];
  for (const { line, headers } of requests) {
    await writeAll(connection, [line, ...headers, "", ""].join("\r\n"));
    answers.push(await readAnswer(reader, line.startsWith("HEAD ")));
  }
  return answers;
}

async function writeAll(connection: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

async function readAnswer(reader: LineReader, isHead: boolean): Promise<RawAnswer> {
  const status = Number((await reader.line()).split(" ")[1]);
  const headers = new Headers();
  for (let line = await reader.line(); line !== ""; line = await reader.line()) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const length = isHead ? 0 : Number(headers.get("content-length"));
  return { status, headers, body: await reader.bytes(length) };
}

/** Text of a connection, one char a byte. */
class LineReader {
  private text = "";
  constructor(private readonly connection: Deno.Conn) {}

  async line(): Promise<string> {
    while (!this.text.includes("\r\n")) await this.more();
    const end = this.text.indexOf("\r\n");
    return this.take(end, 2);
  }

  async bytes(count: number): Promise<string> {
    while (this.text.length < count) await this.more();
    return this.take(count, 0);
  }

  private take(count: number, skip: number): string {
    const taken = this.text.slice(0, count);
    this.text = this.text.slice(count + skip);
    return taken;
  }

  private async more(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.connection.read(buffer);
    if (count === null) throw new Error("the connection was closed");
    this.text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
  }
}
