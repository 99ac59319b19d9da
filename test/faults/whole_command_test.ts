/** What a command can know before it writes: where its other files go, and that nothing is left when they cannot. */
import assert from "node:assert/strict";
import { caseNamed, type FixtureCase, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrain, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, withMount, withTempDir } from "../helpers/peers.ts";
import { PROGRAM } from "../helpers/program.ts";

const FIXTURE: FixtureCase = caseNamed("cowd-zero-grains");

/** A delta, and a raw copy of its base. */
async function withDelta(fn: (at: { folder: string; delta: string; image: string }) => void | Promise<void>) {
  await withTempDir(async (folder) => {
    await writeCase(FIXTURE, folder);
    const image = `${folder}/vm.img`;
    Deno.copyFileSync(`${folder}/${FIXTURE.base!.flat}`, image);
    await fn({ folder, delta: `${folder}/${FIXTURE.leaf}`, image });
  });
}

for (const file of ["--undo", "--journal"]) {
  Deno.test(`C10: a dry run refuses a file for ${file} that cannot be made, and makes nothing`, () =>
    withDelta(({ folder, delta, image }) => {
      Deno.writeTextFileSync(`${folder}/plain file`, "");
      const before = Deno.readFileSync(image);
      const names = [...Deno.readDirSync(folder)].length;
      for (const dry of [["--dry-run"], []]) {
        const args = (path: string) => ["apply", ...dry, file, path, delta, image];
        const refuses = (path: string) => regrainRefuses({ code: "OPEN_FAILED", exit: 6 }, args(path));
        const missing = refuses(`${folder}/no such folder/vm.undo`);
        assert.match(missing.message, /no such file or directory \(ENOENT\)/);
        assert.match(missing.hint!, /^make its folder first/);
        refuses(`${folder}/plain file/vm.undo`);
        refuses(folder);
      }
      assertFileHolds(image, before);
      assert.equal([...Deno.readDirSync(folder)].length, names);
      // What the hint says.
      Deno.mkdirSync(`${folder}/no such folder`);
      regrainExits(0, ["apply", "--dry-run", file, `${folder}/no such folder/vm.undo`, delta, image]);
      assert.deepEqual([...Deno.readDirSync(`${folder}/no such folder`)], []);
    }));
}

testWithPeers("C10: a dry run says that the undo file may need more than is free, and makes nothing", [
  "root-mount",
], () =>
  withDelta(({ folder, delta, image }) => {
    const small = `${folder}/small`;
    Deno.mkdirSync(small);
    return withMount(small, ["-t", "tmpfs", "-o", "size=64k", "none"], () => {
      const args = ["apply", "--undo", `${small}/vm.undo`, delta, image];
      const plan = JSON.parse(regrainExits(0, [...args, "--dry-run", "--json"]).stdout.split("\n")[0]!);
      assert.ok(plan.writeBytes + plan.zeroBytes > 64 * 1024, "the fixture is too small for this test");
      const { stderr } = regrainExits(0, [...args, "--dry-run"]);
      assert.match(stderr, /vm\.undo: the undo file needs up to [\d.]+ [KM]iB, 64\.0 KiB are free there/);
      assert.deepEqual([...Deno.readDirSync(small)], []);
      // And so it is: the file system is full half-way, and says so.
      assert.equal(regrain(args).code, 6);
    });
  }));

testWithPeers(
  "C10: a dry run knows a read-only file system below the undo file",
  ["root-mount"],
  () =>
    withDelta(({ folder, delta, image }) => {
      const place = `${folder}/place`;
      Deno.mkdirSync(place);
      return withMount(place, ["-t", "tmpfs", "-o", "ro", "none"], () => {
        for (const file of ["--undo", "--journal"]) {
          const args = ["apply", "--dry-run", file, `${place}/x`, delta, image];
          assert.match(regrainRefuses({ code: "OPEN_FAILED", exit: 6 }, args).message, /EROFS/);
        }
      });
    }),
);

Deno.test("C10: a dry run refuses a journal that would overwrite another file", () =>
  withDelta(({ folder, delta, image }) => {
    Deno.writeTextFileSync(`${folder}/notes`, "of mine");
    const args = ["apply", "--dry-run", "--journal", `${folder}/notes`, delta, image];
    regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, args);
  }));

Deno.test("C10: a dry run with --create refuses a target that cannot be made", () =>
  withDelta(({ folder, delta }) => {
    const args = ["apply", "--dry-run", "--create", delta, `${folder}/none/vm.img`];
    regrainRefuses({ code: "TARGET_MISSING", exit: 2 }, args);
  }));

Deno.test("C10: with --quiet stderr has nothing, unless it is an error", () =>
  withDelta(({ folder, delta, image }) => {
    const args = ["apply", "--quiet", "--io", "portable", "--undo", `${folder}/undo`, delta, image];
    assert.deepEqual(regrainExits(0, args), { code: 0, stdout: "", stderr: "" });
    const bare = delta.replace(/\.vmdk$/, "-delta.vmdk");
    Deno.removeSync(delta);
    assert.equal(regrainExits(0, ["apply", "--quiet", bare, image]).stderr, "");
    assert.match(
      regrainExits(4, ["apply", "--quiet", `${folder}/none`, image]).stderr,
      /^error: .*NOT_FOUND/,
    );
  }));

