/** Whether a child and a parent belong together, in words; and how a chain is found. */
import assert from "node:assert/strict";
import { buildDescriptor, caseNamed, type DescriptorSpec } from "../../fixtures/mod.ts";
import { memoryContext, memorySource } from "../../test/helpers/memory.ts";
import { judge, type LinkIdentity, MAX_CHAIN_LINKS, openChain, openDeltas, requireMatch } from "./chain.ts";
import { parseDescriptor } from "./descriptor.ts";
import { RegrainError } from "./errors.ts";

function identity(path: string, spec: Partial<DescriptorSpec>, sectors = 100): LinkIdentity {
  const extents = [{ sectors, type: "VMFS", file: "x-flat.vmdk" }];
  const descriptor = parseDescriptor(buildDescriptor({ createType: "vmfs", extents, ...spec }), path);
  return { path, descriptor, capacitySectors: sectors };
}

const bare = (path: string): LinkIdentity => ({ path, descriptor: undefined, capacitySectors: 100 });

Deno.test("equal ids and sizes match", () => {
  const verdict = judge(
    identity("child", { parentCid: "5eed0001" }),
    identity("parent", { cid: "5eed0001", longContentId: `${"0".repeat(24)}5EED0001` }),
  );
  assert.deepEqual(verdict, {
    state: "match",
    child: "child",
    parent: "parent",
    reasons: ["parentCID 5eed0001 is the parent's CID"],
  });
  requireMatch(verdict);
});

Deno.test("the id of a disk never written to matches, and is told to prove little", () => {
  const { state, reasons } = judge(
    identity("child", { parentCid: "fffffffe" }),
    identity("parent", { cid: "fffffffe" }),
  );
  assert.equal(state, "match");
  assert.match(reasons[0]!, /fffffffe is the parent's CID, which every disk has .* proves little/);
});

Deno.test("other ids do not match, and the error names the child, both ids and a way on", () => {
  const verdict = judge(
    identity("child.vmdk", { parentCid: "12" }),
    identity("parent.vmdk", { cid: "5eed0001" }),
  );
  assert.equal(verdict.state, "mismatch");
  assert.throws(() => requireMatch(verdict), (error) => {
    assert.ok(error instanceof RegrainError);
    assert.equal(error.code, "CHAIN_BROKEN");
    assert.match(
      error.message,
      /^child\.vmdk: parentCID 00000012 is not the parent's CID 5eed0001: .*parent\.vmdk/,
    );
    assert.match(error.hint!, /--force/);
    return true;
  });
});

Deno.test("a disk that was grown matches, and is told to be", () => {
  const { state, reasons } = judge(
    identity("child", { parentCid: "1" }, 200),
    identity("parent", { cid: "1" }, 100),
  );
  assert.equal(state, "match");
  assert.match(reasons[1]!, /grown: the child has 200 sectors, the parent 100/);
});

Deno.test("a disk cannot shrink, even when its ids match", () => {
  const { state, reasons } = judge(
    identity("child", { parentCid: "1" }, 100),
    identity("parent", { cid: "1" }, 200),
  );
  assert.equal(state, "mismatch");
  assert.match(reasons[1]!, /cannot shrink/);
});

Deno.test("without ids nothing is known, unless the sizes speak", () => {
  const child = identity("child", { parentCid: "1" });
  assert.equal(judge(child, bare("parent")).state, "unknown");
  assert.match(judge(child, bare("parent")).reasons[0]!, /the parent has no descriptor/);
  assert.match(judge(bare("child"), child).reasons[0]!, /the child has no descriptor/);
  assert.equal(judge({ ...bare("child"), capacitySectors: 99 }, bare("parent")).state, "mismatch");
  requireMatch(judge(bare("child"), bare("parent")));
});

Deno.test("a long content id that does not end in the CID is told, and does not decide", () => {
  const { state, reasons } = judge(
    identity("child", { parentCid: "1" }),
    identity("parent", { cid: "1", longContentId: `${"0".repeat(24)}5eed0001` }),
  );
  assert.equal(state, "match");
  assert.match(reasons[1]!, /longContentID ends in 5eed0001, its CID is 00000001/);
});

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

Deno.test("a chain may have 64 links and no more", async () => {
  assert.equal((await openChain("0.vmdk", memoryContext(longChain(MAX_CHAIN_LINKS)))).length, 64);
  await assert.rejects(openChain("0.vmdk", memoryContext(longChain(65))), { code: "CHAIN_TOO_DEEP" });
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
