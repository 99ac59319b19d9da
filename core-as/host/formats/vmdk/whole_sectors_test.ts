import assert from "node:assert/strict";
import {
  BASE,
  BASE_CID,
  baseFiles,
  buildCowd,
  buildSeSparse,
  dataGrains,
  DELTA,
  deltaFiles,
} from "../../../../fixtures/mod.ts";
import { core, memoryContext } from "../../../../test/helpers/memory.ts";
import { openLink } from "../../disk/open_link.ts";
import { requireSound, surveyLink } from "../../disk/survey.ts";

const link = { capacitySectors: 512, seed: 3, grains: dataGrains([1, 5]) };

for (const kind of ["cowd", "sesparse"] as const) {
  Deno.test(`D10: a ${kind} file that a text-mode transfer made longer by some bytes is a doubt`, async () => {
    const { bytes } = kind === "cowd" ? buildCowd({ ...link, grainSectors: 1 }) : buildSeSparse(link);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes.subarray(0, -512));
    shifted.set(bytes.subarray(-512), bytes.length - 511);
    for (const [file, isOdd] of [[bytes, false], [shifted, true]] as const) {
      const descriptor = { cid: "2", parentCid: BASE_CID, parentFileNameHint: BASE.descriptor };
      const files = {
        ...baseFiles({ capacitySectors: 512 }),
        ...deltaFiles({ kind, bytes: file, capacitySectors: 512, descriptor }),
      };
      const opened = await openLink(DELTA, memoryContext(files), "delta");
      const survey = await surveyLink(core, opened, { overlaps: true });
      const refuse = () => requireSound(survey, { force: false });
      if (!isOdd) refuse();
      else assert.throws(refuse, /no whole number of sectors of 512/);
      requireSound(survey, { force: true });
    }
  });
}
