/**
 * Every hint is followed once: the situation, the error with its code, what the hint says, done, and the command works.
 * A hint that cannot be followed is worse than none.
 */
import { join } from "node:path";
import { BASE, baseDisk, buildHosted, dataGrains, DELTA } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits } from "../helpers/cli.ts";
import {
  BASE_FILES,
  baseIn,
  CAPACITY,
  delta,
  DISK,
  FLAT,
  flatDescriptor,
  followHint,
  LINK,
  type Row,
} from "../helpers/followed_hints.ts";

/** Puts the disk that everything below should read as beside the others, for `compare`. */
const SAME = ["compare", DELTA, "want.img"] as const;

const ROWS: Row[] = [
  {
    situation: "a parent is in another folder of this machine",
    files: { ...delta({ parentFileNameHint: `../template/${BASE.descriptor}` }), ...baseIn("../template") },
    args: SAME,
    code: "OUTSIDE_FOLDER",
    hint: /^if that is right: (--search \S+), or --allow-outside, which follows every name/,
    follow: ([search]) => [...SAME, ...search!.split(" ")],
  },
  {
    situation: "a parent is in another folder of this machine, by the other flag",
    files: { ...delta({ parentFileNameHint: `../template/${BASE.descriptor}` }), ...baseIn("../template") },
    args: SAME,
    code: "OUTSIDE_FOLDER",
    hint: /, or (--allow-outside), which follows every name wherever it leads/,
    follow: ([flag]) => [...SAME, flag!],
  },
  {
    situation: "a parent was in a folder of the host, which is not on this machine",
    files: {
      ...delta({ parentFileNameHint: "/vmfs/volumes/501d996c/vm/disk.vmdk" }),
      ...baseIn("elsewhere"),
    },
    args: SAME,
    code: "OUTSIDE_FOLDER",
    hint: /^copy disk\.vmdk into \., or name the folder it is in with (--search) DIR$/,
    follow: ([flag]) => [...SAME, flag!, "elsewhere"],
  },
  {
    situation: "the same, and the parent is copied here",
    files: {
      ...delta({ parentFileNameHint: "/vmfs/volumes/501d996c/vm/disk.vmdk" }),
      ...baseIn("elsewhere"),
    },
    args: SAME,
    code: "OUTSIDE_FOLDER",
    hint: /^copy (\S+) into (\S+),/,
    follow([name, folder], cwd) {
      for (const each of [name!, BASE.flat]) {
        Deno.copyFileSync(join(cwd, "elsewhere", each), join(cwd, folder!, each));
      }
      return SAME;
    },
  },
  {
    situation: "an extent is not there",
    files: { [BASE.descriptor]: BASE_FILES[BASE.descriptor]!, [`elsewhere/${BASE.flat}`]: FLAT },
    args: ["check", BASE.descriptor],
    code: "NOT_FOUND",
    hint: /^copy disk-flat\.vmdk into \., or name the folder it is in with (--search) DIR$/,
    follow: ([flag]) => ["check", BASE.descriptor, flag!, "elsewhere"],
  },
  {
    situation: "a linked clone has the file name of its parent",
    files: { ...delta({ parentFileNameHint: "disk.vmdk" }, "disk.vmdk"), ...baseIn("template") },
    args: ["compare", "disk.vmdk", "want.img"],
    code: "CHAIN_CYCLE",
    hint: /: (--search) DIR names the folder it is in$/,
    follow: ([flag]) => ["compare", "disk.vmdk", "want.img", flag!, "template"],
  },
  {
    situation: "two datastores have a disk of that name and that CID",
    files: {
      ...delta({ parentFileNameHint: "/vmfs/volumes/5c9a/vm/disk.vmdk" }),
      ...baseIn("a"),
      ...baseIn("b"),
    },
    args: [...SAME, "--search", "a", "--search", "b"],
    code: "AMBIGUOUS_NAME",
    hint: /^give (--search) for the folder that is meant, and for no other$/,
    follow: ([flag]) => [...SAME, flag!, "b"],
  },
  {
    situation: "two names differ from the one in the descriptor in case alone",
    files: {
      [BASE.descriptor]: BASE_FILES[BASE.descriptor]!,
      "Disk-flat.vmdk": FLAT,
      "DISK-flat.vmdk": FLAT,
    },
    args: ["check", BASE.descriptor],
    code: "AMBIGUOUS_NAME",
    hint: /^rename the one that is meant to (\S+)$/,
    follow([name], cwd) {
      Deno.renameSync(join(cwd, "DISK-flat.vmdk"), join(cwd, name!));
      return ["check", BASE.descriptor];
    },
  },
  {
    situation: "the extent is a physical device of a Windows host",
    files: { "disk.vmdk": flatDescriptor("\\\\.\\PhysicalDrive3"), "copy.img": DISK },
    args: ["compare", "disk.vmdk", "want.img"],
    code: "NOT_FOUND",
    hint: /^name the device, or (an image of it), in the place of this descriptor$/,
    follow: () => ["compare", "copy.img", "want.img"],
  },
  {
    situation: "a delta has lost its descriptor",
    files: { ...BASE_FILES, ...delta() },
    kept: { name: DELTA, as: "kept.vmdk" },
    args: ["compare", "disk-000001-delta.vmdk", "want.img"],
    code: "NOT_FOUND",
    hint: /^keep the (descriptor) .* beside the delta; (apply) takes a delta without it$/,
    follow([, apply], cwd) {
      Deno.writeFileSync(join(cwd, "vm.img"), baseDisk(CAPACITY));
      regrainExits(0, [apply!, "disk-000001-delta.vmdk", "vm.img"], { cwd });
      assertFileHolds(join(cwd, "vm.img"), DISK);
      Deno.renameSync(join(cwd, "kept.vmdk"), join(cwd, DELTA));
      return SAME;
    },
  },
  {
    situation: "a flat copy was cut short",
    files: { ...BASE_FILES, [BASE.flat]: FLAT.slice(0, 512 * 100), ...delta(), "again.img": FLAT },
    args: SAME,
    code: "TRUNCATED",
    hint: /copy the file (again); --force reads what is missing as zeros$/,
    follow(_, cwd) {
      Deno.renameSync(join(cwd, "again.img"), join(cwd, BASE.flat));
      return SAME;
    },
  },
  {
    situation: "a flat copy was cut short, and the rest was zeros",
    files: { ...BASE_FILES, [BASE.flat]: FLAT.slice(0, 512 * 100), ...delta() },
    args: ["map", "--chain", DELTA],
    code: "TRUNCATED",
    hint: /(--force) reads what is missing as zeros$/,
    follow: ([flag]) => ["map", "--chain", DELTA, flag!],
  },
  {
    situation: "a piece of a split disk is taken for the disk",
    files: { "vm-s002.vmdk": buildHosted({ ...LINK, grainSectors: 128, grains: dataGrains([1]) }).bytes },
    args: ["map", "vm-s002.vmdk"],
    code: "NOT_A_DISK",
    hint: /(--force) takes this piece for the whole disk$/,
    follow: ([flag]) => ["map", "vm-s002.vmdk", flag!],
  },
  {
    situation: "the parent was written to after the delta was made",
    files: { ...BASE_FILES, ...delta({ parentCid: "12345678" }) },
    args: SAME,
    code: "CHAIN_BROKEN",
    exit: 5,
    hint: /(--force) goes on all the same/,
    follow: ([flag]) => [...SAME, flag!],
  },
  {
    situation: "the base of a target was written to after the delta was made",
    files: { ...BASE_FILES, ...delta({ parentCid: "12345678" }) },
    args: ["apply", DELTA, BASE.descriptor],
    code: "WRONG_BASE",
    exit: 5,
    hint: /(--force)/,
    follow: ([flag]) => ["apply", DELTA, BASE.descriptor, flag!],
  },
  {
    situation: "a flat disk is called like a sparse one",
    files: { "disk.vmdk": DISK },
    args: ["compare", "disk.vmdk", "want.img"],
    code: "NOT_A_DISK",
    hint: /(--format raw)/,
    follow: ([flags]) => ["compare", "disk.vmdk", "want.img", ...flags!.split(" ")],
  },
  {
    situation: "the target is not there",
    files: { ...BASE_FILES, ...delta() },
    args: ["apply", DELTA, "vm.img"],
    code: "TARGET_MISSING",
    exit: 2,
    hint: /^copy the base there first; (--create) makes an empty one/,
    follow(_, cwd) {
      Deno.copyFileSync(join(cwd, BASE.flat), join(cwd, "vm.img"));
      regrainExits(0, ["apply", DELTA, "vm.img"], { cwd });
      assertFileHolds(join(cwd, "vm.img"), DISK);
      return ["compare", "vm.img", "want.img"];
    },
  },
  {
    situation: "the target is larger than the disk",
    files: { ...BASE_FILES, ...delta(), "vm.img": new Uint8Array([...FLAT, ...new Uint8Array(4096)]) },
    args: ["apply", DELTA, "vm.img"],
    code: "SIZE_MISMATCH",
    exit: 5,
    hint: /(--force) /,
    follow: ([flag]) => ["apply", DELTA, "vm.img", flag!],
  },
  {
    situation: "the target is a flat disk called like a sparse one",
    files: { ...BASE_FILES, ...delta(), "vm.vmdk": FLAT },
    args: ["apply", DELTA, "vm.vmdk"],
    code: "TARGET_UNSUITABLE",
    exit: 2,
    hint: /(--format raw)/,
    follow(found, cwd) {
      regrainExits(0, ["apply", DELTA, "vm.vmdk", ...found[0]!.split(" ")], { cwd });
      return ["compare", "vm.vmdk", "want.img", "--format", "raw"];
    },
  },
  {
    situation: "a sparse file has no descriptor, and is taken for a whole disk",
    files: { "some.vmdk": buildHosted({ ...LINK, grainSectors: 128, grains: dataGrains([1]) }).bytes },
    args: ["map", "--chain", "some.vmdk"],
    code: "NOT_A_DISK",
    hint: /(--force) takes it for a disk without a parent/,
    follow: ([flag]) => ["map", "--chain", "some.vmdk", flag!],
  },
];

for (const row of ROWS) {
  Deno.test(`A17: the hint works when ${row.situation}`, () => followHint(row));
}
