/** What `check` prints of a file with more wrong than a person can read. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { baseFiles, buildHosted, dataGrains, sequence } from "../../fixtures/mod.ts";
import { regrainExits } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

const GRAIN_BYTES = 16 * 512;

/** A file of which as many grains are missing as are asked for, each with its entry. */
async function withCut(lost: number, run: (folder: string) => void | Promise<void>): Promise<void> {
  await withTempDir(async (folder) => {
    const grains = dataGrains(sequence({ from: 0, count: lost + 5 }));
    const image = buildHosted({ capacitySectors: (lost + 5) * 16, grainSectors: 16, seed: 1, grains });
    const places = [...image.layout.grains.values()].sort((a, b) => a - b);
    Deno.writeFileSync(join(folder, "cut.vmdk"), image.bytes.subarray(0, places[5]!));
    await run(folder);
  });
}

Deno.test("C8: check of a cut file says so in one line, and --all lists every grain with its byte", () =>
  withCut(403, (cwd) => {
    const { stdout } = regrainExits(1, ["check", "cut.vmdk"], { cwd });
    const lines = stdout.trimEnd().split("\n");
    const early = (403 * GRAIN_BYTES).toLocaleString("en-US");
    assert.match(lines[0]!, /^cut\.vmdk: 403 damages.*not sound$/);
    assert.match(
      lines[1]!,
      new RegExp(`damage file-cut-short: cut\\.vmdk: the file ends ${early} bytes early: 403 grains`),
    );
    assert.ok(lines.length <= 5, stdout);
    const all = regrainExits(1, ["check", "--all", "cut.vmdk"], { cwd }).stdout;
    const listed = all.split("\n").filter((line) => line.startsWith("damage entry-past-end:"));
    assert.equal(listed.length, 403);
    assert.ok(listed.every((line) => / at byte \d+$/.test(line)));
    assert.equal(new Set(listed).size, 403);
  }));

Deno.test("C8: past ten thousand findings JSON says that it is truncated, and --all has each of them", () =>
  withCut(10_100, (cwd) => {
    const short = JSON.parse(regrainExits(1, ["check", "--json", "cut.vmdk"], { cwd }).stdout).links[0];
    assert.equal(short.counts.damage, 10_100);
    assert.equal(short.truncated, true);
    assert.equal(short.findings.length, 10_000);
    assert.equal(short.causes[0].kind, "file-cut-short");
    const { stdout } = regrainExits(1, ["check", "--all", "--json", "cut.vmdk", "cut.vmdk"], { cwd });
    for (const { links: [link], sound } of JSON.parse(stdout)) {
      assert.equal(sound, false);
      assert.equal(link.truncated, false);
      const damage = link.findings.filter(({ severity }: { severity: string }) => severity === "damage");
      assert.equal(damage.length, 10_100);
      assert.equal(
        new Set(damage.map(({ offsetBytes }: { offsetBytes: number }) => offsetBytes)).size,
        10_100,
      );
    }
    const listed = regrainExits(1, ["check", "--all", "cut.vmdk"], { cwd }).stdout;
    assert.equal(listed.match(/^damage /gm)?.length, 10_100);
  }));

Deno.test("C10: check -q says nothing of a sound image, and what is wrong with another", () =>
  withCut(3, (cwd) => {
    for (const [name, bytes] of Object.entries(baseFiles({ capacitySectors: 64 }))) {
      Deno.writeFileSync(join(cwd, name), bytes);
    }
    assert.deepEqual(regrainExits(0, ["check", "-q", "disk.vmdk"], { cwd }), {
      code: 0,
      stdout: "",
      stderr: "",
    });
    assert.match(regrainExits(1, ["check", "-q", "cut.vmdk"], { cwd }).stdout, /3 grains/);
  }));
