/** How a chain is found. */
import assert from "node:assert/strict";
import { buildDescriptor, caseNamed } from "../../../fixtures/mod.ts";
import { memoryContext, memorySource } from "../../../test/helpers/memory.ts";
import { openChain, openDeltas } from "./chain.ts";
import { RegrainError } from "../errors.ts";

/** A chain of empty deltas of a descriptor each, all ZERO extents; the newest is `0.vmdk`. */
function longChain(links: number): Record<string, Uint8Array> {
  return Object.fromEntries(Array.from({ length: links }, (_, i) => [
    `${i}.vmdk`,
    buildDescriptor({
      createType: "custom",
      extents: [{ sectors: 8, type: "ZERO" }],
      ...(i < links - 1 ? { parentCid: "1", parentFileNameHint: `${i + 1}.vmdk` } : {}),
    }),
  ]));
}

Deno.test("D16: a chain may have 64 deltas above its base; one more is refused with a hint", async () => {
  assert.equal((await openChain("0.vmdk", memoryContext(longChain(65)))).length, 65);
  await assert.rejects(openChain("0.vmdk", memoryContext(longChain(66))), (error: RegrainError) => {
    assert.equal(error.code, "CHAIN_TOO_DEEP");
    assert.match(error.message, /more than 64 deltas above its base/);
    assert.ok(error.hint);
    return true;
  });
});

Deno.test("the base of a chain of deltas is read by its descriptor alone: its data may be elsewhere", async () => {
  const fixture = caseNamed("chain-two-cowd-links");
  const files = fixture.make();
  delete files["disk-flat.vmdk"];
  const { links, base } = await openDeltas(fixture.leaf, memoryContext(files));
  assert.deepEqual(links.map(({ path }) => path), [...fixture.links].reverse());
  assert.equal(base.path, "disk.vmdk");
  assert.equal(base.capacitySectors, fixture.capacitySectors);
});

Deno.test("a disk without a parent is no chain of deltas", async () => {
  const files = caseNamed("chain-two-cowd-links").make();
  await assert.rejects(openDeltas("disk.vmdk", memoryContext(files)), { code: "USAGE" });
});

Deno.test("a chain that cannot be opened leaves no file open", async () => {
  const files = caseNamed("chain-two-cowd-links").make();
  delete files["disk-flat.vmdk"];
  const context = memoryContext(files);
  let open = 0;
  const counting = {
    ...context.files,
    open(path: string) {
      const bytes = files[path];
      if (!bytes) throw new RegrainError("NOT_FOUND", "there is no such file", { path });
      open++;
      let closed = false;
      return {
        ...memorySource(path, bytes),
        close() {
          if (!closed) open--;
          closed = true;
        },
      };
    },
  };
  await assert.rejects(openChain("disk-000002.vmdk", { ...context, files: counting }), { code: "NOT_FOUND" });
  assert.equal(open, 0);
});
