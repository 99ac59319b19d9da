/** How often an apply goes over the tables of its deltas: those of a disk of some terabytes are gigabytes. */
import assert from "node:assert/strict";
import { intentOf, prepareDeltas } from "../../cli/apply/prepare.ts";
import { runPrepared } from "../../cli/apply/run.ts";
import { createContext } from "../../cli/context.ts";
import { pickIo } from "../../cli/io/mod.ts";
import { prepareTarget } from "../../cli/target/prepare.ts";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { withTempDir } from "../helpers/peers.ts";

Deno.test("an undo file and a journal cost one walk over the tables more, not one each", () =>
  withTempDir(async (folder) => {
    const io = pickIo(undefined);
    const context = createContext(io, {});
    const walksWith = async (flags: { undo?: string; journal?: string }) => {
      const fixture = caseNamed("sesparse-all-four-kinds");
      await writeCase(fixture, folder);
      const request = {
        ...{ deltas: [`${folder}/${fixture.leaf}`], target: `${folder}/${fixture.base!.flat}`, chain: false },
        ...{ force: true, create: false, dryRun: false, use: "apply" as const },
      };
      const prepared = await prepareDeltas(request, context);
      const target = (await prepareTarget(request, intentOf(prepared.disk), { io, context }))!;
      let walks = 0;
      const { disk } = prepared;
      const walk = disk.walk.bind(disk);
      disk.walk = (...args) => (walks++, walk(...args));
      try {
        await runPrepared({ prepared, target, io }, {
          ...flags,
          sparse: "auto",
          resume: false,
          onProgress() {},
        });
      } finally {
        target.target.close();
        disk.close();
      }
      return walks;
    };
    const plain = await walksWith({});
    assert.equal(await walksWith({ undo: `${folder}/u` }), plain + 1);
    assert.equal(await walksWith({ undo: `${folder}/v`, journal: `${folder}/j` }), plain + 1);
  }));
