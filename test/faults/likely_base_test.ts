/** A raw target whose content says that it is another disk. */
import assert from "node:assert/strict";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { SITUATIONS } from "../helpers/situations.ts";

Deno.test("C1: apply refuses a raw disk that is likely another one, and takes it by --force with a warning", () =>
  withTempDir((cwd) => {
    const { make, typed } = SITUATIONS.find(({ name }) => /another disk's partition table/.test(name))!;
    for (const [name, bytes] of Object.entries(make())) Deno.writeFileSync(`${cwd}/${name}`, bytes);
    const before = Deno.readFileSync(`${cwd}/copy.img`);
    const { message, hint } = regrainRefuses({ code: "WRONG_BASE", exit: 5 }, ["apply", ...typed], { cwd });
    assert.match(
      message,
      /^copy\.img: mismatch likely, checked by content: disk signature of the MBR: 11112222/,
    );
    assert.match(hint!, /--force/);
    assert.deepEqual(Deno.readFileSync(`${cwd}/copy.img`), before);
    const { stderr } = regrainExits(0, ["apply", "--force", ...typed], { cwd });
    assert.match(stderr, /taken by --force: checked by content: disk signature/);
    // Applied, the target has what the delta has: applying it again is as it was.
    regrainExits(0, ["apply", ...typed], { cwd });
    // Nothing is there that could speak against a target which is made.
    regrainExits(0, ["apply", "--create", typed[0]!, "new.img"], { cwd });
  }));
