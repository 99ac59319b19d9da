/** Real disks that other programs wrote, from the folder that `REGRAIN_SAMPLES` names. */
import assert from "node:assert/strict";
import { sha256File } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { peer, testWithPeers, withTempDir } from "../helpers/peers.ts";

const TEN_MIB = "a3bcf05f07a1c06a3380eeca8571f0efb2b85afafa1e21662b8cad436d1f7727";

/** Path in the folder, bytes of the disk, and the hash of what it reads as by qemu-img. */
const SAMPLES: readonly (readonly [path: string, sizeBytes: number, sum: string])[] = [
  ["plaso/image.vmdk", 102_400, "854c3db1c4a07a241e2ed9fbd8892adf2adc662c7862a75deed26f3483f414c9"],
  ["vmdk-rs/monolithicFlat.vmdk", 10_485_760, TEN_MIB],
  ["vmdk-rs/monolithicSparse.vmdk", 10_485_760, TEN_MIB],
  ["vmdk-rs/streamOptimized.vmdk", 10_485_760, TEN_MIB],
  [
    "vmdk-rs/streamOptimizedWithMarkers.vmdk",
    1_048_576,
    "92c0f8b4280377437056f57c51ef51a5f8aeb1462ac630ef0633febcbfc3db4e",
  ],
  ["vmdk-rs/twoGbMaxExtentSparse.vmdk", 10_485_760, TEN_MIB],
  [
    "vmdk-rs/vmfs_thick.vmdk",
    2_097_152,
    "8d43c795d24bce01b49f92744f934c1072210dcac170bb1c83a5aa56df46ab7d",
  ],
];

for (const [path, sizeBytes, sum] of SAMPLES) {
  testWithPeers(
    `the real disk ${path} is sound and reads as its known hash`,
    ["samples"],
    () =>
      withTempDir((folder) => {
        const image = `${peer("samples")}/${path}`;
        const checked = JSON.parse(regrainExits(0, ["check", "--json", image]).stdout);
        assert.deepEqual(checked.links[0].findings, []);
        const { capacityBytes, chainError } = JSON.parse(regrainExits(0, ["info", "--json", image]).stdout);
        assert.equal(capacityBytes, sizeBytes);
        assert.equal(chainError, null);
        regrainExits(0, ["apply", "--create", image, `${folder}/disk.raw`]);
        assert.equal(sha256File(`${folder}/disk.raw`), sum);
      }),
  );
}

testWithPeers(
  "a real child whose delta is absent is refused by the name of what is missing",
  ["samples"],
  () =>
    withTempDir((folder) => {
      const image = `${peer("samples")}/vmdk-rs/vmfs_thick-000001.vmdk`;
      for (
        const args of [["info", image], ["check", image], ["apply", "--create", image, `${folder}/disk.raw`]]
      ) {
        const { message, hint } = regrainRefuses({ code: "NOT_FOUND", exit: 4 }, args);
        assert.match(
          message,
          /vmfs_thick-000001\.vmdk: the extent "vmfs_thick-000001-delta\.vmdk" is not there/,
        );
        assert.match(hint!, /--search/);
      }
      assert.deepEqual([...Deno.readDirSync(folder)], []);
    }),
);
