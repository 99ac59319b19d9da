/** Which of several files a name in a descriptor means, and what is said when none or several may be. */
import assert from "node:assert/strict";
import { buildDescriptor } from "../../../fixtures/mod.ts";
import { memoryContext } from "../../../test/helpers/memory.ts";
import type { ErrorCode } from "../errors.ts";
import { RegrainError } from "../errors.ts";
import { resolveName } from "./resolve.ts";

/** A descriptor of a base with this content id. */
function base(cid: string, file = "vm-flat.vmdk"): Uint8Array {
  return buildDescriptor({ createType: "vmfs", cid, extents: [{ sectors: 8, type: "VMFS", file }] });
}

interface Asked {
  readonly files: Record<string, Uint8Array>;
  readonly name: string;
  readonly holder?: string;
  readonly what?: "extent" | "parent";
  readonly search?: string[];
  readonly allowOutside?: boolean;
  readonly cid?: number;
  readonly leastBytes?: number;
}

/** Where the name leads, and what was said about it. */
async function ask(asked: Asked): Promise<{ path: string; warnings: string[] }> {
  const { files, name, holder = "clone/vm-000001.vmdk", what = "parent", search = [], allowOutside = false } =
    asked;
  const warnings: string[] = [];
  const context = {
    ...memoryContext({ [holder]: base("5"), ...files }, { names: { search, allowOutside } }),
    warn: (sentence: string) => void warnings.push(sentence),
  };
  const wanted = { cid: asked.cid, leastBytes: asked.leastBytes };
  return { path: await resolveName(name, holder, context, what, wanted), warnings };
}

async function refuses(asked: Asked, code: ErrorCode, message: RegExp, hint: RegExp): Promise<void> {
  await assert.rejects(() => ask(asked), (error) => {
    assert.ok(error instanceof RegrainError);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
    return true;
  });
}

Deno.test("A7: two disks of one name in two folders are told apart by CID, in either order of --search", async () => {
  const files = { "a/vm.vmdk": base("aaaa0001"), "b/vm.vmdk": base("bbbb0001") };
  const name = "/vmfs/volumes/5c9a/vm/vm.vmdk";
  for (const search of [["a", "b"], ["b", "a"]]) {
    assert.equal((await ask({ files, name, search, cid: 0xbbbb0001 })).path, "b/vm.vmdk");
    assert.equal((await ask({ files, name, search, cid: 0xaaaa0001 })).path, "a/vm.vmdk");
  }
});

Deno.test("A7: a CID that neither of two disks has, or both have, leaves it to the hint's last folders", async () => {
  const name = "/vmfs/volumes/ds2/vm/vm.vmdk";
  const search = ["mnt/ds1/vm", "mnt/ds2/vm"];
  for (const [a, b] of [["1", "2"], ["7", "7"]] as const) {
    const files = { "mnt/ds1/vm/vm.vmdk": base(a), "mnt/ds2/vm/vm.vmdk": base(b) };
    assert.equal((await ask({ files, name, search, cid: 7 })).path, "mnt/ds2/vm/vm.vmdk");
  }
});

Deno.test("A7: when neither CID nor folders tell two disks apart, both are named and neither is taken", async () => {
  const files = { "a/vm.vmdk": base("7"), "b/vm.vmdk": base("7") };
  const asked = { files, name: "/vmfs/volumes/5c9a/vm/vm.vmdk", search: ["a", "b"], cid: 7 };
  await refuses(
    asked,
    "AMBIGUOUS_NAME",
    /may be a\/vm\.vmdk or b\/vm\.vmdk: neither/,
    /--search for the folder/,
  );
  assert.equal((await ask({ ...asked, search: ["b"] })).path, "b/vm.vmdk", "the hint, followed");
});

Deno.test("A7: a disk that cannot be read is no match for the CID", async () => {
  const files = {
    "a/vm.vmdk": new TextEncoder().encode("# Disk DescriptorFile\nRW x"),
    "b/vm.vmdk": base("7"),
  };
  assert.equal((await ask({ files, name: "../x/vm.vmdk", search: ["a", "b"], cid: 7 })).path, "b/vm.vmdk");
});

