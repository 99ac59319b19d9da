/** Block devices: what applying to a file gives is what applying to a device gives. */
import assert from "node:assert/strict";
import { caseNamed, type FixtureCase, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds, sha256File } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, withLoop, withMount, withTempDir } from "../helpers/peers.ts";

/** One of each format, with zero grains where the format has them, and a mixed chain. */
const ON_DEVICES = [
  "cowd-zero-grains",
  "cowd-data-grains-full-of-zeros",
  "sesparse-all-four-kinds",
  "hosted-version-2-zero-grains",
  "chain-five-links-of-three-kinds",
  "chain-zero-grains-mask-data-below",
];

for (const name of ON_DEVICES) {
  testWithPeers(
    `${name}: a loop device ends up like a file, whatever --sparse says`,
    ["root-loop"],
    () =>
      withTempDir(async (folder) => {
        const fixture = caseNamed(name);
        await writeCase(fixture, folder);
        const expected = fixture.expected!();
        for (const sparse of ["auto", "always", "never"]) {
          const image = copyBase(fixture, folder, fixture.capacitySectors);
          await withLoop(image, (device) => {
            regrainExits(0, ["apply", "--sparse", sparse, "--chain", `${folder}/${fixture.leaf}`, device]);
          });
          assertFileHolds(image, expected);
        }
      }),
  );
}

testWithPeers("a device larger than the disk is taken, and what lies behind the disk is left alone", [
  "root-loop",
], () =>
  withTempDir(async (folder) => {
    const fixture = caseNamed("cowd-last-table-partial");
    await writeCase(fixture, folder);
    const image = copyBase(fixture, folder, 16_384);
    const behind = new Uint8Array((16_384 - fixture.capacitySectors) * 512).fill(0xa5);
    using file = Deno.openSync(image, { write: true });
    file.seekSync(fixture.capacitySectors * 512, Deno.SeekMode.Start);
    file.writeSync(behind);
    await withLoop(image, (device) => {
      regrainExits(0, ["apply", `${folder}/${fixture.leaf}`, device]);
    });
    const expected = new Uint8Array(16_384 * 512);
    expected.set(fixture.expected!());
    expected.set(behind, fixture.capacitySectors * 512);
    assertFileHolds(image, expected);
  }));

testWithPeers(
  "a device smaller than the disk is refused before anything is written",
  ["root-loop"],
  () =>
    withTempDir(async (folder) => {
      const fixture = caseNamed("cowd-plain");
      await writeCase(fixture, folder);
      const image = copyBase(fixture, folder, fixture.capacitySectors - 8);
      const before = sha256File(image);
      await withLoop(image, (device) => {
        const { message } = regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, [
          "apply",
          "--force",
          `${folder}/${fixture.leaf}`,
          device,
        ]);
        assert.match(message, /the target has 6287360 bytes, the disk 6291456/);
      });
      assert.equal(sha256File(image), before);
    }),
);

testWithPeers("the portable way writes a device as well", ["root-loop"], () =>
  withTempDir(async (folder) => {
    const fixture = caseNamed("sesparse-all-four-kinds");
    await writeCase(fixture, folder);
    const image = copyBase(fixture, folder, fixture.capacitySectors);
    await withLoop(image, (device) => {
      regrainExits(0, ["apply", "--io", "portable", `${folder}/${fixture.leaf}`, device]);
    });
    assertFileHolds(image, fixture.expected!());
  }));

testWithPeers(
  "a mounted device is refused",
  ["root-loop", "root-mount", "mkfs.ext4"],
  () =>
    withTempDir(async (folder) => {
      const fixture = caseNamed("sesparse-low-bits-of-the-index");
      await writeCase(fixture, folder);
      const image = copyBase(fixture, folder, fixture.capacitySectors);
      run("mkfs.ext4", ["-q", "-F", "-O", "^has_journal", image]);
      Deno.mkdirSync(`${folder}/mount`);
      await withLoop(image, (device) =>
        withMount(`${folder}/mount`, ["-o", "ro", device], () => {
          const { message, hint } = regrainRefuses({ code: "TARGET_MOUNTED", exit: 2 }, [
            "apply",
            `${folder}/${fixture.leaf}`,
            device,
          ]);
          assert.ok(message.includes(`${folder}/mount`), message);
          assert.match(hint!, /--force/);
        }));
    }),
);

testWithPeers(
  "an image file that a loop device stands on is refused",
  ["root-loop"],
  () =>
    withTempDir(async (folder) => {
      const fixture = caseNamed("cowd-plain");
      await writeCase(fixture, folder);
      const image = copyBase(fixture, folder, fixture.capacitySectors);
      const before = sha256File(image);
      await withLoop(image, (device) => {
        const { message } = regrainRefuses({ code: "TARGET_BUSY", exit: 2 }, [
          "apply",
          `${folder}/${fixture.leaf}`,
          image,
        ]);
        assert.ok(message.includes(device), message);
      });
      assert.equal(sha256File(image), before);
    }),
);

testWithPeers("a read-only device is refused", ["root-loop"], () =>
  withTempDir(async (folder) => {
    const fixture = caseNamed("cowd-plain");
    await writeCase(fixture, folder);
    const image = copyBase(fixture, folder, fixture.capacitySectors);
    await withLoop(
      image,
      (device) => {
        regrainRefuses({ code: "TARGET_READ_ONLY", exit: 6 }, ["apply", `${folder}/${fixture.leaf}`, device]);
      },
      { readOnly: true },
    );
  }));

/** A copy of the flat base, cut or filled up to a size. */
function copyBase(fixture: FixtureCase, folder: string, sizeSectors: number): string {
  const image = `${folder}/target.img`;
  Deno.copyFileSync(`${folder}/${fixture.base!.flat}`, image);
  Deno.truncateSync(image, sizeSectors * 512);
  return image;
}
