/** Every disk through a pipe: the same as by its name, or an error, and never wrong bytes. */
import assert from "node:assert/strict";
import { openLink } from "../core-as/host/mod.ts";
import { CASES, type FixtureCase } from "../fixtures/mod.ts";
import { sameBytes } from "./helpers/bytes.ts";
import { memoryContext } from "./helpers/memory.ts";
import { applyByName, applyByPipe, pipeOf } from "./helpers/pipe.ts";

const SPARSE = new Set(["cowd", "sesparse", "hosted", "stream"]);

/** The file that holds the newest link of a case, where that is one file. */
async function singleFile(fixture: FixtureCase): Promise<Uint8Array | undefined> {
  const files = fixture.make();
  const link = await openLink(fixture.leaf, memoryContext(files), "raw");
  const [only] = link.extents;
  if (link.extents.length !== 1 || !SPARSE.has(only!.extent.format)) return undefined;
  return files[only!.extent.path];
}

for (const fixture of CASES.filter(({ expect }) => expect === "ok")) {
  const bytes = await singleFile(fixture);
  if (!bytes) continue;
  Deno.test(`${fixture.name} comes out of a pipe as it does out of its file`, async () => {
    const byName = await applyByName(bytes);
    for (const windowBytes of [256 * 1024, 3 * 1024 * 1024]) {
      const byPipe = await applyByPipe(pipeOf(bytes), { windowBytes });
      assert.ok(sameBytes(byPipe.target.bytes, byName.target.bytes), "the bytes differ");
      assert.deepEqual(byPipe.counts, byName.counts);
    }
  });
}
