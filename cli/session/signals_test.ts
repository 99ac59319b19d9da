import assert from "node:assert/strict";
import { Signals } from "./signals.ts";

/** Work that never turns the event loop itself; when it is stopped it gets stuck. */
const WORK = `
  import { Signals } from ${JSON.stringify(new URL("./signals.ts", import.meta.url).href)};
  const say = (line) => Deno.stdout.writeSync(new TextEncoder().encode(line + "\\n"));
  using signals = new Signals({ onStop: (signal) => say(signal), onStatus: () => say("status") });
  await signals.safePoint();
  say("working");
  for (;;) {
    const stop = await signals.safePoint();
    if (!stop) continue;
    say(stop.code + " " + stop.exit + " " + await signals.safePoint());
    for (;;);
  }
`;

/** Sends signals, each when the line before it was read, and returns the lines with how the process ended. */
async function play(
  steps: readonly { readonly line: string; readonly send?: Deno.Signal }[],
): Promise<Deno.CommandStatus> {
  const folder = await Deno.makeTempDir({ prefix: "regrain_test_" });
  try {
    await Deno.writeTextFile(`${folder}/work.mjs`, WORK);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", `${folder}/work.mjs`],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (const { line, send } of steps) {
      while (!text.includes("\n")) {
        const { value, done } = await reader.read();
        assert.ok(!done, `ended before ${line}`);
        text += value;
      }
      const end = text.indexOf("\n");
      assert.equal(text.slice(0, end), line);
      text = text.slice(end + 1);
      if (send) child.kill(send);
    }
    await reader.cancel();
    return await child.status;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function testOnUnix(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os === "windows", fn });
}

testOnUnix(
  "the first signal is told and ends the work once; the second kills, whatever the work does",
  async () => {
    const { code, signal } = await play([
      { line: "working", send: "SIGINT" },
      { line: "SIGINT" },
      { line: "INTERRUPTED 130 undefined", send: "SIGINT" },
    ]);
    assert.equal(signal, "SIGINT");
    assert.equal(code, 130);
  },
);

testOnUnix("a SIGTERM after a SIGINT kills too", async () => {
  const { code, signal } = await play([
    { line: "working", send: "SIGINT" },
    { line: "SIGINT" },
    { line: "INTERRUPTED 130 undefined", send: "SIGTERM" },
  ]);
  assert.equal(signal, "SIGTERM");
  assert.equal(code, 143);
});

testOnUnix("asking how far it came stops nothing", async () => {
  await play([
    { line: "working", send: "SIGUSR2" },
    { line: "status", send: "SIGUSR1" },
    { line: "status", send: "SIGTERM" },
    { line: "SIGTERM" },
    { line: "TERMINATED 143 undefined", send: "SIGTERM" },
  ]);
});

Deno.test("between two turns of the event loop a safe point answers at once", async () => {
  using signals = new Signals({ onStop: () => {}, onStatus: () => {} });
  assert.ok(signals.safePoint() instanceof Promise);
  await signals.safePoint();
  assert.equal(signals.safePoint(), undefined);
});
