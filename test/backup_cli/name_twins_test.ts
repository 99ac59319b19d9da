/** Names of disks that look alike, and copies that heal what they are copies of. */
import assert from "node:assert/strict";
import { regrainExits } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { RepositoryFolder } from "./repository_folder.ts";

Deno.test("B20: a name that differs from another disk's in its normal form alone is refused", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const [composed, decomposed] = ["caf\u00e9/disk", "cafe\u0301/disk"];
    repository.backUp("ab", [], composed);
    const args = ["backup", `${folder}/image`, "--name", decomposed];
    const { message, hint } = repository.refuses({ code: "USAGE", exit: 2 }, args);
    assert.match(message, /composed \(NFC\) form/);
    assert.ok(hint!.includes(String.raw`printf 'caf\303\251/disk'`), hint);
    repository.backUp("ab", [], composed);
    assert.equal(repository.keys("snaps/").length, 2);
  });
});

Deno.test("B20: repo copy back heals a chunk that verify found damaged", async () => {
  await withTempDir((folder) => {
    const first = RepositoryFolder.create(folder, "first");
    const id = first.backUp("ab");
    const second = RepositoryFolder.create(folder, "second");
    const copy = (from: RepositoryFolder, to: RepositoryFolder) =>
      regrainExits(0, ["repo", "copy", "--repo", from.path, "--to", to.path, "--progress", "none"]);
    copy(first, second);
    first.flip(first.keys("chunks/")[0]!);
    first.run(["verify", "--deep"], 1);
    copy(second, first);
    first.run(["verify"]);
    first.run(["verify", "--deep"]);
    first.assertHolds(id, "ab");
  });
});
