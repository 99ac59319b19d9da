/** `repo:VM/DISK@latest` in the place of an image, and deltas over a snapshot. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrain } from "../helpers/cli.ts";
import { diskOf, MIB, type Place, summaryOf, withPlace } from "./place.ts";

const DISK = diskOf(6 * MIB + 512, [
  { at: MIB, lengthBytes: MIB + 4096, seed: 1 },
  { at: 5 * MIB, lengthBytes: MIB + 512, seed: 2 },
]);
const SPEC = "repo:web01/disk-0@latest";

/** Descriptor of a flat disk, so that its first bytes are not probed. */
function descriptorOf(sizeBytes: number): string {
  return "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\n" +
    `createType="vmfs"\nRW ${sizeBytes / 512} VMFS "vm-flat.vmdk"\n`;
}

function withSnapshot(fn: (place: Place & { image: string }) => void | Promise<void>): Promise<void> {
  return withPlace(async (place) => {
    const image = place.path("vm.img");
    Deno.writeFileSync(image, DISK);
    place.run(["backup", image, "--name", "web01/disk-0"]);
    await fn({ ...place, image });
  });
}

Deno.test("a snapshot compares equal with the disk it was made from, and tells where one differs", () =>
  withSnapshot(({ run, image }) => {
    assert.match(run(["compare", image, SPEC]).stdout, /^equal/);
    const changed = DISK.slice();
    changed[5 * MIB + 7]! ^= 1;
    Deno.writeFileSync(image, changed);
    assert.match(run(["compare", SPEC, image], { exit: 1 }).stdout, /the first at byte 5242887/);
  }));

Deno.test("info, map and check read a snapshot, and zeros of it are known without reading", () =>
  withSnapshot(({ run }) => {
    const info = JSON.parse(run(["info", SPEC, "--json"]).stdout);
    assert.equal(info.zeroBytes, 3 * MIB);
    assert.equal(info.dataBytes, 3 * MIB + 512);
    const { runs } = JSON.parse(run(["map", SPEC, "--json"]).stdout);
    assert.deepEqual(runs.map(({ kind }: { kind: string }) => kind), ["zero", "data", "zero", "data"]);
    assert.match(run(["check", SPEC]).stdout, /: ok$/m);
  }));

Deno.test("a snapshot can be backed up itself, and keeps the content id of its disk", () =>
  withPlace(async ({ run, path }) => {
    const fixture = caseNamed("chain-two-cowd-links");
    await writeCase(fixture, path("disks"));
    const base = path(`disks/${fixture.base!.descriptor}`);
    const first = summaryOf(run(["backup", base, "--name", "a", "--json"]));
    const copy = summaryOf(run(["backup", "repo:a", "--name", "b", "--json"]));
    assert.equal(copy.root, first.root);
    run(["backup", "--delta", path(`disks/${fixture.leaf}`), "--name", "b"]);
  }));

Deno.test("what a guest wrote at the beginning of its disk does not make a snapshot another format", () =>
  withPlace(({ run, path }) => {
    const disk = DISK.slice();
    disk.set(new TextEncoder().encode('# Disk DescriptorFile\nversion=1\nRW 8 FLAT "secret" 0\n'));
    Deno.writeFileSync(path("vm-flat.vmdk"), disk);
    Deno.writeTextFileSync(path("vm.vmdk"), descriptorOf(disk.length));
    run(["backup", path("vm.vmdk"), "--name", "web01/disk-0"]);
    assert.match(run(["compare", path("vm.vmdk"), SPEC]).stdout, /^equal/);
    assert.equal(JSON.parse(run(["info", SPEC, "--json"]).stdout).capacityBytes, disk.length);
  }));

Deno.test("a name in a file never leads into the repository", () =>
  withSnapshot(({ run, folder }) => {
    const text = "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=00000002\n" +
      'createType="vmfsSparse"\nparentFileNameHint="repo:web01/disk-0@latest"\n' +
      'RW 8 VMFSSPARSE "repo:web01/disk-0@latest"\n';
    Deno.writeTextFileSync(`${folder}/evil.vmdk`, text);
    // A file of that name is what it means.
    Deno.mkdirSync(`${folder}/repo:web01`);
    Deno.writeTextFileSync(`${folder}/repo:web01/disk-0@latest`, "x");
    const { stderr } = run(["info", "evil.vmdk", "--json"], { exit: 4, cwd: folder });
    assert.match(stderr, /"code":"NOT_A_DISK".*the first bytes are 78, at byte 0/);
  }));

Deno.test("a snapshot that is not there, and no repository, are refused by name", () =>
  withSnapshot(({ refused, image }) => {
    refused("SNAPSHOT_MISSING", ["info", "repo:web02/disk-0"]);
    refused("SNAPSHOT_MISSING", ["compare", image, "repo:web01/disk-0@01AAAA"]);
    const { code, stderr } = regrain(["info", SPEC, "--json"], { env: { REGRAIN_REPO: "" } });
    assert.equal(code, 2);
    assert.match(stderr, /no repository is named/);
  }));

