/** Every fixture, read through the core: right bytes or the right code. */
import assert from "node:assert/strict";
import {
  Disk,
  judge,
  type LinkSurvey,
  openChain,
  openLink,
  RegrainError,
  requireMatch,
  requireSound,
  surveyLink,
} from "../../core-as/host/mod.ts";
import { CASES, type FixtureCase } from "../../fixtures/mod.ts";
import { core, memoryContext, readWhole } from "../helpers/memory.ts";

/** What `apply` and `check` do before they believe a chain. */
async function openSound(fixture: FixtureCase): Promise<{ disk: Disk; surveys: LinkSurvey[] }> {
  const links = await openChain(fixture.leaf, memoryContext(fixture.make()));
  const surveys: LinkSurvey[] = [];
  links.slice(1).forEach((parent, i) => requireMatch(judge(links[i]!, parent)));
  for (const link of links) {
    const survey = await surveyLink(core, link, { overlaps: true });
    requireSound(survey, { force: false });
    surveys.push(survey);
  }
  return { disk: new Disk(core, links), surveys };
}

async function openAsDelta(fixture: FixtureCase): Promise<void> {
  const context = memoryContext(fixture.make());
  requireSound(await surveyLink(core, await openLink(fixture.leaf, context, "delta"), { overlaps: true }), {
    force: false,
  });
}

for (const fixture of CASES) {
  if (fixture.expect === "ok") {
    Deno.test(`${fixture.name} reads as it should`, async () => {
      const { disk, surveys } = await openSound(fixture);
      assert.equal(disk.capacitySectors, fixture.capacitySectors);
      const found = await readWhole(disk);
      assert.equal(firstDifference(found, fixture.expected!()), -1, "first wrong byte");
      if (fixture.counts) {
        const { dataBytes, zeroBytes, holeBytes } = surveys[0]!;
        assert.deepEqual({ dataBytes, zeroBytes, holeBytes }, fixture.counts);
      }
      if (fixture.warns) {
        assert.ok(surveys.some(({ findings }) => findings.counts.note > 0), "nothing was said");
      }
    });
    continue;
  }
  const codes = fixture.expect;
  // Without any magic a file may still be a raw disk; it is refused where a VMDK is needed.
  const open = codes.includes("NOT_A_DISK") ? openAsDelta : openSound;
  Deno.test(`${fixture.name} is refused as ${codes.join(" or ")}`, async () => {
    await assert.rejects(open(fixture), (error) => {
      assert.ok(error instanceof RegrainError, String(error));
      assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
      assert.ok(error.path !== undefined && error.path !== "", "the error names no file");
      return true;
    });
  });
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}