Deno.test("A7: of two extents of one name the descriptor beside, or the size, tells which", async () => {
  const asked = {
    name: "/vmfs/volumes/5c9a/vm/vm-flat.vmdk",
    holder: "here/vm.vmdk",
    what: "extent",
    search: ["a", "b"],
    cid: 7,
    leastBytes: 4096,
  } as const;
  const flat = new Uint8Array(4096);
  const byDescriptor = {
    "a/vm-flat.vmdk": flat,
    "a/vm.vmdk": base("8"),
    "b/vm-flat.vmdk": flat,
    "b/vm.vmdk": base("7"),
  };
  assert.equal(
    (await ask({ ...asked, search: [...asked.search], files: byDescriptor })).path,
    "b/vm-flat.vmdk",
  );
  const bySize = { "a/vm-flat.vmdk": new Uint8Array(512), "b/vm-flat.vmdk": flat };
  assert.equal((await ask({ ...asked, search: [...asked.search], files: bySize })).path, "b/vm-flat.vmdk");
  const same = { "a/vm-flat.vmdk": flat, "b/vm-flat.vmdk": flat };
  await refuses(
    { ...asked, search: [...asked.search], files: same },
    "AMBIGUOUS_NAME",
    /a\/vm-flat.* or b\/vm-flat/,
    /--search/,
  );
});

Deno.test("A7: what a guest writes into a flat extent never decides which of two is taken", async () => {
  const planted = new Uint8Array(4096);
  planted.set(base("7"));
  const files = { "a/vm-flat.vmdk": planted, "b/vm-flat.vmdk": new Uint8Array(4096) };
  const asked = { files, name: "/x/vm-flat.vmdk", holder: "here/vm.vmdk", search: ["a", "b"], cid: 7 };
  await refuses(
    { ...asked, what: "extent" },
    "AMBIGUOUS_NAME",
    /a\/vm-flat\.vmdk or b\/vm-flat\.vmdk/,
    /--search/,
  );
});

Deno.test("A8: a linked clone of the same file name as its parent is never taken for its own parent", async () => {
  const files = { "template/vm.vmdk": base("7") };
  const asked = { files, name: "../template/vm.vmdk", holder: "clone/vm.vmdk", cid: 7 };
  await refuses(
    asked,
    "OUTSIDE_FOLDER",
    /"\.\.\/template\/vm\.vmdk" is in another folder/,
    /--search template, or --allow-outside, which follows every name wherever it leads/,
  );
  assert.equal((await ask({ ...asked, search: ["template"] })).path, "template/vm.vmdk");
  assert.equal((await ask({ ...asked, allowOutside: true })).path, "template/vm.vmdk");
  assert.equal((await ask({ ...asked, search: ["clone", "template"] })).path, "template/vm.vmdk");
});

Deno.test("A8: folders of --search come before the holder's own when the hint names another folder", async () => {
  const files = { "clone/base.vmdk": base("1"), "other/base.vmdk": base("2") };
  const asked = { files, search: ["other"] };
  assert.equal((await ask({ ...asked, name: "../template/base.vmdk" })).path, "other/base.vmdk");
  assert.equal(
    (await ask({ ...asked, name: "base.vmdk" })).path,
    "clone/base.vmdk",
    "the hint names this folder",
  );
  assert.equal(
    (await ask({ ...asked, name: "base.vmdk", cid: 2 })).path,
    "other/base.vmdk",
    "its CID says otherwise",
  );
});

Deno.test("A15: a name that differs in case, or in its slashes, is found where it is unique, and said", async () => {
  const rows: [name: string, file: string][] = [
    ["VM.vmdk", "clone/vm.vmdk"],
    ["vm.vmdk", "clone/VM.VMDK"],
    ["base\\b.vmdk", "clone/base/b.vmdk"],
    ["base\\\\b.vmdk", "clone/base/b.vmdk"],
    ["base\\b.vmdk", "clone/B.vmdk"],
    ["caf\u00e9.vmdk", "clone/cafe\u0301.vmdk"],
  ];
  for (const [name, file] of rows) {
    const { path, warnings } = await ask({ name, files: { [file]: base("7") } });
    assert.equal(path, file);
    assert.equal(warnings.length, 1);
    assert.ok(warnings[0]!.includes(`"${name}"`) && warnings[0]!.includes(file), warnings[0]);
  }
});

