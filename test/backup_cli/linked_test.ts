/** A repository of which a part was moved away, with a link in its place. */
import assert from "node:assert/strict";
import { FolderStore } from "../../cli/store/folder/store.ts";
import { withTempDir } from "../helpers/peers.ts";
import { RepositoryFolder } from "./repository_folder.ts";

/** Moves a part of the repository elsewhere, and leaves a link. */
function linkAway(repository: RepositoryFolder, part: string, elsewhere: string): void {
  Deno.renameSync(`${repository.path}/${part}`, elsewhere);
  Deno.symlinkSync(elsewhere, `${repository.path}/${part}`);
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [name]
  );
}

Deno.test("B23: chunks in a folder that is a link are counted, verified and freed", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("ab");
    linkAway(repository, "chunks", `${folder}/large`);
    const id = repository.backUp("cd");
    const [shard] = [...Deno.readDirSync(`${folder}/large`)].map(({ name }) => name);
    linkAway(repository, `chunks/${shard}`, `${folder}/larger`);
    assert.equal(repository.json(["verify"]).at(-1)!.damaged, 0);
    assert.equal(repository.json(["repo", "check"]).at(-1)!.findings, 0);
    const before = filesBelow(`${folder}/large`).length + filesBelow(`${folder}/larger`).length;
    repository.run(["prune", "--keep-last", "1"]);
    assert.equal(repository.json(["gc"]).at(-1)!.removedObjects, 3, "two chunks and a page");
    const after = filesBelow(`${folder}/large`).length + filesBelow(`${folder}/larger`).length;
    assert.equal(before - after, 2);
    repository.assertHolds(id, "cd");
  });
});

Deno.test("B23: a link that leads nowhere, or back, ends a listing: nothing behind it is taken for gone", async () => {
  await withTempDir(async (folder) => {
    const repository = RepositoryFolder.create(folder);
    const id = repository.backUp("ab");
    linkAway(repository, "chunks", `${folder}/large`);
    Deno.renameSync(`${folder}/large`, `${folder}/not-mounted`);
    for (const args of [["gc"], ["verify"], ["repo", "check"]]) {
      const { message } = repository.refuses({ code: "STORE_FAILED", exit: 7 }, args);
      assert.match(message, /chunks: is a link that leads nowhere/);
    }
    Deno.renameSync(`${folder}/not-mounted`, `${folder}/large`);
    repository.assertHolds(id, "ab");
    for (const [target, key] of [["..", "snaps/up"], [".", "maps/here"]]) {
      Deno.symlinkSync(target!, `${repository.path}/${key}`);
      const listing = Array.fromAsync(new FolderStore(repository.path).list(""));
      const message = new RegExp(`${key}: is a link to a folder above it`);
      await assert.rejects(listing, { code: "STORE_FAILED", message });
      Deno.removeSync(`${repository.path}/${key}`);
    }
    repository.run(["gc"]);
  });
});
