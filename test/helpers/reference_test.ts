/** The reference reader, held against every fixture: whoever judges others must be right itself. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { CASES } from "../../fixtures/mod.ts";
import { readReference } from "./reference.ts";

/** A rule of the first reader alone: it takes no directory from a header that names one behind the end. */
const READ_BY_THE_REDUNDANT_DIRECTORY = "refused-hosted-directory-past-the-end";

for (const fixture of CASES) {
  if (fixture.name === READ_BY_THE_REDUNDANT_DIRECTORY) continue;
  if (fixture.expect === "ok") {
    Deno.test(`the reference reads ${fixture.name}`, () => {
      const reading = readReference(fixture.make(), fixture.leaf);
      assert.ok(reading.ok, reading.ok ? "" : reading.why);
      assert.ok(Buffer.compare(reading.bytes, fixture.expected!()) === 0, "wrong bytes");
    });
    continue;
  }
  Deno.test(`the reference refuses ${fixture.name}`, () => {
    const reading = readReference(fixture.make(), fixture.leaf);
    assert.ok(!reading.ok, "it was read");
  });
}
