/** Partition tables that `sfdisk` and `fdisk` make, as we read them and as they, and `partx`, read them. */
import assert from "node:assert/strict";
import { type PartitionTable, readPartitions } from "../../core-as/host/guest/mod.ts";
import { MIB, SECTOR_SIZE } from "../../core-as/host/units.ts";
import { feed, opened, withImage } from "../helpers/guest_image.ts";
import { run, testWithPeers } from "../helpers/peers.ts";

/** A table as lines, from `sfdisk --json`. */
function sfdiskLines(image: string): string[] {
  const { partitiontable } = JSON.parse(run("sfdisk", ["--json", image]));
  interface Row {
    node: string;
    start: number;
    size: number;
    type: string;
    name?: string;
    uuid?: string;
    bootable?: boolean;
    attrs?: string;
  }
  const rows: Row[] = partitiontable.partitions ?? [];
  const id = String(partitiontable.id).replace(/^0x/, "");
  return [
    `${partitiontable.label === "dos" ? "mbr" : partitiontable.label} ${id}`,
    ...rows.map((row) =>
      line({
        index: Number(/\d+$/.exec(row.node)![0]),
        start: row.start,
        sectors: row.size,
        type: row.type.padStart(2, "0"),
        name: row.name,
        uuid: row.uuid,
        isBootable: row.bootable === true || row.attrs?.includes("LegacyBIOSBootable") === true,
      })
    ),
  ];
}

/** The same of a table of ours. */
function ourLines(table: PartitionTable): string[] {
  const rows = table.partitions.map((partition) => ({
    ...partition,
    start: partition.startBytes / table.sectorBytes,
    sectors: partition.lengthBytes / table.sectorBytes,
    type: partition.type.id,
  }));
  return [`${table.scheme} ${table.id}`, ...rows.map(line)];
}

interface Line {
  index: number;
  start: number;
  sectors: number;
  type: string;
  name: string | undefined;
  uuid: string | undefined;
  isBootable: boolean;
}

function line({ index, start, sectors, type, name, uuid, isBootable }: Line): string {
  return [index, start, sectors, type, name ?? "-", uuid ?? "-", isBootable ? "boot" : "-"].join(" ");
}

const MBR =
  "label: dos\nlabel-id: 0xdeadbeef\n2048,20480,c,*\n,20480,82\n,,5\n,20480,83\n,10240,8e\n,10240,7\n";
const GPT = [
  "label: gpt",
  "size=8MiB, type=21686148-6449-6E6F-744E-656564454649, attrs=LegacyBIOSBootable",
  'size=16MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="EFI, with blanks"',
  "start=131072, size=32MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
  "size=8MiB, type=linux",
  "",
].join("\n");

/** Scripts for `sfdisk`. */
const TABLES: Record<string, string> = {
  "an MBR with primary and logical partitions": MBR,
  "an MBR without partitions": "label: dos\n",
  "an MBR whose extended partition is empty": "label: dos\n,8192,83\n,8192,5\n",
  "an MBR whose extended partition is not the last":
    "label: dos\n2048,8192,83\n40960,40960,f\n10240,8192,83\n,8192,83\n",
  "an MBR with numbers left out": "label: dos\n3: start=4096,size=8192,type=fd\n",
  "a GPT": GPT,
  "a GPT without partitions": "label: gpt\n",
  "a GPT with room for 512 partitions": `label: gpt\ntable-length: 512\n300: size=8MiB, type=swap\n`,
};

for (const [name, script] of Object.entries(TABLES)) {
  testWithPeers(
    `${name} is read as sfdisk reads it`,
    ["sfdisk"],
    () =>
      withImage(128 * MIB, async (image) => {
        feed(script, "sfdisk", ["--quiet", image]);
        const table = await opened(image, readPartitions);
        assert.deepEqual(ourLines(table), sfdiskLines(image));
        assert.deepEqual(table.problems, []);
        assert.equal(table.isBackup, false);
      }),
  );
}

testWithPeers(
  "a GPT whose first copy is destroyed is read from its backup, as sfdisk does",
  ["sfdisk"],
  () =>
    withImage(128 * MIB, async (image) => {
      feed(GPT, "sfdisk", ["--quiet", image]);
      const before = sfdiskLines(image);
      for (const [what, offsetBytes] of [["entry", 1024 + 40], ["header", 512 + 60]] as const) {
        using file = Deno.openSync(image, { write: true });
        file.seekSync(offsetBytes, Deno.SeekMode.Start);
        file.writeSync(new Uint8Array([0xa5]));
        const table = await opened(image, readPartitions);
        assert.deepEqual(ourLines(table), before, what);
        assert.equal(table.isBackup, true, what);
        assert.deepEqual(table.problems.map(({ offsetBytes }) => offsetBytes), [512, 128 * MIB - 512], what);
        assert.deepEqual(sfdiskLines(image), before, what);
      }
    }),
);

testWithPeers(
  "a GPT in sectors of 4096 bytes is read as fdisk reads it",
  ["fdisk"],
  () =>
    withImage(128 * MIB, async (image) => {
      feed("g\nn\n\n\n+8M\nn\n\n\n+16M\nw\n", "fdisk", ["-b", "4096", "--wipe", "never", image]);
      const listed = run("fdisk", ["-b", "4096", "-l", "-o", "Start,Sectors,Type-UUID,UUID", image]);
      const rows = listed.split("\n").filter((row) => /^ *\d+ +\d+ /.test(row)).map((row) =>
        row.trim().split(/ +/)
      );
      const table = await opened(image, readPartitions);
      assert.equal(table.sectorBytes, 4096);
      assert.deepEqual(
        table.partitions.map(({ startBytes, lengthBytes, type, uuid }) => [
          `${startBytes / 4096}`,
          `${lengthBytes / 4096}`,
          type.id,
          uuid,
        ]),
        rows,
      );
      assert.equal(rows.length, 2);
      assert.deepEqual(table.problems, []);
    }),
);

for (const name of ["an MBR with primary and logical partitions", "a GPT"]) {
  testWithPeers(
    `${name} is numbered as partx tells the kernel to number it`,
    ["sfdisk", "partx"],
    () =>
      withImage(128 * MIB, async (image) => {
        feed(TABLES[name]!, "sfdisk", ["--quiet", image]);
        const { partitions } = await opened(image, readPartitions);
        const listed = run("partx", ["--show", "--bytes", "-g", "-o", "NR,START,SIZE", image]);
        assert.deepEqual(
          partitions.map((each) => [each.index, each.startBytes / SECTOR_SIZE, each.lengthBytes]),
          listed.trim().split("\n").map((row) => row.trim().split(/ +/).map(Number)),
        );
      }),
  );
}
