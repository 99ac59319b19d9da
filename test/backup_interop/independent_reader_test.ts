/** docs/repository-format.md is precise enough: a reader that was written from it restores what the program stored. */
import assert from "node:assert/strict";
import { MIB } from "../../core-as/host/units.ts";
import { fullDisk } from "../../fixtures/mod.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { regrainExits } from "../helpers/cli.ts";
import { filesBelow } from "../backup_faults/repositories.ts";
import { withBackups } from "./backups.ts";
import { IndependentReader } from "./independent_reader.ts";

/** Zeros, equal chunks, and a last chunk that is short. */
function diskOfAll(): Uint8Array<ArrayBuffer> {
  const disk = fullDisk({ seed: 44, capacitySectors: 5 * 2048 + 77 });
  disk.fill(0, MIB, 2 * MIB);
  disk.copyWithin(3 * MIB, 0, MIB);
  return disk as Uint8Array<ArrayBuffer>;
}

for (const encrypt of [false, true]) {
  const kind = encrypt ? "encrypted, and has a second key" : "plain";
  Deno.test(`a reader written from docs/repository-format.md restores from a repository that is ${kind}`, () =>
    withBackups((backups, folder) => {
      const disk = diskOfAll();
      Deno.writeFileSync(`${folder}/disk`, disk);
      backups.backup(`${folder}/disk`);
      if (encrypt) {
        const env = { REGRAIN_PASSPHRASE: "correct horse" };
        regrainExits(0, ["repo", "key", "rotate", "--keep-passphrase", "--repo", backups.repo], { env });
      }
      disk.fill(7, 4 * MIB, 4 * MIB + 512);
      Deno.writeFileSync(`${folder}/disk`, disk);
      backups.backup(`${folder}/disk`);
      const reader = new IndependentReader(backups.repo, encrypt ? "correct horse" : undefined);
      assert.ok(sameBytes(reader.restore("vm/disk"), disk));
      // All of them: which one a disk needs that was written to since, their names do not tell.
      for (const chunk of filesBelow(`${backups.repo}/chunks`)) {
        Deno.renameSync(chunk, chunk.replace(/\.(zst|enc)$/, ".3.$1"));
      }
      if (!encrypt) {
        assert.ok(sameBytes(reader.restore("vm/disk"), disk), "another generation serves as well");
      } else assert.throws(() => reader.restore("vm/disk"), /does not open/, "encrypted for another name");
    }, { encrypt }));
}
