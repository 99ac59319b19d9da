/** A source that is written to while it is backed up: no snapshot comes of it. */
import assert from "node:assert/strict";
import { backUpAndTell } from "../../cli/commands/backup.ts";
import { openOrigin } from "../../cli/commands/backup_origin.ts";
import { openRepository } from "../../cli/commands/repo_session.ts";
import { startSession } from "../../cli/commands/session.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

Deno.test("A20: a disk that is written to while it is backed up becomes no snapshot, unless by force", () =>
  withTempDir(async (folder) => {
    const image = `${folder}/vm.img`;
    regrainExits(0, ["repo", "init", "--repo", `${folder}/repo`]);
    Deno.writeFileSync(image, new Uint8Array(1024 * 1024).fill(7));
    for (const force of [false, true]) {
      Deno.utimeSync(image, 1e9, 1e9);
      const flags = { repo: `${folder}/repo`, name: "vm/disk", force, quiet: true };
      const session = startSession(flags);
      const repository = await openRepository(flags);
      try {
        using origin = await openOrigin(image, { flags, session, repository });
        Deno.utimeSync(image, 1e9, 1e9 + 1);
        const watch = { phase: () => {}, learn: () => {} };
        const work = { origin, flags, console: session.console, watch };
        const done = backUpAndTell(repository, work);
        if (force) await done;
        else await assert.rejects(done, { code: "INPUT_CHANGED", path: image });
      } finally {
        repository.close();
      }
      const restore = ["restore", "vm/disk@latest", `${folder}/out.img`, "--repo", flags.repo];
      if (force) regrainExits(0, restore);
      else regrainRefuses({ code: "SNAPSHOT_MISSING", exit: 4 }, restore);
    }
  }));
