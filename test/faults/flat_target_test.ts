/** Targets that are a descriptor with flat extents: extents that share a file, and files that are too short. */
import assert from "node:assert/strict";
import {
  BASE,
  baseDisk,
  buildCowd,
  buildDescriptor,
  dataGrains,
  DELTA,
  deltaFiles,
  type ExtentLine,
  overlay,
} from "../../fixtures/mod.ts";
import { BASE_CID } from "../../fixtures/case.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { tryRun, withTempDir } from "../helpers/peers.ts";

const SECTORS = 4096;
const HALF = SECTORS / 2;
const HALF_BYTES = HALF * 512;

interface Place {
  readonly folder: string;
  /** Arguments that apply the delta onto the descriptor. */
  readonly args: readonly string[];
  /** What the disk holds before and after. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** A delta with data all over the disk, and a descriptor with these extent lines as its base. */
async function withTarget(
  extents: readonly ExtentLine[],
  fn: (place: Place) => void | Promise<void>,
  capacitySectors = SECTORS,
): Promise<void> {
  const grains = dataGrains(Array.from({ length: 60 }, (_, i) => 1 + i * 67));
  const link = { capacitySectors, grainSectors: 1, seed: 5, grains };
  const files = deltaFiles({ kind: "cowd", bytes: buildCowd(link).bytes, capacitySectors });
  const before = baseDisk(SECTORS);
  await withTempDir(async (folder) => {
    for (const [name, bytes] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, bytes);
    const descriptor = buildDescriptor({ createType: "custom", cid: BASE_CID, extents });
    Deno.writeFileSync(`${folder}/${BASE.descriptor}`, descriptor);
    const args = ["apply", `${folder}/${DELTA}`, `${folder}/${BASE.descriptor}`];
    await fn({ folder, args, before, after: overlay(before, link) });
  });
}

/** The second half of a disk first, as the extents below name it. */
function swapped(disk: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...disk.subarray(HALF_BYTES), ...disk.subarray(0, HALF_BYTES)]);
}

for (const alias of ["the same name", "a hard link", "a symbolic link"] as const) {
  Deno.test(`D11: two extents in one file, by ${alias}, are opened and locked once and applied to`, async () => {
    const second = alias === "the same name" ? "disk.bin" : "other.bin";
    const extents = [
      { sectors: HALF, type: "FLAT", file: "disk.bin", offsetSectors: HALF },
      { sectors: HALF, type: "FLAT", file: second, offsetSectors: 0 },
    ];
    await withTarget(extents, ({ folder, args, before, after }) => {
      Deno.writeFileSync(`${folder}/disk.bin`, swapped(before));
      if (alias === "a hard link") Deno.linkSync(`${folder}/disk.bin`, `${folder}/other.bin`);
      if (alias === "a symbolic link") Deno.symlinkSync("disk.bin", `${folder}/other.bin`);
      regrainExits(0, [...args, "--verify", "--undo", `${folder}/undo`]);
      assertFileHolds(`${folder}/disk.bin`, swapped(after));
      regrainExits(0, ["apply", `${folder}/undo`, args.at(-1)!]);
      assertFileHolds(`${folder}/disk.bin`, swapped(before));
    });
  });
}

Deno.test("D11: two extents over the same bytes of one file, under two names, are refused", async () => {
  const extents = [
    { sectors: HALF, type: "FLAT", file: "disk.bin", offsetSectors: 0 },
    { sectors: HALF, type: "FLAT", file: "other.bin", offsetSectors: HALF - 1 },
  ];
  await withTarget(extents, ({ folder, args, before }) => {
    Deno.writeFileSync(`${folder}/disk.bin`, before);
    Deno.linkSync(`${folder}/disk.bin`, `${folder}/other.bin`);
    const { message } = regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, args);
    assert.match(message, new RegExp(`share bytes of .*, from byte ${(HALF - 1) * 512} on`));
    assertFileHolds(`${folder}/disk.bin`, before);
  });
});

