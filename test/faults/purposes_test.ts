/** One file for two purposes: refused by what the file is, whatever it is called, before anything is written. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { nameFile } from "../../cli/io/named_file.ts";
import { isSameFile } from "../../cli/io/mod.ts";
import { sha256File } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

const CHAIN = caseNamed("chain-five-links-of-three-kinds");

function namesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

Deno.test("D2: a file that is to be undo file and journal is refused, under whatever name", () =>
  withTempDir(async (folder) => {
    await writeCase(CHAIN, folder);
    Deno.copyFileSync(`${folder}/${CHAIN.base!.flat!}`, `${folder}/vm.img`);
    Deno.mkdirSync(`${folder}/below`);
    Deno.symlinkSync(folder, `${folder}/below/up`);
    Deno.symlinkSync("F", `${folder}/dangling`);
    const before = sha256File(`${folder}/vm.img`);
    const names = namesIn(folder);
    for (const other of ["F", "./F", "below/../F", `${folder}/F`, "below/up/F", "dangling"]) {
      for (const flags of [["--undo", "F", "--journal", other], ["--undo", other, "--journal", "F"]]) {
        const args = ["apply", "--dry-run", ...flags, "--chain", CHAIN.leaf, "vm.img"];
        const { message, hint } = regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, args, {
          cwd: folder,
        });
        assert.match(message, /--undo names the same file as --journal/);
        assert.match(hint!, /name another file with --undo/);
      }
    }
    const args = ["apply", "--undo", "F", "--journal", "./F", "--chain", CHAIN.leaf, "vm.img"];
    regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, args, { cwd: folder });
    assert.deepEqual(namesIn(folder), names);
    assert.equal(sha256File(`${folder}/vm.img`), before);
    regrainExits(0, ["apply", "--undo", "F", "--journal", "J", "--chain", CHAIN.leaf, "vm.img"], {
      cwd: folder,
    });
  }));

Deno.test("D2: an undo file or journal that is an input, the target or a part of it is refused in a dry run too", () =>
  withTempDir(async (folder) => {
    await writeCase(CHAIN, folder);
    const { flat, descriptor } = CHAIN.base!;
    Deno.symlinkSync(flat!, `${folder}/link`);
    Deno.linkSync(`${folder}/${flat}`, `${folder}/hard`);
    const before = sha256File(`${folder}/${flat}`);
    for (const file of [CHAIN.leaf, "disk-000001-delta.vmdk", descriptor!, flat!, "link", "hard"]) {
      for (const flag of ["--undo", "--journal"]) {
        const args = ["apply", "--dry-run", flag, file, "--chain", CHAIN.leaf, descriptor!];
        const { message } = regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, args, { cwd: folder });
        assert.match(message, /names the same file as the (input|target)/, `${file}: ${message}`);
      }
    }
    assert.equal(sha256File(`${folder}/${flat}`), before);
  }));

Deno.test("D2: a new target is not made when the undo file would have its name", () =>
  withTempDir(async (folder) => {
    await writeCase(CHAIN, folder);
    const names = namesIn(folder);
    const args = ["apply", "--create", "--undo", "./new.img", "--chain", CHAIN.leaf, "new.img"];
    const { hint } = regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, args, { cwd: folder });
    assert.deepEqual(namesIn(folder), names);
    assert.match(hint!, /name another file with --undo/);
    regrainExits(0, args.with(3, "vm.undo"), { cwd: folder });
  }));

Deno.test("D2: files are told apart by what the system knows, and absent ones by where their name leads", () =>
  withTempDir((folder) => {
    const at = (name: string) => nameFile(`${folder}/${name}`);
    Deno.writeTextFileSync(`${folder}/a`, "a");
    Deno.writeTextFileSync(`${folder}/b`, "a");
    Deno.linkSync(`${folder}/a`, `${folder}/hard`);
    Deno.symlinkSync("nowhere", `${folder}/x`);
    Deno.symlinkSync("x", `${folder}/y`);
    Deno.symlinkSync("circle", `${folder}/circle`);
    assert.ok(isSameFile(at("a"), at("hard")));
    assert.ok(!isSameFile(at("a"), at("b")));
    assert.ok(isSameFile(at("nowhere"), at("y")));
    assert.ok(!isSameFile(at("nowhere"), at("elsewhere")));
    assert.ok(isSameFile(at("circle"), at("circle")));
    assert.ok(!isSameFile(at("circle"), at("nowhere")));
    assert.ok(isSameFile(at("none/z"), at("none/z")));
  }));
