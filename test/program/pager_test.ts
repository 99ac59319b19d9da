/** Help on a terminal: through a pager when it is longer than the screen, unless the user wants none. */
import assert from "node:assert/strict";
import { regrainExits } from "../helpers/cli.ts";
import { testWithPeers } from "../helpers/peers.ts";
import { PROGRAM } from "../helpers/program.ts";

/** What a terminal of 24 lines shows. */
function onTerminal(line: string, env: Readonly<Record<string, string>>): string {
  const command = `stty rows 24 cols 80; '${Deno.execPath()}' run -A --no-prompt '${PROGRAM}' ${line}`;
  const { stdout } = new Deno.Command("script", {
    args: ["--quiet", "--return", "--command", command, "/dev/null"],
    env: { NO_COLOR: "1", TERM: "dumb", ...env },
    stdin: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout)
    // deno-lint-ignore no-control-regex
    .replaceAll(/\r|\x1b\[\d*[A-Z]/g, "");
}

testWithPeers(
  "help that is longer than the screen goes through the pager that the user names",
  ["script"],
  () => {
    const marked = onTerminal("apply --help", { PAGER: "sed 's/^/paged: /'" });
    assert.match(marked, /^paged: Usage: regrain apply/m);
    assert.match(
      onTerminal("apply --help", { PAGER: "cat", REGRAIN_PAGER: "sed 's/^/ours: /'" }),
      /^ours: Usage/m,
    );
  },
);

testWithPeers("no pager for what fits, where none is wanted, or where there is none", ["script"], () => {
  const PAGER = "sed 's/^/paged: /'";
  assert.match(onTerminal("apply -h", { PAGER }), /^Usage: regrain apply/m);
  assert.match(onTerminal("apply --help", { PAGER, REGRAIN_PAGER: "" }), /^Usage: regrain apply/m);
  const absent = onTerminal("apply --help", { PAGER: "no-such-pager 2>/dev/null" });
  assert.match(absent, /^Usage: regrain apply/m);
});

Deno.test("no pager where nobody looks", () => {
  const { stdout } = regrainExits(0, ["apply", "--help"], { env: { PAGER: "sed 's/^/paged: /'" } });
  assert.match(stdout, /^Usage: regrain apply/);
});
