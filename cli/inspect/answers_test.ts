import assert from "node:assert/strict";
import { pickIo } from "../io/mod.ts";
import { AnswersUnderWay } from "./answers.ts";
import { Entry } from "./entry.ts";
import { Routes } from "./routes.ts";
import { ServedFiles } from "./served_files.ts";
import { startServer } from "./server.ts";

const LIMITS = { most: 2, mostOpen: 3, stalledMs: 60_000 };
const MIB = 1024 * 1024;

/** Time that passes when it is told to. */
class Clock {
  readonly waiting = new Set<() => void>();

  after = (_ms: number, work: () => void): () => void => {
    this.waiting.add(work);
    return () => this.waiting.delete(work);
  };

  pass(): void {
    for (const work of [...this.waiting]) {
      this.waiting.delete(work);
      work();
    }
  }
}

/** An answer of many pieces, and whether its file is closed. */
function answerOf(bytes = MIB): { answer: Response; isClosed: () => boolean } {
  let isClosed = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1024)),
    cancel: () => {
      isClosed = true;
    },
  }, { highWaterMark: 0 });
  const answer = new Response(body, { status: 206, headers: { "content-length": String(bytes) } });
  return { answer, isClosed: () => isClosed };
}

const { promise: NEVER } = Promise.withResolvers<void>();

Deno.test("E11: a reader that takes nothing until the deadline is given up, one that reads is not", async () => {
  const clock = new Clock();
  const answers = new AnswersUnderWay(LIMITS, clock.after);
  const [stalled, never, read] = [answerOf(), answerOf(), answerOf()];
  const taken = answers.bound(stalled.answer, NEVER).body!.getReader();
  await taken.read();
  const untouched = answers.bound(never.answer, NEVER).body!.getReader();
  assert.equal(answers.bound(answerOf().answer, NEVER).status, 503);
  clock.pass();
  assert.deepEqual([stalled.isClosed(), never.isClosed()], [true, true]);
  await assert.rejects(() => taken.read(), /took nothing/);
  await assert.rejects(() => untouched.read(), /took nothing/);
  // Their connections are open still: one more is the bound.
  const reader = answers.bound(read.answer, NEVER).body!.getReader();
  for (let i = 0; i < 5; i++) assert.equal((await reader.read()).value!.length, 1024);
  assert.equal(clock.waiting.size, 1, "the deadline begins anew with each piece");
  assert.equal(read.isClosed(), false);
  const refused = answerOf();
  const answer = answers.bound(refused.answer, NEVER);
  assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "1"]);
  assert.match(await answer.text(), /too many answers/);
  assert.ok(refused.isClosed());
});

Deno.test("E11: what was sent makes room, and what is small is not counted", async () => {
  const clock = new Clock();
  const answers = new AnswersUnderWay(LIMITS, clock.after);
  const { promise, resolve } = Promise.withResolvers<void>();
  const broken = Promise.reject(new Error("the connection ended"));
  const [first, second] = [answerOf(), answerOf()];
  answers.bound(first.answer, promise);
  answers.bound(second.answer, broken);
  await broken.catch(() => {});
  assert.equal(answers.bound(answerOf().answer, NEVER).status, 206);
  assert.equal(answers.bound(answerOf().answer, NEVER).status, 503);
  const small = answerOf(100).answer;
  assert.equal(answers.bound(small, NEVER), small);
  const head = new Response(null, { headers: { "content-length": String(MIB) } });
  assert.equal(answers.bound(head, NEVER), head);
  resolve();
  await promise;
  assert.equal(answers.bound(answerOf().answer, NEVER).status, 206);
});

/** Answers everybody with an answer that is made anew. */
class Anything extends Routes {
  constructor(private readonly make: () => Response) {
    super("", new Entry(), new ServedFiles(pickIo("portable"), []));
  }

  override answer(): Promise<Response> {
    return Promise.resolve(this.make());
  }
}

/** Turns of 10 ms that this process had, and not time that went by. */
const MOST_TURNS = 6000;

// The server runs until the process ends.
const ENDLESS = { sanitizeOps: false, sanitizeResources: false };

Deno.test(
  "E11: sockets that never read are given up, and their files closed, while they are open",
  ENDLESS,
  async () => {
    const made: ReturnType<typeof answerOf>[] = [];
    const routes = new Anything(() => {
      made.push(answerOf(1024 * MIB));
      return made.at(-1)!.answer;
    });
    const bugs: unknown[] = [];
    const origin = await startServer(routes, {
      port: 0,
      onBug: (error) => bugs.push(error),
      onReused: () => {},
      limits: { most: 4, mostOpen: 16, stalledMs: 20 },
    });
    const sockets: Deno.TcpConn[] = [];
    for (let i = 0; i < 8; i++) {
      const socket = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(origin).port) });
      await socket.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"));
      sockets.push(socket);
    }
    // Some are refused, and the rest stall; in the end no file is open.
    for (let turn = 0; made.length < 8 || !made.every(({ isClosed }) => isClosed()); turn++) {
      assert.ok(
        turn < MOST_TURNS,
        `${made.filter(({ isClosed }) => !isClosed()).length} files are open still`,
      );
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (const socket of sockets) socket.close();
    assert.deepEqual(bugs, [], "a reader who stalls is no bug");
  },
);
