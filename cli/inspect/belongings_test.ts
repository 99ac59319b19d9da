import assert from "node:assert/strict";
import { caseNamed, CASES, type Files } from "../../fixtures/mod.ts";
import { joinPath, openChain, RegrainError } from "../../core-as/host/mod.ts";
import { memoryContext } from "../../test/helpers/memory.ts";
import { findBelongings } from "./belongings.ts";

const CHAIN = caseNamed("chain-two-cowd-links");
const CHAIN_FILES = [
  ...["disk-000002.vmdk", "disk-000002-delta.vmdk"],
  ...["disk-000001.vmdk", "disk-000001-delta.vmdk"],
  ...["disk.vmdk", "disk-flat.vmdk"],
];

/** Names that are found, and codes of what is not. */
async function find(images: readonly string[], files: Files): Promise<{ names: string[]; codes: string[] }> {
  const found = await findBelongings(images, memoryContext(files));
  return { names: found.files.map(({ name }) => name), codes: found.missing.map(({ code }) => code) };
}

function without(files: Files, ...names: readonly string[]): Files {
  return Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)));
}

/** Files with one text replaced in a descriptor. */
function edited(files: Files, name: string, change: (text: string) => string): Files {
  const before = new TextDecoder().decode(files[name]);
  const after = change(before);
  assert.notEqual(after, before);
  return { ...files, [name]: new TextEncoder().encode(after) };
}

Deno.test("to an image belong its descriptor, its extents and all links below it", async () => {
  const files = CHAIN.make();
  assert.deepEqual(await find(["disk-000002.vmdk"], files), { names: CHAIN_FILES, codes: [] });
  const [leaf, delta, ...rest] = CHAIN_FILES;
  assert.deepEqual(await find(["disk-000002-delta.vmdk"], files), {
    names: [delta, leaf, ...rest],
    codes: [],
  });
  assert.deepEqual(await find(["disk.vmdk"], files), { names: ["disk.vmdk", "disk-flat.vmdk"], codes: [] });
});

Deno.test("every file is found once, however many name it, and what the user named is marked", async () => {
  const { files } = await findBelongings(
    ["disk-000002.vmdk", "./disk-000001.vmdk", "disk.vmdk"],
    memoryContext(CHAIN.make()),
  );
  assert.deepEqual(files.map(({ name }) => name), CHAIN_FILES);
  assert.deepEqual(files.filter(({ named }) => named).map(({ name }) => name), [
    ...["disk-000002.vmdk", "disk-000001.vmdk", "disk.vmdk"],
  ]);
});

Deno.test("a chain that breaks is followed as far as it goes", async () => {
  const names = CHAIN_FILES.slice(0, 2);
  const files = CHAIN.make();
  assert.deepEqual(await find(["disk-000002.vmdk"], without(files, "disk-000001.vmdk")), {
    names,
    codes: ["NOT_FOUND"],
  });
  const outside = edited(
    files,
    "disk-000002.vmdk",
    (text) => text.replace('"disk-000001.vmdk"', '"../../etc/passwd"'),
  );
  assert.deepEqual(await find(["disk-000002.vmdk"], outside), { names, codes: ["OUTSIDE_FOLDER"] });
  const unreadable = edited(files, "disk-000001.vmdk", (text) => text.replace(/^CID=.*/m, "CID=what"));
  assert.deepEqual(await find(["disk-000002.vmdk"], unreadable), {
    names: [...names, "disk-000001.vmdk"],
    codes: ["DESCRIPTOR_INVALID"],
  });
});

Deno.test("an extent that is missing keeps nothing else out", async () => {
  const missing = ["disk-000002-delta.vmdk", "disk-flat.vmdk"];
  assert.deepEqual(await find(["disk-000002.vmdk"], without(CHAIN.make(), ...missing)), {
    names: CHAIN_FILES.filter((name) => !missing.includes(name)),
    codes: ["NOT_FOUND", "NOT_FOUND"],
  });
});

Deno.test("a chain that goes round in circles ends", async () => {
  const files = edited(
    CHAIN.make(),
    "disk-000001.vmdk",
    (text) => text.replace('"disk.vmdk"', '"disk-000002.vmdk"'),
  );
  assert.deepEqual(await find(["disk-000002.vmdk"], files), {
    names: CHAIN_FILES.slice(0, 4),
    codes: ["CHAIN_CYCLE"],
  });
});

Deno.test("a damaged image, a raw one and one without a descriptor are found all the same", async () => {
  const files = {
    "broken.vmdk": new Uint8Array(700).fill(7),
    "raw.img": new Uint8Array(1024),
    "empty": new Uint8Array(),
    "vm-000001-delta.vmdk": CHAIN.make()["disk-000001-delta.vmdk"]!.subarray(0, 2000),
  };
  assert.deepEqual(await find(Object.keys(files), files), { names: Object.keys(files), codes: [] });
});

Deno.test("an extent that holds its own descriptor may have another name than it says", async () => {
  const [name, bytes] = Object.entries(caseNamed("stream-footer").make())[0]!;
  assert.deepEqual(await find(["renamed.vmdk"], { "renamed.vmdk": bytes, [name]: bytes }), {
    names: ["renamed.vmdk"],
    codes: [],
  });
});

Deno.test("an image that the user named and that is not there is an error", async () => {
  await assert.rejects(
    find(["disk-000002.vmdk", "none.vmdk"], CHAIN.make()),
    (error) => error instanceof RegrainError && error.code === "NOT_FOUND",
  );
});

/** Paths of all that reading a whole disk opens. */
async function readFrom(leaf: string, files: Files): Promise<string[]> {
  const links = await openChain(leaf, memoryContext(files));
  return links.flatMap((
    { path, extents },
  ) => [path, ...extents.flatMap(({ extent }) => extent.file?.path ?? [])]);
}

Deno.test("of every healthy disk of the catalogue all is found that reading it opens", async () => {
  const healthy = CASES.filter(({ expect, base }) => expect === "ok" && base !== undefined);
  assert.ok(healthy.length > 30);
  for (const { name, leaf, make } of healthy) {
    const files = make();
    const { files: found, missing } = await findBelongings([leaf], memoryContext(files));
    const paths = new Set(found.map(({ realPath }) => realPath));
    assert.deepEqual(missing, [], name);
    for (const path of await readFrom(leaf, files)) {
      assert.ok(paths.has(joinPath(".", path)), `${name}: ${path}`);
    }
  }
});
