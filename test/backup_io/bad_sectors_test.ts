/** Backups of a disk that cannot be read everywhere, from the program to the restored disk. */
import assert from "node:assert/strict";
import { Rng } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";
import { DISK, MIB, RepositoryFolder, resigned } from "../backup_cli/repository_folder.ts";

const QUIET = ["--progress", "none"];
const LOST = { start: 5 * MIB + 8192, length: 3 * MIB - 8192 };

/** A loop device whose file was cut: the kernel answers reads behind the cut with an input/output error. */
async function withFailingDisk(
  folder: string,
  fn: (disk: { device: string; file: string; bytes: Uint8Array<ArrayBuffer> }) => void | Promise<void>,
): Promise<void> {
  const file = `${folder}/backing`;
  const bytes = new Rng(5).bytes(8 * MIB);
  Deno.writeFileSync(file, bytes);
  await withLoop(file, async (device) => {
    Deno.truncateSync(file, LOST.start);
    bytes.fill(0, LOST.start);
    await fn({ device, file, bytes });
  });
}

testWithPeers(
  "a disk with bad sectors is refused, and with --damaged zeros backed up as incomplete, which all commands say",
  ["root-loop"],
  () =>
    withTempDir((folder) =>
      withFailingDisk(folder, ({ device, file, bytes }) => {
        const repository = RepositoryFolder.create(folder);
        const backup = ["backup", device, "--name", DISK, ...QUIET];
        const { hint } = repository.refuses({ code: "READ_FAILED", exit: 6 }, backup);
        assert.match(hint!, /--damaged zeros stores the rest/);
        const { stdout, stderr } = repository.run([...backup, "--damaged", "zeros", "--json"], 3);
        const made = JSON.parse(stdout.trim().split("\n").at(-1)!);
        assert.deepEqual(made.damaged, [LOST]);
        assert.match(stderr, /zeros are stored for what cannot be read/);

        const target = `${folder}/restored`;
        const restored = repository.run(["restore", DISK, target, ...QUIET], 3);
        assert.match(restored.stderr, /could not be read there when it was backed up/);
        assertFileHolds(target, bytes);
        assert.match(repository.run(["snapshots"]).stdout, / incomplete$/m);
        assert.match(
          repository.run(["verify"]).stderr,
          /is incomplete: 3\.0 MiB of its source could not be read/,
        );
        assert.match(repository.run(["info", `repo:${DISK}@latest`]).stderr, /is incomplete/);

        // A list that leaves these places out takes the zeros over, and one that names them reads them again.
        Deno.truncateSync(file, 8 * MIB);
        const list = `${folder}/list.json`;
        const listed = (areas: unknown, code: number) => {
          Deno.writeTextFileSync(list, JSON.stringify(areas));
          return repository.json([...backup, "--changed", list], code).at(-1)!.damaged;
        };
        assert.deepEqual(listed([{ start: 0, length: 512 }], 3), [LOST]);
        assert.deepEqual(listed([{ start: 6 * MIB, length: MIB }], 3), [
          { start: LOST.start, length: 6 * MIB - LOST.start },
          { start: 7 * MIB, length: MIB },
        ]);
        const copy = RepositoryFolder.create(folder, "copy");
        repository.run(["repo", "copy", "--to", copy.path]);
        assert.equal(
          copy.json(["snapshots"]).filter(({ type, damaged }) => type === "snapshot" && damaged).length,
          3,
        );
        assert.deepEqual(repository.json(backup).at(-1)!.damaged, [], "the disk was read whole");
      })
    ),
);

Deno.test("an incomplete snapshot takes no whole one's place in prune, and --damaged is refused for streams", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const whole = repository.backUp("ab");
    const lacking = repository.backUp("ac");
    const key = repository.keys("snaps/").find((each) => each.includes(lacking))!;
    const text = new TextDecoder().decode(repository.read(key));
    repository.write(key, resigned(text.replace('"tags":', '"damaged":[{"start":0,"length":4096}],"tags":')));
    repository.run(["prune", "--keep-last", "1"]);
    assert.deepEqual(repository.keys("snaps/").map((each) => each.includes(whole)), [true, false]);
    const usage = { code: "USAGE", exit: 2 };
    const damaged = ["--damaged", "zeros", "--name", DISK, ...QUIET];
    repository.refuses(usage, ["backup", "-", ...damaged]);
    repository.refuses(usage, ["backup", "--from-command", "true", ...damaged]);
    repository.refuses(usage, ["backup", "--delta", `${folder}/d.vmdk`, ...damaged]);
    for (
      const wrong of [
        '[{"start":0,"length":0}]',
        '[{"start":0,"length":1e15}]',
        "[]",
        '[{"start":8,"length":8},null]',
      ]
    ) {
      repository.write(key, resigned(text.replace('"tags":', `"damaged":${wrong},"tags":`)));
      repository.refuses({ code: "SNAPSHOT_DAMAGED", exit: 4 }, [
        "restore",
        `${DISK}@${lacking}`,
        `${folder}/out`,
        ...QUIET,
      ]);
    }
  }));