Deno.test("D13: a half-copied extent is named with its line, and the cut copy comes before truncate", async () => {
  const extents = [
    { sectors: HALF, type: "FLAT", file: "disk-f001.vmdk", offsetSectors: 0 },
    { sectors: HALF, type: "FLAT", file: "disk-f002.vmdk", offsetSectors: 0 },
  ];
  await withTarget(extents, ({ folder, args, before, after }) => {
    Deno.writeFileSync(`${folder}/disk-f001.vmdk`, before.subarray(0, HALF_BYTES));
    const half = `${folder}/disk-f002.vmdk`;
    Deno.writeFileSync(half, before.subarray(HALF_BYTES, HALF_BYTES + 70_000));
    const { message, hint } = regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, args);
    assert.equal(
      message,
      `${half}: extent 2 of 2, RW ${HALF} FLAT "disk-f002.vmdk" 0, needs ${HALF_BYTES} bytes, its file has 70000`,
    );
    assertCutCopyFirst(hint, `truncate -s ${HALF_BYTES} ${half}`);
    assertFileHolds(`${folder}/disk-f001.vmdk`, before.subarray(0, HALF_BYTES));
    // What the hint says first: the source is longer, so it is copied again.
    Deno.writeFileSync(half, before.subarray(HALF_BYTES));
    regrainExits(0, args);
    assertFileHolds(`${folder}/disk-f001.vmdk`, after.subarray(0, HALF_BYTES));
    assertFileHolds(half, after.subarray(HALF_BYTES));
  });
});

Deno.test("D13: truncate, as the hint says second, helps a source that lost its zero tail", async () => {
  await withTarget(
    [{ sectors: SECTORS, type: "VMFS", file: BASE.flat }],
    ({ folder, args, before, after }) => {
      const tail = 5 * 512;
      const flat = `${folder}/${BASE.flat}`;
      Deno.writeFileSync(flat, before.subarray(0, before.length - tail));
      const { hint } = regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, args);
      follow(/truncate -s \d+ \S+/.exec(hint!)![0]);
      regrainExits(0, args);
      assertFileHolds(flat, after.slice().fill(0, after.length - tail));
    },
  );
});

Deno.test("D13: a raw image that is too short: the cut copy comes first, truncate second, and both work", async () => {
  await withTarget([], ({ folder, args, before, after }) => {
    const image = `${folder}/disk.img`;
    const onImage = [...args.slice(0, -1), image];
    Deno.writeFileSync(image, before.subarray(0, before.length - 512 * 9));
    const { message, hint } = regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, onImage);
    assert.match(message, /the target has 2092544 bytes, the disk 2097152: too small/);
    assertCutCopyFirst(hint, `truncate -s ${before.length} ${image}`);
    follow(/truncate -s \d+ \S+/.exec(hint!)![0]);
    regrainExits(0, onImage);
    assertFileHolds(image, after.slice().fill(0, after.length - 512 * 9));
  });
});

Deno.test("D13: of a disk that outgrew its base the extent line is named, and no text file is truncated", async () => {
  const extents = [{ sectors: SECTORS, type: "VMFS", file: BASE.flat }];
  await withTarget(extents, ({ folder, args, before }) => {
    const [descriptor, flat] = [`${folder}/${BASE.descriptor}`, `${folder}/${BASE.flat}`];
    Deno.writeFileSync(flat, before);
    const { hint } = regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, args);
    assert.match(hint!, /^the copy may not be complete, or not of this disk/);
    const [, written, instead] = /write (RW .*?) instead of (RW .*?) there/.exec(hint!)!;
    assert.equal(instead, `RW ${SECTORS} VMFS "${BASE.flat}"`);
    const truncate = /truncate -s \d+ [^;]+/.exec(hint!)![0];
    assert.equal(truncate, `truncate -s ${6000 * 512} ${flat}`);
    // Both steps of the hint.
    const text = Deno.readTextFileSync(descriptor);
    Deno.writeTextFileSync(descriptor, text.replace(instead!, written!));
    follow(truncate);
    regrainExits(0, args);
    assert.equal(Deno.statSync(flat).size, 6000 * 512);
  }, 6000);
});

/** The cut copy is what a reader meets first; truncate follows with what it risks. */
function assertCutCopyFirst(hint: string | undefined, truncate: string): void {
  assert.match(hint!, /^the copy may not be complete: compare its size with the source's/);
  assert.ok(hint!.indexOf(truncate) > 0, hint);
  assert.match(hint!.slice(hint!.indexOf(truncate)), /a cut copy becomes a wrong disk by that/);
}

function follow(command: string): void {
  const [program, ...args] = command.split(" ");
  const { code, stderr } = tryRun(program!, args);
  assert.equal(code, 0, stderr);
}