Deno.test("C10: with --json every line on stdout and stderr is JSON, warnings too", () =>
  withDelta(({ folder, delta, image }) => {
    const bare = delta.replace(/\.vmdk$/, "-delta.vmdk");
    Deno.removeSync(delta);
    const common = ["apply", "--json", "--verbose", "--io", "portable"];
    const { stdout, stderr } = regrainExits(0, [...common, "--undo", `${folder}/undo`, bare, image]);
    assert.equal(JSON.parse(stdout.trim().split("\n").at(-1)!).type, "summary");
    const lines = stderr.trim().split("\n").map((line) => JSON.parse(line));
    assert.ok(lines.length > 0);
    for (const { type, message } of lines) assert.ok(type === "warning" && message !== "", stderr);
    const back = regrainExits(0, [...common, `${folder}/undo`, image]);
    for (const line of `${back.stdout}${back.stderr}`.trim().split("\n")) JSON.parse(line);
  }));

/** Ways in which the undo file or the journal cannot be made or used. */
const UNUSABLE: readonly [name: string, flags: (folder: string) => readonly string[]][] = [
  ["an undo file in no folder", (folder) => ["--undo", `${folder}/none/vm.undo`]],
  ["a journal in no folder", (folder) => ["--journal", `${folder}/none/journal`]],
  ["an undo file of something else", (folder) => ["--undo", `${folder}/${FIXTURE.leaf}.copy`]],
  ["a journal that is none", (folder) => ["--journal", `${folder}/${FIXTURE.leaf}.copy`]],
];

for (const [name, flags] of UNUSABLE) {
  Deno.test(`D14: --create with ${name} leaves no empty target`, () =>
    withDelta(({ folder, delta }) => {
      Deno.copyFileSync(delta, `${delta}.copy`);
      const target = `${folder}/new.img`;
      const { code } = regrain(["apply", "--create", ...flags(folder), delta, target]);
      assert.ok(code === 2 || code === 6, `exit ${code}`);
      assert.throws(() => Deno.statSync(target), Deno.errors.NotFound);
      regrainExits(0, ["apply", "--create", delta, target]);
    }));
}

testWithPeers("D14: --create through a pipe with an undo file that cannot be made leaves no empty target", [
  "bash",
], () =>
  withDelta(({ folder, delta }) => {
    const target = `${folder}/new.img`;
    const program = `"${Deno.execPath()}" run --quiet -A "${PROGRAM}"`;
    const extent = delta.replace(/\.vmdk$/, "-delta.vmdk");
    for (const [undo, expected] of [[delta, 2], [`${folder}/none/undo`, 6], [`${folder}/undo`, 0]] as const) {
      const script = `cat "${extent}" | ${program} apply --create --undo "${undo}" - "${target}"`;
      const { code, stderr } = new Deno.Command("bash", { args: ["-c", script] }).outputSync();
      assert.equal(code, expected, new TextDecoder().decode(stderr));
      if (code !== 0) assert.throws(() => Deno.statSync(target), Deno.errors.NotFound);
    }
    assert.ok(Deno.statSync(target).isFile);
  }));

testWithPeers("D14: a name that is not UTF-8 is said to be one, and a link, as the hint says, works", [
  "bash",
], () =>
  withDelta(({ folder }) => {
    const bash = (script: string, expected: number) => {
      const program =
        `regrain() { "${Deno.execPath()}" run --quiet -A "${PROGRAM}" "$@"; }; cd "${folder}"; ${script}`;
      const { code, stderr } = new Deno.Command("bash", { args: ["-c", program], env: { NO_COLOR: "1" } })
        .outputSync();
      const said = new TextDecoder().decode(stderr);
      assert.equal(code, expected, `${script}: ${said}`);
      return said;
    };
    run("bash", [
      "-c",
      `cd ${folder}; mkdir $'d\\xff'; cp *.vmdk $'d\\xff'; mv vm.img $'d\\xff/vm\\xfe.img'`,
    ]);
    const asLink = /hint: the name holds bytes that are not UTF-8.*ln -s FILE link\.vmdk/;
    assert.match(bash(`regrain info $'d\\xff/${FIXTURE.leaf}'`, 4), asLink);
    assert.match(bash(`regrain apply ${FIXTURE.leaf} $'d\\xff/vm\\xfe.img'`, 2), asLink);
    bash("ln -s $'d\\xff' link; ln -s $'d\\xff/vm\\xfe.img' image; true", 0);
    const { descriptor, flat } = FIXTURE.base!;
    bash(`regrain apply --undo undo link/${FIXTURE.leaf} image`, 0);
    bash(`cmp -s image link/${flat}`, 1);
    bash("regrain apply undo image", 0);
    bash(`cmp image link/${flat}`, 0);
    bash(`regrain apply --undo undo2 --verify link/${FIXTURE.leaf} link/${descriptor}`, 0);
    bash(`regrain apply undo2 link/${descriptor}`, 0);
    bash(`cmp image link/${flat} && cmp ${descriptor} link/${descriptor}`, 0);
  }));

Deno.test("D4: a dry run refuses the journal of an unfinished run of other deltas too, and --force is as it says", () =>
  withDelta(({ folder, delta, image }) => {
    const journal = `${folder}/vm.journal`;
    const state = { version: 2, plan: "0123456789abcdef", targetBytes: 0, doneBytes: 0, tail: null };
    const text = JSON.stringify({ ...state, changed: [], undo: null });
    Deno.writeTextFileSync(journal, text);
    const before = Deno.readFileSync(image);
    for (const dry of [["--dry-run"], []]) {
      const args = ["apply", ...dry, "--journal", journal, delta, image];
      const { hint } = regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, args);
      assert.match(
        hint!,
        /its own deltas and --resume finish it.* copy the base again and remove .*vm\.journal.* --force/,
      );
      assert.equal(Deno.readTextFileSync(journal), text);
    }
    assertFileHolds(image, before);
    regrainExits(0, ["apply", "--force", "--journal", journal, delta, image]);
  }));
