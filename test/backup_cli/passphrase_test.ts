/** Passphrases that are no text: another editor's encoding, another locale's. */
import assert from "node:assert/strict";
import { regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { RepositoryFolder } from "./repository_folder.ts";
import { PROGRAM } from "../helpers/program.ts";

/** `Käse` and `Köse` as Latin-1 has them. */
const CHEESE = Uint8Array.of(0x4b, 0xe4, 0x73, 0x65, 0x0a);
const ANOTHER = Uint8Array.of(0x4b, 0xf6, 0x73, 0x65, 0x0a);
const REFUSED = { code: "REPO_KEY", exit: 12 };

Deno.test("a passphrase that is not UTF-8 is refused, and an older repository opens as the hint says", () =>
  withTempDir((folder) => {
    const [file, other] = [`${folder}/it's mine`, `${folder}/other`];
    Deno.writeFileSync(file, CHEESE, { mode: 0o600 });
    Deno.writeFileSync(other, ANOTHER, { mode: 0o600 });
    const init = ["repo", "init", "--encrypt", "--repo", `${folder}/repo`];
    for (const flags of [["--passphrase-file", file], ["--passphrase-command", `cat '${other}'`]]) {
      const { message } = regrainRefuses(REFUSED, [...init, ...flags]);
      assert.match(message, /not UTF-8/);
    }
    assert.throws(() => Deno.statSync(`${folder}/repo`), Deno.errors.NotFound);
    // As an earlier version understood both.
    const old = RepositoryFolder.create(folder, "repo", {
      env: { REGRAIN_PASSPHRASE: "K\ufffdse" },
      flags: ["--encrypt"],
    });
    const { hint = "" } = regrainRefuses(REFUSED, [
      ...["snapshots", "--repo", old.path, "--passphrase-file", file],
    ]);
    const [, command] = /--passphrase-command (.+), and then/.exec(hint)!;
    const script = 'exec "$0" run -A --no-prompt "$1" snapshots --repo "$2" --passphrase-command ' + command;
    const { code, stderr } = new Deno.Command("/bin/sh", {
      args: ["-c", script, Deno.execPath(), PROGRAM, old.path],
      env: { XDG_STATE_HOME: `${folder}/state`, NO_COLOR: "1" },
    }).outputSync();
    assert.equal(code, 0, `${command}\n${new TextDecoder().decode(stderr)}`);
  }));

Deno.test("a variable that is not UTF-8 is named, and is no bug", () => {
  for (const name of ["REGRAIN_PASSPHRASE", "REGRAIN_REPO"]) {
    const { code, stderr } = new Deno.Command("/bin/sh", {
      args: [
        "-c",
        `${name}=$(printf 'K\\344se'); export ${name}; exec "$0" run -A "$1" snapshots`,
        Deno.execPath(),
        PROGRAM,
      ],
      env: { NO_COLOR: "1" },
    }).outputSync();
    const told = new TextDecoder().decode(stderr);
    assert.equal(code, 2, told);
    assert.match(told, new RegExp(`the variable ${name} is not UTF-8 text .*USAGE`));
  }
});
