/** Images that qemu-img makes, as input of ours: sound to `check`, and the bytes that qemu-img itself reads. */
import assert from "node:assert/strict";
import { fullDisk } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits } from "../helpers/cli.ts";
import { run, testWithPeers, withTempDir } from "../helpers/peers.ts";

/** Neither a multiple of a grain nor of a block of 4 KiB; some of it is zeros. */
const CAPACITY_SECTORS = 16_391;
const SIZE_BYTES = CAPACITY_SECTORS * 512;

/** Options of `qemu-img convert -O vmdk`, and what `info` calls the result. */
const VARIANTS: readonly (readonly [options: string, format: string])[] = [
  ["subformat=monolithicSparse", "hosted"],
  ["subformat=monolithicFlat", "flat"],
  ["subformat=twoGbMaxExtentSparse", "hosted"],
  ["subformat=twoGbMaxExtentFlat", "flat"],
  ["subformat=streamOptimized", "stream"],
  ["subformat=monolithicSparse,zeroed_grain=on", "hosted"],
  ["subformat=twoGbMaxExtentSparse,zeroed_grain=on", "hosted"],
  ["subformat=monolithicSparse,compat6=on", "hosted"],
  ["subformat=monolithicSparse,hwversion=11,adapter_type=lsilogic", "hosted"],
];

for (const [options, format] of VARIANTS) {
  testWithPeers(`an image made by qemu-img with ${options} is sound, and read as qemu-img reads it`, [
    "qemu-img",
  ], () =>
    withTempDir((folder) => {
      const content = diskWithZeros();
      Deno.writeFileSync(`${folder}/source.raw`, content);
      const image = `${folder}/disk.vmdk`;
      run("qemu-img", ["convert", "-O", "vmdk", "-o", options, `${folder}/source.raw`, image]);
      assertSound(image, { format });
      regrainExits(0, ["apply", "--create", image, `${folder}/ours.raw`]);
      assertFileHolds(`${folder}/ours.raw`, content);
      run("qemu-img", ["compare", "-f", "vmdk", "-F", "raw", image, `${folder}/ours.raw`]);
    }));
}

for (
  const subformat of ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"]
) {
  testWithPeers(
    `an empty ${subformat} image made by qemu-img is sound and reads as zeros`,
    ["qemu-img"],
    () =>
      withTempDir((folder) => {
        const image = `${folder}/disk.vmdk`;
        run("qemu-img", ["create", "-q", "-f", "vmdk", "-o", `subformat=${subformat}`, image, "3M"]);
        assertSound(image, {});
        regrainExits(0, ["apply", "--create", image, `${folder}/ours.raw`]);
        assertFileHolds(`${folder}/ours.raw`, new Uint8Array(3 * 1024 * 1024));
      }),
  );
}

testWithPeers(
  "a split image of qemu-img whose parts meet at 2 GiB is read across the seam",
  ["qemu-img", "qemu-io"],
  () =>
    withTempDir((folder) => {
      const image = `${folder}/disk.vmdk`;
      run("qemu-img", ["create", "-q", "-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", image, "2200M"]);
      run("qemu-io", ["-f", "vmdk", "-c", "write -P 0x5a 2047M 2M", image]);
      assertSound(image, { format: "hosted" });
      const { runs } = JSON.parse(regrainExits(0, ["map", "--json", image]).stdout);
      const data = runs.filter((each: { kind: string }) => each.kind === "data");
      const seam = 2048 * 1024 * 1024;
      assert.deepEqual(
        data.map((each: { start: number; length: number; file: number }) => [
          each.start,
          each.length,
          each.file,
        ]),
        [[seam - 1024 * 1024, 1024 * 1024, 0], [seam, 1024 * 1024, 1]],
      );
    }),
);

for (const zeroedGrain of ["off", "on"]) {
  testWithPeers(
    `children that qemu-io wrote, zeros included, with zeroed_grain=${zeroedGrain}, apply to what qemu-img reads`,
    ["qemu-img", "qemu-io"],
    () =>
      withTempDir((folder) => {
        makeQemuChain(folder, zeroedGrain);
        for (const leaf of ["child", "grandchild"]) {
          const image = `${folder}/${leaf}.vmdk`;
          assertSound(image, { format: "hosted", flags: ["--chain"] });
          run("qemu-img", ["convert", "-f", "vmdk", "-O", "raw", image, `${folder}/${leaf}-qemu.raw`]);
          run("qemu-img", [
            "convert",
            "-f",
            "vmdk",
            "-O",
            "raw",
            `${folder}/base.vmdk`,
            `${folder}/${leaf}.raw`,
          ]);
          regrainExits(0, ["apply", "--chain", image, `${folder}/${leaf}.raw`]);
          assertFileHolds(`${folder}/${leaf}.raw`, Deno.readFileSync(`${folder}/${leaf}-qemu.raw`));
        }
        const { zeroBytes } = JSON.parse(regrainExits(0, ["info", "--json", `${folder}/child.vmdk`]).stdout);
        assert.equal(zeroBytes, zeroedGrain === "on" ? 5 * 65536 : 0);
      }),
  );
}

/** Data, a stretch of zeros of no round size, data up to the last sector. */
function diskWithZeros(): Uint8Array {
  const content = fullDisk({ seed: 300, capacitySectors: CAPACITY_SECTORS });
  content.fill(0, 1_000_448, 7_000_064);
  content.fill(0, 0, 512);
  assert.equal(content.length, SIZE_BYTES);
  return content;
}

function makeQemuChain(folder: string, zeroedGrain: string): void {
  const create = (name: string, more: readonly string[]) =>
    run("qemu-img", ["create", "-q", "-f", "vmdk", ...more, `${folder}/${name}`]);
  const write = (name: string, ...commands: readonly string[]) =>
    run("qemu-io", ["-f", "vmdk", ...commands.flatMap((command) => ["-c", command]), `${folder}/${name}`]);
  const over = (
    name: string,
  ) => ["-F", "vmdk", "-b", `${folder}/${name}`, "-o", `zeroed_grain=${zeroedGrain}`];
  Deno.writeFileSync(`${folder}/base.raw`, fullDisk({ seed: 301, capacitySectors: CAPACITY_SECTORS }));
  run("qemu-img", ["convert", "-O", "vmdk", `${folder}/base.raw`, `${folder}/base.vmdk`]);
  create("child.vmdk", over("base.vmdk"));
  write(
    "child.vmdk",
    "write -P 0x33 1M 128k",
    "write -P 0x44 100k 3k",
    "write -z 2M 256k",
    "write -z 3000k 100k",
    "write -P 0x55 8128k 32k",
  );
  create("grandchild.vmdk", over("child.vmdk"));
  write("grandchild.vmdk", "write -z 0 1M", "write -P 0x66 2M 64k", "write -P 0x77 1100k 1k");
}

/** `check` finds nothing, not even something odd; `info` names the format. */
function assertSound(image: string, expected: { format?: string; flags?: readonly string[] }): void {
  const checked = JSON.parse(regrainExits(0, ["check", "--json", ...expected.flags ?? [], image]).stdout);
  assert.equal(checked.sound, true);
  for (const link of checked.links) assert.deepEqual(link.findings, []);
  for (const verdict of checked.verdicts) assert.equal(verdict.state, "match");
  if (expected.format === undefined) return;
  assert.deepEqual(JSON.parse(regrainExits(0, ["info", "--json", image]).stdout).format, [expected.format]);
}