Deno.test("A15: the very name comes before one that differs in case, and nothing is said", async () => {
  const files = { "clone/VM.vmdk": base("1"), "clone/vm.vmdk": base("2") };
  assert.deepEqual(await ask({ name: "vm.vmdk", files, cid: 1 }), { path: "clone/vm.vmdk", warnings: [] });
});

Deno.test("A15: two names that differ from the wanted one in case alone are refused, both named", async () => {
  const files = { "clone/VM.vmdk": base("7"), "clone/Vm.vmdk": base("8") };
  await refuses(
    { name: "vm.vmdk", files, cid: 7 },
    "AMBIGUOUS_NAME",
    /clone\/VM\.vmdk or clone\/Vm\.vmdk/,
    /rename .* to vm\.vmdk/,
  );
});

Deno.test("A15: a name that differs in case does not lead out of the folder either", async () => {
  const files = { "secret/b.vmdk": base("7") };
  await refuses(
    { name: "..\\secret\\B.vmdk", files },
    "NOT_FOUND",
    /"\.\.\\secret\\B\.vmdk" is not there/,
    /--search DIR/,
  );
});

Deno.test("A17: a folder that is not on this machine is never advised", async () => {
  const name = "/vmfs/volumes/501d996c/sql/sql.vmdk";
  const asked = { files: {}, name };
  await refuses(
    asked,
    "OUTSIDE_FOLDER",
    /"\/vmfs\/volumes\/501d996c\/sql\/sql\.vmdk" is in another folder, and not here \(looked at clone\/sql\.vmdk\)/,
    /^copy sql\.vmdk into clone, or name the folder it is in with --search DIR$/,
  );
  const there = { ...asked, files: { [name]: base("7") } };
  await refuses(
    there,
    "OUTSIDE_FOLDER",
    /another folder/,
    /--search \/vmfs\/volumes\/501d996c\/sql, or --allow-outside/,
  );
});

Deno.test("A17: a physical device of another machine is said to be one, and not to be put beside", async () => {
  const windows = { files: {}, name: "\\\\.\\PhysicalDrive3", what: "extent" } as const;
  await refuses(
    windows,
    "NOT_FOUND",
    /"\\\\\.\\PhysicalDrive3" is a physical device of the machine/,
    /^name the device, or an image of it, in the place/,
  );
  const linux = { files: { "/dev/sdb": new Uint8Array(512) }, name: "/dev/sdb", what: "extent" } as const;
  await refuses(
    linux,
    "OUTSIDE_FOLDER",
    /physical device .* not followed/,
    /if it is this machine's: --allow-outside/,
  );
  assert.equal((await ask({ ...linux, allowOutside: true })).path, "/dev/sdb", "the hint, followed");
});

Deno.test("A8: a link that names itself as parent is a cycle, unless --search has another of that name", async () => {
  const asked = { files: { "a/vm.vmdk": base("7") }, name: "vm.vmdk", holder: "clone/vm.vmdk" };
  await refuses(asked, "CHAIN_CYCLE", /^clone\/vm\.vmdk: it names itself, "vm\.vmdk"/, /--search DIR/);
  assert.equal((await ask({ ...asked, search: ["a"] })).path, "a/vm.vmdk", "the hint, followed");
});

Deno.test("A8: a copy that would overwrite the child, or another disk of that name, is never advised", async () => {
  const name = "/vmfs/volumes/ds/c1/vm.vmdk";
  const only = /^name the folder it is in with --search DIR$/;
  for (const holder of ["c2/vm.vmdk", "c2/VM.vmdk"]) {
    await refuses({ files: {}, name, holder }, "OUTSIDE_FOLDER", /another folder, and not here/, only);
  }
  const found = await ask({ files: { "c1/vm.vmdk": base("7") }, name, holder: "c2/vm.vmdk", search: ["c1"] });
  assert.equal(found.path, "c1/vm.vmdk", "the hint, followed");
  await refuses(
    { files: {}, name, holder: "c2/leaf.vmdk" },
    "OUTSIDE_FOLDER",
    /not here/,
    /^copy vm\.vmdk into c2, or/,
  );
});
