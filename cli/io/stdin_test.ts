import assert from "node:assert/strict";

const ENTRY = new URL("./mod.ts", import.meta.url).href;

/** Waits a minute for its standard input, and says what came of it. */
const WAITER = `
  import { pickIo } from ${JSON.stringify(ENTRY)};
  Deno.addSignalListener("SIGUSR2", () => {});
  const io = pickIo("linux");
  console.log("waiting");
  console.log(String(io.stdinIsReady(60_000)));
  Deno.exit(0);
`;

Deno.test({
  name: "D12: a signal that comes while standard input is waited for does not make it ready",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--ext=ts",
        `data:application/typescript,${encodeURIComponent(WAITER)}`,
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await output.read()).value, "waiting\n");
    const asked = setInterval(() => child.kill("SIGUSR2"), 200);
    assert.equal((await output.read()).value, "false\n");
    clearInterval(asked);
    assert.equal((await child.status).code, 0);
    await output.cancel();
    await child.stdin.close();
  },
});
