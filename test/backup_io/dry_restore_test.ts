/** `restore --dry-run`: what would be written is said, what would be refused is refused, and nothing is written. */
import assert from "node:assert/strict";
import { withTempDir } from "../helpers/peers.ts";
import { DISK, diskOf, RepositoryFolder } from "../backup_cli/repository_folder.ts";

const UNSUITABLE = { code: "TARGET_UNSUITABLE", exit: 2 };

/** Every name below the folder but those of the repository, with what is in the files. */
function stateOf(folder: string): Map<string, string> {
  const state = new Map<string, string>();
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    if (name === "repo") continue;
    const path = `${folder}/${name}`;
    state.set(path, isFile ? Deno.readFileSync(path).toBase64() : [...stateOf(path).keys()].join());
  }
  return state;
}

Deno.test("restore --dry-run says what would be made or overwritten, refuses as a restore, and writes nothing", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const id = repository.backUp("a.b");
    Deno.writeFileSync(`${folder}/there.img`, diskOf("xyz"));
    Deno.writeFileSync(`${folder}/short.img`, diskOf("x"));
    const before = stateOf(folder);
    const dry = ["restore", "--dry-run", DISK];
    const [made] = repository.json([...dry, `${folder}/new.img`]);
    assert.deepEqual([made!.status, made!.id, made!.target, made!.isInPlace, made!.dataBytes], [
      "dry-run",
      id,
      `${folder}/new.img`,
      false,
      2 * 1024 * 1024,
    ]);
    assert.match(
      repository.run([...dry, `${folder}/new.img`]).stdout,
      /new\.img would be made: web01\/disk-0@/,
    );
    const changed = repository.run([...dry, `${folder}/there.img`, "--delta", "--undo", `${folder}/undo`]);
    assert.match(changed.stdout, /there\.img would be overwritten with web01/);
    repository.refuses(UNSUITABLE, [...dry, `${folder}/there.img`]);
    repository.refuses({ code: "SIZE_MISMATCH", exit: 5 }, [...dry, "--delta", `${folder}/short.img`]);
    repository.refuses({ code: "TARGET_MISSING", exit: 2 }, [...dry, `${folder}/none/new.img`]);
    repository.refuses({ code: "USAGE", exit: 2 }, [...dry, `${folder}/new.vmdk`]);
    repository.refuses({ code: "USAGE", exit: 2 }, [...dry, "-"]);
    repository.refuses({ code: "USAGE", exit: 2 }, [...dry, "null:"]);
    assert.deepEqual(stateOf(folder), before);
    // What it said is what a restore does.
    repository.run(["restore", DISK, `${folder}/new.img`, "--progress", "none"]);
  }));

Deno.test("restore --dry-run of a VM makes no folder, and looks at the files that are there", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    for (const name of ["a", "b"]) Deno.writeFileSync(`${folder}/${name}.img`, diskOf(name));
    Deno.writeTextFileSync(`${folder}/web01.vmx`, "x");
    const disks = [`disk-0=${folder}/a.img`, `disk-1=${folder}/b.img`];
    repository.run([
      "backup",
      "--vm",
      "web01",
      ...disks,
      "--config",
      `${folder}/web01.vmx`,
      "--progress",
      "none",
    ]);
    Deno.mkdirSync(`${folder}/there`);
    const before = stateOf(folder);
    const dry = ["restore", "--dry-run", "web01@latest"];
    assert.match(
      repository.run([...dry, `${folder}/new/`]).stdout,
      /new\/: would be written: web01@\w+, 2 disks/,
    );
    const lines = repository.json([...dry, `${folder}/there/`]);
    assert.deepEqual(lines.map(({ type }) => type), ["summary", "summary", "vm"]);
    assert.deepEqual(stateOf(folder), before);
    Deno.writeTextFileSync(`${folder}/there/disk-1.img`, "");
    repository.refuses(UNSUITABLE, [...dry, `${folder}/there/`]);
    repository.refuses(UNSUITABLE, [...dry, `${folder}/a.img/`]);
  }));
