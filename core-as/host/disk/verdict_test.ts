/** Whether a child and a parent belong together, in words. */
import assert from "node:assert/strict";
import { buildDescriptor, type DescriptorSpec } from "../../../fixtures/mod.ts";
import { type LinkIdentity, unknownLink } from "../formats/identity.ts";
import { type Descriptor, parseDescriptor } from "../formats/vmdk/descriptor.ts";
import { descriptorOf, vmdkIdentity } from "../formats/vmdk/identity.ts";
import { RegrainError } from "../errors.ts";
import { judge, judgeChain, requireMatch, type Verdict } from "./verdict.ts";

function identity(path: string, spec: Partial<DescriptorSpec>, sectors = 100): LinkIdentity {
  const extents = [{ sectors, type: "VMFS", file: "x-flat.vmdk" }];
  const descriptor = parseDescriptor(buildDescriptor({ createType: "vmfs", extents, ...spec }), path);
  return { ...vmdkIdentity(path, descriptor), capacitySectors: sectors };
}

const bare = (path: string): LinkIdentity => ({ ...unknownLink(path), capacitySectors: 100 });

Deno.test("equal ids and sizes match", () => {
  const verdict = judge(
    identity("child", { parentCid: "5eed0001" }),
    identity("parent", { cid: "5eed0001", longContentId: `${"0".repeat(24)}5EED0001` }),
  );
  assert.deepEqual(verdict, {
    state: "match",
    basis: "cid",
    refused: false,
    child: "child",
    parent: "parent",
    reasons: ["parentCID 5eed0001 is the parent's CID"],
  });
  requireMatch(verdict);
});

