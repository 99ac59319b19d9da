/** Somebody else changes a file while an apply is under way: seen in the end, whatever was changed. */
import assert from "node:assert/strict";
import { createContext } from "../../cli/context.ts";
import { intentOf, prepareDeltas } from "../../cli/apply/prepare.ts";
import { prepareTarget } from "../../cli/target/prepare.ts";
import { runPrepared } from "../../cli/apply/run.ts";
import { type Io, pickIo } from "../../cli/io/mod.ts";
import {
  baseDisk,
  baseFiles,
  buildCowd,
  deltaFiles,
  type Grain,
  type LinkSpec,
  overlay,
} from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { withTempDir } from "../helpers/peers.ts";

const CAPACITY = 2048;
const LINK: LinkSpec = {
  capacitySectors: CAPACITY,
  grainSectors: 1,
  seed: 3,
  grains: Array.from({ length: 300 }, (_, i): Grain => ({ index: i * 2, kind: "data" })),
};
const EXTENT = "disk-000001-delta.vmdk";

function writeFiles(folder: string): void {
  const delta = deltaFiles({ kind: "cowd", bytes: buildCowd(LINK).bytes, capacitySectors: CAPACITY });
  const files = { ...baseFiles({ capacitySectors: CAPACITY }), ...delta, "vm.img": baseDisk(CAPACITY) };
  for (const [name, content] of Object.entries(files)) {
    Deno.writeFileSync(`${folder}/${name}`, content);
    // So old that writing to it now shows, however coarse the clock of the file system is.
    Deno.utimeSync(`${folder}/${name}`, 1e9, 1e9);
  }
}

/** Applies onto `target`, and calls `disturb` once, when the first buffer was written. */
async function applyDisturbed(
  io: Io,
  about: {
    folder: string;
    target: string;
    disturb: () => void;
    force?: boolean;
    warn?: string[];
    journal?: string;
  },
): Promise<void> {
  const { folder, force = false, warn = [] } = about;
  const context = createContext(io, {});
  const request = {
    deltas: [`${folder}/disk-000001.vmdk`],
    target: `${folder}/${about.target}`,
    chain: false,
    create: false,
    force,
    dryRun: false,
  };
  const prepared = await prepareDeltas(request, context);
  const target = (await prepareTarget(request, intentOf(prepared.disk), { io, context }))!;
  let isDisturbed = false;
  try {
    await runPrepared({ prepared, target, io }, {
      sparse: "auto",
      resume: false,
      force,
      journal: about.journal,
      warn: (sentence) => warn.push(sentence),
      onProgress: () => {
        if (!isDisturbed) about.disturb();
        isDisturbed = true;
      },
    });
    assert.ok(isDisturbed);
  } finally {
    target.target.close();
    prepared.disk.close();
  }
}

function overwrite(path: string, offsetBytes: number): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offsetBytes, 0);
  file.writeSync(new Uint8Array([0xee]));
}

const IOS: readonly (readonly [string, () => Io])[] = [
  ["as picked", () => pickIo()],
  ["portable", () => pickIo("portable")],
];

for (const [name, open] of IOS) {
  Deno.test(`A20: a target that is replaced, removed or cut while it is written is an error (${name})`, () =>
    withTempDir(async (folder) => {
      for (const target of ["vm.img", "disk.vmdk"]) {
        const file = `${folder}/${target === "vm.img" ? target : "disk-flat.vmdk"}`;
        const ways: readonly (readonly [() => void, RegExp])[] = [
          [() => {
            Deno.copyFileSync(file, `${file}.new`);
            Deno.renameSync(`${file}.new`, file);
          }, /another file was put in its place/],
          [() => Deno.removeSync(file), /it was removed, or moved away/],
          [() => Deno.truncateSync(file, 512 * 1000), /it had 1048576 bytes, and has \d+ now/],
        ];
        for (const [disturb, message] of ways) {
          writeFiles(folder);
          const before = Deno.readFileSync(`${folder}/disk.vmdk`);
          const failing = applyDisturbed(open(), { folder, target, disturb });
          await assert.rejects(failing, { code: "TARGET_CHANGED", path: file, message });
          // Its content id would say that it holds what the delta holds.
          assertFileHolds(`${folder}/disk.vmdk`, before);
        }
      }
    }));

  Deno.test(`A20: a delta that is written to while it is read is an error, or a warning by force (${name})`, () =>
    withTempDir(async (folder) => {
      const extent = `${folder}/${EXTENT}`;
      const ways: readonly (readonly [() => void, RegExp])[] = [
        [() => overwrite(extent, Deno.statSync(extent).size + 511), /it had \d+ bytes, and has \d+ now/],
        [() => overwrite(extent, Deno.statSync(extent).size - 1), /it was written to/],
      ];
      for (const [disturb, message] of ways) {
        writeFiles(folder);
        const before = Deno.readFileSync(`${folder}/disk.vmdk`);
        const journal = `${folder}/vm.journal`;
        const failing = applyDisturbed(open(), { folder, target: "disk.vmdk", disturb, journal });
        await assert.rejects(failing, { code: "INPUT_CHANGED", path: extent, message });
        assertFileHolds(`${folder}/disk.vmdk`, before);
        // What was read is not to be built on.
        assert.equal(JSON.parse(Deno.readTextFileSync(journal)).doneBytes, 0);
        Deno.removeSync(journal);
        writeFiles(folder);
        const warn: string[] = [];
        await applyDisturbed(open(), { folder, target: "disk.vmdk", disturb, force: true, warn });
        assert.match(warn.join(), message);
      }
    }));

  Deno.test(`A20: a delta that another file takes the place of was read whole (${name})`, () =>
    withTempDir(async (folder) => {
      writeFiles(folder);
      const disturb = () => Deno.renameSync(`${folder}/vm.img`, `${folder}/${EXTENT}`);
      await applyDisturbed(open(), { folder, target: "disk.vmdk", disturb });
      assertFileHolds(`${folder}/disk-flat.vmdk`, overlay(baseDisk(CAPACITY), LINK));
    }));
}
