/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { buildQcow2, QCOW2_CASES } from "../../../fixtures/mod.ts";
import { core } from "../../../test/helpers/memory.ts";
import { Bench, Kernels } from "./bench.ts";
import { openedChain } from "../judgement/facts.ts";
import { GivenFiles } from "../sources/given.ts";
import { lookAtAll, planChain } from "./plan.ts";
import { structureOf } from "../answers/structure.ts";

async function opened(dropped: Record<string, Uint8Array<ArrayBuffer>>) {
  const given = Object.entries(dropped).map(([name, bytes]) => ({
    name,
    file: new Blob([bytes]),
    modifiedMs: null,
  }));
  const files = new GivenFiles(given, { ended: false });
  const plan = planChain(await lookAtAll(files.names, files.context(core)));
  return { files, plan, bench: await Bench.open(new Kernels(core), plan, files) };
}

for (const { name, leaf, make, expected } of QCOW2_CASES.filter(({ name }) => name !== "qcow2-zstd")) {
  Deno.test(`${name} is shown as it reads, with what it stands on`, async () => {
    const { files, plan, bench } = await opened(make());
    assert.equal(plan.names[0], leaf);
    const right = expected();
    const bytes = new Uint8Array(right.length);
    await bench.view("merged").read(0, bytes);
    assert.deepEqual(bytes, right);
    const { links, judgement, isWhole } = openedChain(bench.chain, [], plan.start);
    assert.equal(links.length, /-on-/.test(name) ? 2 : 1);
    assert.deepEqual([links[0]!.format, isWhole, judgement.state], ["qcow2", true, "nothing"]);
    const tree = await structureOf({ name: leaf, around: undefined }, bench.chain.links, files);
    const fields = tree.children.find(({ label }) => label === "header")!.children;
    const field = (label: string) => fields.find((each) => each.label === label)?.value;
    assert.equal(field("version"), name === "qcow2-version-2" ? "2" : "3");
    assert.equal(field("size"), String(right.length));
  });
}

Deno.test("zstd, which the page lacks, is refused in words", async () => {
  const { make } = QCOW2_CASES.find(({ name }) => name === "qcow2-zstd")!;
  await assert.rejects(opened(make()), { code: "UNSUPPORTED", message: /compressed by zstd/ });
});

Deno.test("an image whose backing file was not dropped stands on nothing else that was", async () => {
  const spec = { sizeBytes: 65_536, clusters: new Map(), backing: { name: "base.img", format: "raw" } };
  const { plan, bench } = await opened({
    "disk.qcow2": buildQcow2(spec).bytes,
    "other.img": new Uint8Array(65_536).fill(1),
  });
  assert.deepEqual(plan.names, ["disk.qcow2"]);
  assert.ok(bench.chain.remarks.some((remark) => /its parent "base\.img" was not dropped/.test(remark)));
});