Deno.test("a damaged chunk is named, and not compared", () =>
  withSnapshot(({ run, repo, image }) => {
    for (const { name } of Deno.readDirSync(`${repo}/chunks`)) {
      for (const { name: file } of Deno.readDirSync(`${repo}/chunks/${name}`)) {
        const path = `${repo}/chunks/${name}/${file}`;
        const bytes = Deno.readFileSync(path);
        bytes[bytes.length >> 1]! ^= 1;
        Deno.writeFileSync(path, bytes);
      }
    }
    const { stderr } = run(["compare", image, SPEC, "--json"], { exit: 4 });
    assert.match(stderr, /"code":"CHUNK_DAMAGED".*\.zst/);
  }));

const CHAINS = [
  "chain-two-cowd-links",
  "chain-five-links-of-three-kinds",
  "chain-zero-grains-mask-data-below",
];

for (const name of CHAINS) {
  Deno.test(`${name}: deltas laid over a snapshot while it is restored give the disk of the chain`, () =>
    withPlace(async ({ run, path }) => {
      const fixture = caseNamed(name);
      await writeCase(fixture, path("disks"));
      run(["backup", path(`disks/${fixture.base!.descriptor}`), "--name", "web01/disk-0"]);
      const leaf = path(`disks/${fixture.leaf}`);
      run(["restore", "web01/disk-0", path("out.img"), "--apply", leaf]);
      assertFileHolds(path("out.img"), fixture.expected!());
      // In place over a disk that is otherwise, too: what is right is kept, and stale data goes.
      const stale = fixture.expected!();
      stale.fill(0xaa, 0, MIB);
      Deno.writeFileSync(path("out.img"), stale);
      run(["restore", "web01/disk-0", path("out.img"), "--apply", leaf, "--delta"]);
      assertFileHolds(path("out.img"), fixture.expected!());
    }));

  Deno.test(`${name}: a backup by delta takes every link that came since, and no more`, () =>
    withPlace(async ({ run, path, refused }) => {
      const fixture = caseNamed(name);
      await writeCase(fixture, path("disks"));
      const leaf = path(`disks/${fixture.leaf}`);
      refused("SNAPSHOT_MISSING", ["backup", "--delta", leaf, "--name", "web01/disk-0"]);
      run(["backup", path(`disks/${fixture.base!.descriptor}`), "--name", "web01/disk-0"]);
      const summary = summaryOf(run(["backup", "--delta", leaf, "--name", "web01/disk-0", "--json"]));
      assert.deepEqual(summary.change, { method: "delta" });
      assert.match(run(["compare", leaf, "repo:web01/disk-0"]).stdout, /^equal/);
      run(["restore", "web01/disk-0", path("out.img")]);
      assertFileHolds(path("out.img"), fixture.expected!());
      const again = run(["backup", "--delta", leaf, "--name", "web01/disk-0", "--json"]);
      assert.match(again.stderr, /has .* already/);
      assert.equal(summaryOf(again).root, summary.root);
    }));
}

Deno.test("deltas are backed up one after the other, each over the snapshot before", () =>
  withPlace(async ({ run, path }) => {
    const fixture = caseNamed("chain-two-cowd-links");
    await writeCase(fixture, path("disks"));
    const name = ["--name", "web01/disk-0"];
    run(["backup", path(`disks/${fixture.base!.descriptor}`), ...name]);
    run(["backup", "--delta", path("disks/disk-000001.vmdk"), ...name]);
    run(["backup", "--delta", path("disks/disk-000002.vmdk"), ...name]);
    assert.match(run(["compare", path("disks/disk-000002.vmdk"), "repo:web01/disk-0"]).stdout, /^equal/);
  }));

Deno.test("an audit of a delta by the disk agrees with a true delta", () =>
  withPlace(async ({ run, path }) => {
    const fixture = caseNamed("chain-two-cowd-links");
    await writeCase(fixture, path("disks"));
    const name = ["--name", "web01/disk-0", "--json"];
    run(["backup", path(`disks/${fixture.base!.descriptor}`), ...name]);
    const leaf = path(`disks/${fixture.leaf}`);
    const ran = run(["backup", leaf, "--delta", leaf, "--audit", "100%", ...name]);
    assert.deepEqual(summaryOf(ran).change, { method: "delta" });
  }));

Deno.test("an audit finds a change that the list does not have, says so loudly, and reads the whole disk", () =>
  withSnapshot(({ run, refused, image, path }) => {
    const areas = path("areas.json");
    Deno.writeTextFileSync(areas, JSON.stringify([{ start: 0, length: 512 }]));
    const args = ["backup", image, "--name", "web01/disk-0", "--changed", areas, "--json"];
    assert.deepEqual(summaryOf(run([...args, "--audit", "100%"])).change, { method: "changed-areas" });
    const changed = DISK.slice();
    changed[5 * MIB + 7]! ^= 1;
    Deno.writeFileSync(image, changed);
    assert.match(run(["compare", image, SPEC], { exit: 1 }).stdout, /different/);
    const ran = run([...args, "--audit", "100%"]);
    assert.match(ran.stderr, /THE LIST OF CHANGES IS WRONG: .* bytes 5242880 to 6291456/);
    assert.match(JSON.stringify(summaryOf(ran).change), /"method":"full","reason":"the audit found/);
    assert.match(run(["compare", image, SPEC]).stdout, /^equal/);
    refused("USAGE", ["backup", image, "--name", "web01/disk-0", "--audit", "1%"]);
    refused("USAGE", [...args, "--audit", "0%"]);
  }));
