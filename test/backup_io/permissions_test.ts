/** The least that Deno has to allow to the commands on a repository in a folder; each call is refused with any less. */
import assert from "node:assert/strict";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrain, regrainExits } from "../helpers/cli.ts";
import { diskOf, MIB, type Place, withPlace } from "./place.ts";

const DISK = diskOf(6 * MIB, [{ at: MIB, lengthBytes: 2 * MIB, seed: 1 }]);
const NAME = "web01/disk-0";

/** The source and the target stand in folders of their own, so that a permission for one is none for the other. */
function withDisk(
  fn: (place: Place & { image: string; out: string }) => void | Promise<void>,
): Promise<void> {
  return withPlace(async (place) => {
    for (const folder of ["in", "out"]) Deno.mkdirSync(place.path(folder));
    const image = place.path("in/vm.img");
    Deno.writeFileSync(image, DISK);
    place.run(["backup", image, "--name", NAME]);
    await fn({ ...place, image, out: place.path("out/vm.img") });
  });
}

/**
 * Runs with just these flags, and asserts that each of them is needed.
 *
 * @param before Puts things as the command needs to find them.
 */
function assertLeast(
  args: readonly string[],
  permissions: readonly string[],
  before: () => void = () => undefined,
): void {
  before();
  regrainExits(0, args, { permissions });
  for (const left of permissions) {
    before();
    const fewer = permissions.filter((each) => each !== left);
    const { code, stderr } = regrain([...args, "--json"], { permissions: fewer });
    assert.notEqual(code, 70, `without ${left}: ${stderr}`);
    assert.notEqual(code, 0, `without ${left}`);
    assert.match(stderr, /"code":"(PERMISSION|STORE_DENIED)"/, `without ${left}`);
  }
}

Deno.test("regrain snapshots and repo info need to read the repository, and nothing else", () =>
  withDisk(({ repo }) => {
    assertLeast(["snapshots", "--repo", repo], [`--allow-read=${repo}`]);
    assertLeast(["repo", "info", "--repo", repo], [`--allow-read=${repo}`]);
  }));

Deno.test("regrain backup needs to read the disk and the repository, and to write the repository", () =>
  withDisk(({ repo, image }) => {
    const args = ["backup", image, "--name", NAME, "--repo", repo];
    assertLeast(args, [`--allow-read=${image},${repo}`, `--allow-write=${repo}`]);
    const { code, stderr } = regrain([...args, "--json"], {
      permissions: [`--allow-read=${repo}`, `--allow-write=${repo}`],
    });
    assert.equal(code, 6, stderr);
  }));

Deno.test("regrain restore needs to read the repository, to read and write the folder of the target", () =>
  withDisk(({ repo, out, path }) => {
    const args = ["restore", NAME, out, "--repo", repo];
    const permissions = [`--allow-read=${repo},${path("out")}`, `--allow-write=${path("out")}`];
    assertLeast(args, permissions, () => {
      Deno.removeSync(path("out"), { recursive: true });
      Deno.mkdirSync(path("out"));
    });
    regrainExits(0, args, { permissions });
    assertFileHolds(out, DISK);
  }));

Deno.test("regrain restore --delta needs no more than the target itself", () =>
  withDisk(({ repo, out }) => {
    Deno.writeFileSync(out, new Uint8Array(DISK.length).fill(7));
    const args = ["restore", NAME, out, "--delta", "--repo", repo];
    assertLeast(args, [`--allow-read=${repo},${out}`, `--allow-write=${out}`]);
    assertFileHolds(out, DISK);
  }));

Deno.test("regrain backup --from-command needs the repository, and to run the shell", () =>
  withDisk(({ repo, image }) => {
    const args = ["backup", "--from-command", `cat ${image}`, "--name", NAME, "--repo", repo];
    assertLeast(args, [`--allow-read=${repo}`, `--allow-write=${repo}`, "--allow-run=/bin/sh"]);
  }));

Deno.test("regrain gc needs to read and write the repository, and nothing else", () =>
  withDisk(({ repo }) => {
    const garbage = `${repo}/chunks/ab`;
    assertLeast(["gc", "--repo", repo], [`--allow-read=${repo}`, `--allow-write=${repo}`], () => {
      Deno.mkdirSync(garbage, { recursive: true });
      Deno.writeTextFileSync(`${garbage}/ab${"0".repeat(62)}.zst`, "x");
    });
    regrainExits(0, ["gc", "--dry-run", "--repo", repo], { permissions: [`--allow-read=${repo}`] });
  }));

Deno.test("B8: regrain forget needs to read and write the repository, and nothing else", () =>
  withDisk(({ repo, image, run }) => {
    const [folder] = [...Deno.readDirSync(`${repo}/snaps`)];
    const idOf = () => [...Deno.readDirSync(`${repo}/snaps/${folder!.name}`)][0]!.name.slice(0, 26);
    const args = ["forget", idOf(), "--repo", repo];
    regrainExits(0, [...args, "--dry-run"], { permissions: [`--allow-read=${repo}`] });
    for (const permissions of [[`--allow-read=${repo}`], [`--allow-write=${repo}`]]) {
      const { code, stderr } = regrain([...args, "--json"], { permissions });
      assert.ok(code === 6 || code === 7, stderr);
    }
    regrainExits(0, args, { permissions: [`--allow-read=${repo}`, `--allow-write=${repo}`] });
    run(["backup", image, "--name", NAME]);
  }));

Deno.test("reading a snapshot in the place of an image needs to read the repository, and nothing else", () =>
  withDisk(({ repo }) => assertLeast(["info", `repo:${NAME}`, "--repo", repo], [`--allow-read=${repo}`])));

Deno.test("regrain backup --hook-done and --metrics say what they are not allowed, after the work is done", () =>
  withDisk(({ repo, image, path, run }) => {
    const metrics = path("out/m.prom");
    const flags = ["--hook-done", "true", "--metrics", metrics];
    const args = ["backup", image, "--name", NAME, "--repo", repo, ...flags];
    const permissions = [`--allow-read=${image},${repo}`, `--allow-write=${repo}`];
    const { stderr } = regrainExits(3, args, { permissions });
    assert.match(
      stderr,
      /warning: the metrics file was not written: .*\n.*warning: the command of --hook-done/,
    );
    assert.equal(run(["snapshots", "--json"]).stdout.match(/"root":/g)?.length, 2);
    const more = [
      `--allow-read=${image},${repo},${path("out")}`,
      `--allow-write=${repo},${path("out")}`,
      "--allow-run=/bin/sh",
    ];
    regrainExits(0, args, { permissions: more });
  }));

Deno.test("an encrypted repository needs its passphrase file to be read, or its variable", () =>
  withDisk(({ path }) => {
    const repo = path("secret");
    const word = path("word");
    Deno.writeTextFileSync(word, "correct horse\n");
    regrainExits(0, ["repo", "init", "--encrypt", "--passphrase-file", word, "--repo", repo]);
    const args = ["repo", "info", "--repo", repo];
    assertLeast([...args, "--passphrase-file", word], [`--allow-read=${repo},${word}`]);
    const env = { REGRAIN_PASSPHRASE: "correct horse" };
    const read = `--allow-read=${repo}`;
    regrainExits(0, args, { env, permissions: [read, "--allow-env=REGRAIN_PASSPHRASE"] });
    regrainExits(12, args, { env, permissions: [read] });
  }));
