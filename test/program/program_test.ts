/** The program from outside: transcripts, and what a transcript cannot say. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainCommand, regrainExits } from "../helpers/cli.ts";
import { testTranscripts } from "../helpers/transcript.ts";
import { withTempDir } from "../helpers/peers.ts";

const TRANSCRIPTS = new URL("../transcripts/", import.meta.url).pathname;

for (const { name } of [...Deno.readDirSync(TRANSCRIPTS)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  testTranscripts(`${TRANSCRIPTS}/${name}`);
}

Deno.test("a reader that goes away ends the listing, quietly and with success", () =>
  withTempDir(async (folder) => {
    const fixture = caseNamed("cowd-interleaved-first-touch");
    await writeCase(fixture, folder);
    // More than a pipe holds, so that the writer is still writing when the reader goes.
    const child = regrainCommand(["map", "--json", ...Array(12).fill(`${folder}/${fixture.leaf}`)], {
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    assert.ok((await reader.read()).value!.length > 0);
    await reader.cancel();
    const stderr = await new Response(child.stderr).text();
    assert.deepEqual([(await child.status).code, stderr], [0, ""]);
  }));

Deno.test("apply --json is NDJSON: the plan, then a summary whose sums make up the disk", () =>
  withTempDir(async (folder) => {
    for (const name of ["sesparse-all-four-kinds", "cowd-data-grains-full-of-zeros", "chain-disk-grown"]) {
      const fixture = caseNamed(name);
      await writeCase(fixture, folder);
      const target = `${folder}/vm.img`;
      Deno.copyFileSync(`${folder}/${fixture.base!.flat}`, target);
      Deno.truncateSync(target, fixture.capacitySectors * 512);
      const { stdout } = regrainExits(0, ["apply", "--json", "--chain", `${folder}/${fixture.leaf}`, target]);
      const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
      const [plan, summary] = [events[0], events.at(-1)];
      const diskBytes = fixture.capacitySectors * 512;
      assert.equal(plan.type, "plan");
      assert.equal(plan.diskBytes, diskBytes);
      assert.equal(plan.writeBytes + plan.zeroBytes + plan.skipBytes, diskBytes);
      assert.equal(summary.type, "summary");
      assert.equal(summary.status, "done");
      assert.equal(summary.diskBytes, diskBytes);
      const { writtenBytes, sparedBytes, zeroedBytes, skippedBytes } = summary;
      assert.equal(writtenBytes + sparedBytes + zeroedBytes + skippedBytes, diskBytes);
      assert.equal(writtenBytes + sparedBytes, plan.writeBytes);
      assert.equal(zeroedBytes, plan.zeroBytes);
      assertFileHolds(target, fixture.expected!());
    }
  }));

Deno.test("apply --json --dry-run lists operations in order, and writes nothing", () =>
  withTempDir(async (folder) => {
    const fixture = caseNamed("sesparse-all-four-kinds");
    await writeCase(fixture, folder);
    const target = `${folder}/disk-flat.vmdk`;
    const before = Deno.readFileSync(target);
    const args = ["apply", "--json", "--dry-run", `${folder}/${fixture.leaf}`, target];
    const events = regrainExits(0, args).stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    const operations = events.filter(({ type }) => type === "operation");
    assert.equal(operations.length, events[0].operationCount);
    operations.slice(1).forEach((each, i) =>
      assert.ok(operations[i].start + operations[i].length <= each.start)
    );
    const { judgement, ...summary } = events.at(-1);
    assert.deepEqual(summary, { type: "summary", status: "dry-run" });
    assert.equal(judgement.state, "unknown");
    assertFileHolds(target, before);
  }));
