/** A result that cannot be written, or that nobody reads: the exit status tells the truth all the same. */
import assert from "node:assert/strict";
import { withTempDir } from "../helpers/peers.ts";

const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;

/** Runs a line of the shell, in which `regrain` is the program and its status the one of the line. */
function inShell(line: string, cwd: string): { code: number; stderr: string } {
  const { code, stderr } = new Deno.Command("bash", {
    args: [
      "-c",
      `set -o pipefail; regrain() { "$0" run -A --no-prompt "$1" "\${@:2}"; }; ${line}`,
      Deno.execPath(),
    ],
    env: { NO_COLOR: "1" },
    cwd,
    stdin: "null",
  }).outputSync();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("help and the version say that there is no space for them, in one sentence", async () => {
  await withTempDir((folder) => {
    for (const words of ["--help", "--version", "apply --help", "help restore", "gc -h", "--version -v"]) {
      const { code, stderr } = inShell(`regrain "${MAIN}" ${words} > /dev/full`, folder);
      assert.equal(code, 6, stderr);
      assert.match(stderr, /^error: there is no space left behind standard output \[NO_SPACE\]\n$/);
    }
  });
});

Deno.test("what is found has its exit status where the reader of the result has left", async () => {
  await withTempDir((folder) => {
    Deno.writeFileSync(`${folder}/a.img`, new Uint8Array(65_536));
    Deno.writeFileSync(`${folder}/b.img`, new Uint8Array(65_536).fill(1));
    Deno.writeTextFileSync(`${folder}/cut.vmdk`, "KDMV");
    // The status of the program is written behind it: that of a pipe may be the reader's.
    const statusOf = (words: string) => {
      inShell(`{ regrain "${MAIN}" ${words}; echo $? > status; } | true`, folder);
      return Deno.readTextFileSync(`${folder}/status`).trim();
    };
    assert.equal(statusOf("compare a.img b.img"), "1");
    assert.equal(statusOf("compare --json a.img b.img"), "1");
    assert.equal(statusOf("compare a.img a.img"), "0");
    assert.equal(statusOf("check cut.vmdk"), "4");
    assert.equal(statusOf("map a.img"), "0");
  });
});