Deno.test("A1: the id of a disk never written to proves little: the name decides, and without one nothing does", () => {
  const parent = identity("a/parent.vmdk", { cid: "fffffffe" });
  const child = (parentFileNameHint?: string) =>
    identity("child", { parentCid: "fffffffe", ...parentFileNameHint ? { parentFileNameHint } : {} });
  const unknown = judge(child(), parent);
  assert.equal(unknown.state, "unknown");
  assert.match(unknown.reasons[0]!, /fffffffe is the parent's CID, which every disk has .* proves little/);
  assert.equal(judge(child("/vmfs/volumes/ds/vm/parent.vmdk"), parent).state, "match");
  assert.equal(judge(child("C:\\vm\\PARENT.vmdk"), parent).state, "match");
  assert.equal(judge(child("other.vmdk"), parent).state, "mismatch");
  const accented = identity("mo\u0308bel.vmdk", { cid: "fffffffe" });
  assert.equal(judge(child("m\u00f6bel.vmdk"), accented).state, "match");
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
  requireMatch(judge(bare("child"), { ...bare("parent"), delta: false }));
});

Deno.test("a long content id that does not end in the CID is told, and does not decide", () => {
  const { state, reasons } = judge(
    identity("child", { parentCid: "1" }),
    identity("parent", { cid: "1", longContentId: `${"0".repeat(24)}5eed0001` }),
  );
  assert.equal(state, "match");
  assert.match(reasons[1]!, /longContentID ends in 5eed0001, its CID is 00000001/);
});

/** `vm.vmdk` and the deltas above it, all with one content id; newest first. */
function oneIdForAll(cid: string): LinkIdentity[] {
  const delta = (n: number) =>
    identity(`vm-00000${n}.vmdk`, {
      cid,
      parentCid: cid,
      parentFileNameHint: n === 1 ? "vm.vmdk" : `vm-00000${n - 1}.vmdk`,
    });
  return [delta(3), delta(2), delta(1), identity("vm.vmdk", { cid })];
}

for (const cid of ["fffffffe", "7a1b2c3d"]) {
  Deno.test(`A1: where every CID is ${cid} the names decide which link is on which`, () => {
    const chain = oneIdForAll(cid);
    const [three, two, one, base] = chain as [LinkIdentity, LinkIdentity, LinkIdentity, LinkIdentity];
    const judged = (links: LinkIdentity[]) =>
      judgeChain(links).map(({ state, basis }) => `${state} by ${basis}`);
    assert.deepEqual(judged(chain), Array(3).fill("match by name"));
    assert.deepEqual(judged([two, three, one]), ["mismatch by name", "mismatch by name"]);
    assert.deepEqual(judged([three, one]), ["mismatch by name"]);
    assert.deepEqual(judged([two, base]), ["mismatch by name"]);
    const [{ refused, reasons }] = judgeChain([three, one]) as [Verdict];
    assert.ok(refused);
    assert.match(reasons[0]!, /"vm-000002.vmdk" is named as the parent, .* not vm-000001.vmdk/);
  });
}

Deno.test("A1: an id that another link of the chain has proves nothing, though child and parent differ", () => {
  const newest = identity("c.vmdk", { cid: "3", parentCid: "1", parentFileNameHint: "b.vmdk" });
  const middle = identity("b.vmdk", { cid: "1", parentCid: "1", parentFileNameHint: "a.vmdk" });
  const base = identity("a.vmdk", { cid: "1" });
  assert.deepEqual(judgeChain([newest, middle, base]).map(({ basis }) => basis), ["name", "name"]);
  assert.equal(judgeChain([newest, base, middle])[0]!.state, "mismatch");
});

Deno.test("A1: a link left out between two deltas is told by the name, also where their ids fit", () => {
  const [, , one, base] = oneIdForAll("7a1b2c3d") as [never, never, LinkIdentity, LinkIdentity];
  const restarted = identity("vm-000003.vmdk", {
    cid: "99999999",
    parentCid: "7a1b2c3d",
    parentFileNameHint: "vm-000002.vmdk",
  });
  assert.equal(judgeChain([restarted, one])[0]!.state, "mismatch");
  assert.equal(judgeChain([restarted, base])[0]!.state, "mismatch");
});

Deno.test("A1: a base that took the id of the delta applied before is the parent of the next one", () => {
  const base = identity("vm.vmdk", { cid: "2" });
  const one = identity("vm-000001.vmdk", { cid: "2", parentCid: "1", parentFileNameHint: "vm.vmdk" });
  const two = identity("vm-000002.vmdk", { cid: "3", parentCid: "2", parentFileNameHint: "vm-000001.vmdk" });
  assert.equal(judgeChain([two, base], [one])[0]!.state, "match");
  assert.equal(judgeChain([two, base])[0]!.state, "mismatch");
  const sameId = identity("vm-000001.vmdk", { cid: "2", parentCid: "2", parentFileNameHint: "vm.vmdk" });
  assert.equal(judgeChain([two, base], [sameId])[0]!.state, "mismatch");
});

Deno.test("A1: a base of another name whose id is its own matches, and the renaming is told", () => {
  const child = identity("vm-000001.vmdk", { cid: "2", parentCid: "1", parentFileNameHint: "vm.vmdk" });
  const { state, reasons } = judge(child, identity("copy.vmdk", { cid: "1" }));
  assert.equal(state, "match");
  assert.match(reasons.join(), /"vm.vmdk" is named as the parent, .* not copy.vmdk: one of them was renamed/);
});

Deno.test("A1: links without content id and name are taken by rising numbers alone, and never called a match", () => {
  const delta = (path: string): LinkIdentity => ({ ...bare(path), delta: true });
  const judged = (child: string, parent: string) => {
    const { state, basis, refused } = judge(delta(child), delta(parent));
    assert.equal(state, "unknown");
    return refused ? "refused" : basis;
  };
  assert.equal(judged("a/vm-000002-delta.vmdk", "b/vm-000001-delta.vmdk"), "numbers");
  assert.equal(judged("vm-000010-sesparse.vmdk", "vm-000009-delta.vmdk"), "numbers");
  assert.equal(judged("vm-000001-delta.vmdk", "vm-000002-delta.vmdk"), "refused");
  assert.equal(judged("vm-000002-delta.vmdk", "vm-000002-delta.vmdk"), "refused");
  assert.equal(judged("other-000002-delta.vmdk", "vm-000001-delta.vmdk"), "refused");
  assert.equal(judged("new.vmdk", "old.vmdk"), "refused");
  assert.equal(judge(delta("vm-000001-delta.vmdk"), { ...bare("vm.img"), delta: false }).refused, false);
});

Deno.test("A1: a name can speak against a bare delta, and makes no match of what has no content id", () => {
  const child = identity("vm-000002.vmdk", {
    parentCid: "1",
    parentFileNameHint: "/vmfs/vm/vm-000001.vmdk",
  });
  const on = (parent: LinkIdentity) => judge(child, parent);
  assert.equal(on({ ...bare("vm-000001-delta.vmdk"), delta: true }).basis, "name");
  assert.equal(on({ ...bare("vm-000001-delta.vmdk"), delta: true }).state, "unknown");
  assert.equal(on({ ...bare("vm-000003-delta.vmdk"), delta: true }).state, "mismatch");
  assert.equal(on({ ...bare("copy.img"), delta: false }).state, "unknown");
});

const UUID = "435c196a-1e52-41b6-8d9a-fd72132c3dea";
const OTHER = "6f0e2a7d-1111-4222-8333-944455566677";

function virtualBox(path: string, uuids: Record<string, string>): LinkIdentity {
  const descriptor: Descriptor = descriptorOf(identity(path, { cid: "11223344" }))!;
  const lines = Object.entries(uuids).map(([key, value]) => `ddb.uuid.${key}="${value}"`);
  const text = new TextEncoder().encode(`${descriptor.text}\n${lines.join("\n")}\n`);
  return { ...vmdkIdentity(path, parseDescriptor(text, path)), capacitySectors: 100 };
}

Deno.test("A4: a parent uuid that is not zero makes a delta, whose parent is the image of that uuid", () => {
  const none = "00000000-0000-0000-0000-000000000000";
  const child = virtualBox("child.vmdk", { image: OTHER, parent: UUID, parentmodification: OTHER });
  const base = virtualBox("base.vmdk", { image: UUID.toUpperCase(), parent: none, modification: OTHER });
  assert.ok(child.delta);
  assert.ok(!base.delta);
  assert.deepEqual([judge(child, base).state, judge(child, base).basis], ["match", "uuid"]);
  const another = judge(child, virtualBox("base.vmdk", { image: OTHER, parent: none }));
  assert.deepEqual([another.state, another.refused], ["mismatch", true]);
  assert.equal(judge(child, { ...bare("base.img"), delta: false }).state, "unknown");
  assert.equal(judge(child, virtualBox("base.vmdk", {})).state, "unknown");
});

Deno.test("A4: a parent that was written to since, by its modification uuid, is no parent", () => {
  const child = virtualBox("child.vmdk", { parent: UUID, parentmodification: OTHER });
  const { state, reasons } = judge(child, virtualBox("base.vmdk", { image: UUID, modification: UUID }));
  assert.equal(state, "mismatch");
  assert.match(reasons.join(), /written to after/);
});
