/** Descriptors as real programs write them, and as somebody hostile might. */
import assert from "node:assert/strict";
import { check, fc } from "../../../../test/helpers/property.ts";
import { cpuMs } from "../../../../test/helpers/tiers.ts";
import { buildDescriptor } from "../../../../fixtures/descriptor.ts";
import {
  type Descriptor,
  formatCid,
  isDelta,
  looksLikeDescriptor,
  MAX_DESCRIPTOR_BYTES,
  NO_PARENT,
  parseDescriptor,
  withContentId,
} from "./descriptor.ts";
import { type ErrorCode, RegrainError } from "../../errors.ts";

const PLAIN = `# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=5eed0002
parentCID=5eed0001
isNativeSnapshot="no"
createType="vmfsSparse"
parentFileNameHint="disk.vmdk"
# Extent description
RW 4096 VMFSSPARSE "disk-000001-delta.vmdk"

# Change Tracking File
changeTrackPath="disk-000001-ctk.vmdk"

# The Disk Data Base
#DDB

ddb.longContentID = "0123456789abcdef012345675eed0002"
ddb.adapterType = "lsilogic"
`;

const utf8 = (text: string) => new TextEncoder().encode(text);
/** One byte a character: windows-1252 for all but the characters of 0x80 to 0x9f. */
const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
/** With its byte order mark. */
const utf16 = (text: string, isLittle = true) => {
  const bytes = new Uint8Array(2 + text.length * 2);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xfeff, isLittle);
  for (let i = 0; i < text.length; i++) view.setUint16(2 + i * 2, text.charCodeAt(i), isLittle);
  return bytes;
};
const parse = (text: string | Uint8Array) =>
  parseDescriptor(typeof text === "string" ? utf8(text) : text, "disk.vmdk");
const withExtent = (line: string) => parse(`# Disk DescriptorFile\n${line}\n`);

/** What a descriptor means, without the text it was made of. */
function meaning({ text: _, notes: _notes, doubts: _doubts, nameDoubt: _nameDoubt, ...rest }: Descriptor) {
  return { ...rest, ddb: Object.fromEntries(rest.ddb) };
}

function refused(text: string | Uint8Array, code: ErrorCode): RegrainError {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof RegrainError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.path, "disk.vmdk");
    return error;
  }
  assert.fail("it was parsed");
}

Deno.test("a descriptor as ESXi writes it", () => {
  assert.deepEqual(meaning(parse(PLAIN)), {
    version: 1,
    cid: 0x5eed0002,
    parentCid: 0x5eed0001,
    createType: "vmfsSparse",
    parentFileNameHint: "disk.vmdk",
    changeTrackPath: "disk-000001-ctk.vmdk",
    isNativeSnapshot: false,
    encoding: "UTF-8",
    encryption: undefined,
    capacitySectors: 4096,
    extents: [{
      access: "RW",
      sizeSectors: 4096,
      type: "VMFSSPARSE",
      fileName: "disk-000001-delta.vmdk",
      offsetSectors: 0,
    }],
    ddb: { longcontentid: "0123456789abcdef012345675eed0002", adaptertype: "lsilogic" },
  });
  assert.deepEqual(parse(PLAIN).notes, []);
});

Deno.test("the same descriptor in other spellings means the same", () => {
  const expected = meaning(parse(PLAIN));
  const spellings: Record<string, string | Uint8Array> = {
    "CR LF": PLAIN.replaceAll("\n", "\r\n"),
    "blanks around equals": PLAIN.replaceAll("=", " = "),
    "tabs around equals": PLAIN.replaceAll("=", "\t=\t"),
    "blanks in front and behind": PLAIN.replaceAll("\n", "  \n \t"),
    "a NUL tail": PLAIN + "\0".repeat(700),
    "a NUL tail with rests behind it": `${PLAIN}\0\0RW 1 FLAT "other.vmdk"\nCID=1\n`,
    "no newline at the end": PLAIN.trimEnd(),
    "a byte order mark": `\uFEFF${PLAIN}`,
    "keys in capitals": PLAIN.replace(/^[\w.]+(?= ?=)/gm, (key) => key.toUpperCase()),
    "keys in small letters": PLAIN.replace(/^[\w.]+(?= ?=)/gm, (key) => key.toLowerCase()),
    "extent words in small letters": PLAIN.replace("RW 4096 VMFSSPARSE", "rw 4096 vmfsSparse"),
    "wide extent line": PLAIN.replace("RW 4096 VMFSSPARSE ", "RW   4096\tVMFSSPARSE   "),
    "no quotes around values": PLAIN.replace('"vmfsSparse"', "vmfsSparse"),
    "CIDs in capitals": PLAIN.replace("5eed0002\n", "5EED0002\n").replace("5eed0001", "5EED0001"),
    "comments of VirtualBox": PLAIN.replace("# The Disk Data Base", "# The disk Data base"),
  };
  for (const [name, text] of Object.entries(spellings)) {
    assert.deepEqual(meaning(parse(text)), expected, name);
  }
});

Deno.test("a CID need not be padded", () => {
  assert.equal(parse("CID=1a2b3\n").cid, 0x1a2b3);
  assert.equal(parse("CID=0\n").cid, 0);
  assert.equal(formatCid(0x1a2b3), "0001a2b3");
});

Deno.test("what is no hexadecimal number of 32 bits is no CID", () => {
  for (const cid of ["12345678x", "5eedxyz", "-1", "0x12", ""]) {
    assert.match(refused(`CID=${cid}\n`, "DESCRIPTOR_INVALID").message, /^disk\.vmdk: CID ".*" is not/);
  }
  assert.match(refused("parentCID=none\n", "DESCRIPTOR_INVALID").message, /parentCID "none"/);
});

Deno.test("A11: a CID of more than eight digits is no CID, with a note; a parentCID like that is refused", () => {
  for (const cid of ["4123456789", "123456789", "0123456789abcdef"]) {
    const { cid: taken, notes, doubts } = parse(PLAIN.replace("5eed0002\n", `${cid}\n`));
    assert.equal(taken, undefined);
    assert.deepEqual(doubts, []);
    assert.equal(notes.length, 1);
    assert.match(notes[0]!, new RegExp(`CID "${cid}" has more than 8 digits.* unknown`));
    refused(PLAIN.replace("5eed0001", cid), "DESCRIPTOR_INVALID");
  }
});

Deno.test("A11: a new content id takes the place of a CID of ten digits whole", () => {
  const text = PLAIN.replace("5eed0002\n", "4123456789\n");
  const changed = withContentId(utf8(text), { cid: 0xabc, longContentId: "f".repeat(32) });
  assert.equal(parse(changed).cid, 0xabc);
  assert.equal(changed.length, utf8(text).length - 2);
});

Deno.test("a link has a parent by its parentCID; where that is missing, by its hint", () => {
  assert.equal(isDelta(parse(PLAIN)), true);
  assert.equal(isDelta(parse(PLAIN.replace("5eed0001", "ffffffff"))), false);
  assert.equal(isDelta(parse('parentFileNameHint="a.vmdk"\n')), true);
  assert.equal(isDelta(parse("CID=1\n")), false);
  assert.equal(isDelta(parse("parentCID=fffffffe\n")), true, "the CID of a disk never written to");
  assert.equal(parse("parentCID=ffffffff\n").parentCid, NO_PARENT);
});

Deno.test("file names keep blanks, quotes and letters of any script", () => {
  const names = [
    "a b  c.vmdk",
    'the "new" disk.vmdk',
    'ends with ".vmdk"',
    "Größe-磁盘.vmdk",
    "a=b.vmdk",
    "#1.vmdk",
  ];
  for (const name of names) {
    assert.equal(withExtent(`RW 8 SPARSE "${name}"`).extents[0]!.fileName, name);
    const placed = withExtent(`RW 8 FLAT "${name}" 63`).extents[0]!;
    assert.deepEqual([placed.fileName, placed.offsetSectors], [name, 63]);
  }
});

Deno.test("an extent line may go on after the offset", () => {
  const [extent] = withExtent('RDONLY 8 FLAT "a.vmdk" 128 0b5c-uuid 3').extents;
  assert.deepEqual(extent, {
    access: "RDONLY",
    sizeSectors: 8,
    type: "FLAT",
    fileName: "a.vmdk",
    offsetSectors: 128,
  });
});

Deno.test("A15: what raw disks have behind the offset is no part of the name", () => {
  const rest = [
    'deviceIdentifier "naa.6000c29"',
    "partitionUUID 6f0e2a7d-0000-0000-0000-000000000000",
    'partitionUUID 6f0e deviceIdentifier "naa 6000 c29"',
  ];
  for (const words of rest) {
    const [extent] = withExtent(`RW 8 FLAT "my disk.img" 63 ${words}`).extents;
    assert.deepEqual([extent!.fileName, extent!.offsetSectors], ["my disk.img", 63], words);
  }
  const { extents } = parse('RW 63 FLAT "pt.img" 0\nNOACCESS 1000 ZERO 0\nRW 8 ZERO 0\n');
  assert.deepEqual(extents.map(({ fileName }) => fileName), ["pt.img", undefined, undefined]);
  refused('RW 8 ZERO "a"\n', "DESCRIPTOR_INVALID");
  refused("RW 8 ZERO 0RW 8 ZERO\n", "DESCRIPTOR_INVALID");
});

Deno.test("every kind of extent line counts, in order", () => {
  const lines = [
    'RW 10 FLAT "a" 0',
    "RW 20 ZERO",
    'NOACCESS 30 SPARSE "c"',
    'RDONLY 40 VMFS "d"',
    "NOACCESS 5 ZERO",
  ];
  const { extents, capacitySectors } = parse(lines.join("\n"));
  assert.equal(capacitySectors, 105);
  assert.deepEqual(
    extents.map(({ access, type, sizeSectors, fileName }) => [access, type, sizeSectors, fileName]),
    [
      ["RW", "FLAT", 10, "a"],
      ["RW", "ZERO", 20, undefined],
      ["NOACCESS", "SPARSE", 30, "c"],
      ["RDONLY", "VMFS", 40, "d"],
      ["NOACCESS", "ZERO", 5, undefined],
    ],
  );
});

Deno.test("bad lines are refused with their byte", () => {
  const before = "# Disk DescriptorFile\n# größer\n";
  const lines: Record<string, RegExp> = {
    "RW 100": /expected access, size in sectors, type/,
    'RW many FLAT "a"': /expected access/,
    'RW -5 FLAT "a"': /expected access/,
    "RW 100 FLAT": /no file is named/,
    'RW 100 FLAT "a': /not in quotes/,
    'RW 100 FLAT ""': /not in quotes/,
    'RW 100 FLAT "a" 99999999999999999999': /offset is beyond/,
  };
  for (const [line, message] of Object.entries(lines)) {
    const error = refused(`${before}${line}\n`, "DESCRIPTOR_INVALID");
    assert.match(error.message, message);
    assert.equal(error.offsetBytes, utf8(before).length, line);
  }
});

Deno.test("the byte of a bad line is that of the file, whatever the encoding", () => {
  const text = 'encoding="windows-1252"\r\n# \xfc\xfc\xfc\xfc\r\nRW nonsense\r\n';
  assert.equal(refused(latin1(text), "DESCRIPTOR_INVALID").offsetBytes, text.indexOf("RW nonsense"));
  const marked = `\u00ef\u00bb\u00bf${text.replace("windows-1252", "UTF-8").replaceAll("\xfc", "-")}`;
  assert.equal(refused(latin1(marked), "DESCRIPTOR_INVALID").offsetBytes, marked.indexOf("RW nonsense"));
  const wide = "# üü\r\nRW nonsense\r\n";
  assert.equal(refused(utf16(wide), "DESCRIPTOR_INVALID").offsetBytes, 2 + wide.indexOf("RW") * 2);
});

Deno.test("A15: a line that means nothing is left out, with a note that says which", () => {
  for (const line of ["what is this", "=value", "ddb.uuid.modif", "~~~~", '"x" = "y"', "\u0001"]) {
    const { notes, doubts, extents, cid } = parse(PLAIN.replace("# Extent", `${line}\n# Extent`));
    assert.equal(notes.length, 1, line);
    assert.match(notes[0]!, /the line at byte 158, ".*" is neither a key nor an extent and is left out/);
    assert.deepEqual([doubts, extents.length, cid], [[], 1, 0x5eed0002]);
  }
  const many = parse(PLAIN + "junk\n".repeat(50_000));
  assert.equal(many.notes.length, 2);
  assert.match(many.notes[1]!, /49999 more lines/);
});

Deno.test("A15: a line that means nothing, but was one about the parent, leaves a doubt", () => {
  for (const line of ["parentCID 5eed0001", "CID:5eed0002", "parentFileNameHint disk"]) {
    const { doubts } = parse(PLAIN.replace("# Extent", `${line}\n# Extent`));
    assert.match(doubts[0]!, /neither a key nor an extent/, line);
  }
});

Deno.test("A15: a text that ends inside a word may have been cut, which leaves a doubt", () => {
  for (const end of ["R", "RDONL", "ddb.uuid.par", "CI\0D=5eed0002\n", "vers\0\0\0"]) {
    const { doubts, extents } = parse(PLAIN + end);
    assert.match(doubts[0]!, /left out; the text ends there, and may have been cut/, end);
    assert.equal(extents.length, 1);
  }
  for (const end of ["R\n", "~", "\u001a", "\u001a\0\0"]) {
    assert.deepEqual(parse(PLAIN + end).doubts, [], end);
  }
  const wide = parse(utf16(`${PLAIN}RDONL`));
  assert.match(wide.doubts[0]!, /may have been cut/);
});

Deno.test("A15: a line that may have been an extent is never left out", () => {
  const lines = [
    'XW 4096 VMFSSPARSE "disk-000001-delta.vmdk"',
    'RW_4096 VMFSSPARSE "disk-000001-delta.vmdk"',
    'RW  4096VMFSSPARSE "disk-000001-delta.vmdk"',
    "4096 ZERO",
    "XX 4096 ZERO",
    'RW 4096 "disk-000001-delta.vmdk',
    '"disk-000001-delta.vmdk"',
    '?RW 4096 FLAT "a=b"',
    'XW 4096 FLAT "a=b.vmdk"',
    "RW",
    'createType="vmfs"RW 4096 VMFSSPARSE "disk-000001-delta.vmdk"',
    'createType="vmfs" RW 4096 ZERO',
    "RWZERO",
    "4096ZERO",
    "RW4096VMFSSPARSE",
    "x96FLATpieces.bin",
  ];
  for (const line of lines) {
    const text = PLAIN.replace("# Extent", `${line}\n# Extent`);
    assert.equal(refused(text, "DESCRIPTOR_INVALID").offsetBytes, 158, line);
  }
});

Deno.test("sizes beyond any disk are refused", () => {
  refused('RW 99999999999999999999 FLAT "a"\n', "LIMIT_EXCEEDED");
  refused('RW 140000000000 FLAT "a"\n', "LIMIT_EXCEEDED");
  refused('RW 70000000000 FLAT "a"\nRW 70000000000 FLAT "b"\n', "LIMIT_EXCEEDED");
  refused(new Uint8Array(MAX_DESCRIPTOR_BYTES + 1), "LIMIT_EXCEEDED");
  refused("RW 1 ZERO\n".repeat(40_001), "LIMIT_EXCEEDED");
});

Deno.test("D16: 40,000 extents are read, one more is refused with a hint; so is a byte beyond 1 MiB", () => {
  assert.equal(parse("RW 1 ZERO\n".repeat(40_000)).extents.length, 40_000);
  assert.ok(refused("RW 1 ZERO\n".repeat(40_001), "LIMIT_EXCEEDED").hint);
  // With the names that programs give, the mebibyte ends before that.
  const line = 'RW 4192256 SPARSE "disk-s00001.vmdk"\n';
  const count = Math.floor(MAX_DESCRIPTOR_BYTES / line.length);
  assert.ok(count > 17_000 && count < 40_000);
  const small = line.replace("4192256", "0000063");
  assert.equal(parse(small.repeat(count)).extents.length, count);
  assert.equal(parse(" ".repeat(MAX_DESCRIPTOR_BYTES)).extents.length, 0);
  assert.ok(refused(" ".repeat(MAX_DESCRIPTOR_BYTES + 1), "LIMIT_EXCEEDED").hint);
});

Deno.test("of two equal keys the first is taken, with a note when they differ", () => {
  assert.deepEqual(parse("CID=1\ncid=1\n").notes, []);
  const { cid, ddb, notes } = parse('CID=1\nCID=2\nddb.uuid = "a"\nddb.uuid = "b"\n');
  assert.equal(cid, 1);
  assert.equal(ddb.get("uuid"), "a");
  assert.deepEqual(notes, [
    '"cid" stands there twice, the first is taken',
    '"ddb.uuid" stands there twice, the first is taken',
  ]);
});

Deno.test("a version that nobody knows is read like version 1, with a note", () => {
  for (const version of [1, 2, 3]) assert.deepEqual(parse(`version=${version}\n`).notes, []);
  assert.match(parse("version=4\n").notes[0]!, /version 4 is read like version 1/);
});

Deno.test("an empty hint is no hint", () => {
  assert.equal(parse('parentFileNameHint=""\n').parentFileNameHint, undefined);
});

Deno.test("names are read in the encoding that the text tells", () => {
  const of = (encoding: string, bytes: number[]) => {
    const [front, back] = [`encoding="${encoding}"\nRW 8 FLAT "`, '.vmdk"\n'].map(utf8);
    return parse(Uint8Array.from([...front!, ...bytes, ...back!]));
  };
  assert.equal(of("windows-1252", [0xfc, 0x80]).extents[0]!.fileName, "ü€.vmdk");
  assert.equal(of("GBK", [0xb4, 0xc5, 0xc5, 0xcc]).extents[0]!.fileName, "磁盘.vmdk");
  assert.equal(of("Big5", [0xba, 0xcf]).extents[0]!.fileName, "磁.vmdk");
  assert.equal(of("Shift_JIS", [0x8e, 0xa5]).extents[0]!.fileName, "磁.vmdk");
  assert.equal(of("utf8", [0xc3, 0xbc]).extents[0]!.fileName, "ü.vmdk");
  assert.match(of("EBCDIC", [0x41]).notes[0]!, /encoding "EBCDIC" is unknown, UTF-8 is taken/);
});

/** One name a character set: bytes made by hand from the tables of that set. */
const NAMES_BY_ENCODING: [names: string[], bytes: number[], name: string][] = [
  [["windows-1250", "cp1250"], [0x8a, 0xe8], "Šč"],
  [["windows-1251"], [0xc4, 0xe8], "Ди"],
  [["windows-1252", "Windows-1252", "ISO-8859-1"], [0xfc, 0xe9], "üé"],
  [["windows-1253"], [0xc4, 0xdf], "Δί"],
  [["windows-1254"], [0xdd, 0xf0], "İğ"],
  [["windows-1255"], [0xe0, 0xf9], "אש"],
  [["windows-1256"], [0xc7, 0xd4], "اش"],
  [["windows-1257"], [0xd0, 0xe0], "Šą"],
  [["windows-1258"], [0xd0, 0xf5], "Đơ"],
  [["windows-874"], [0xa1], "ก"],
  [["windows-932", "Shift_JIS", "shift-jis"], [0x83, 0x5c, 0x8e, 0xa5], "ソ磁"],
  [["windows-936", "GBK", "GB2312"], [0xb4, 0xc5, 0xc5, 0xcc], "磁盘"],
  [["windows-949", "EUC-KR", "ks_c_5601-1987"], [0xb5, 0xf0], "디"],
  [["windows-950", "Big5"], [0xba, 0xcf, 0xa5, 0x5c], "磁功"],
  [["GB18030"], [0xb4, 0xc5, 0x81, 0x30, 0x89, 0x38], "磁ß"],
  [["EUC-JP"], [0xbc, 0xa7], "磁"],
  [["ISO-8859-2"], [0xa9, 0xe8], "Šč"],
  [["ISO-8859-5"], [0xb4, 0xd8], "Ди"],
  [["ISO-8859-15"], [0xa4], "€"],
  [["KOI8-R"], [0xe4, 0xc9], "Ди"],
  [["UTF-8", "utf8"], [0xc3, 0xbc], "ü"],
];

Deno.test("A12: names are read in every encoding that VMware names", () => {
  for (const [names, bytes, name] of NAMES_BY_ENCODING) {
    for (const encoding of names) {
      const [front, back] = [`encoding="${encoding}"\nRW 8 FLAT "`, '.vmdk"\n'].map(utf8);
      const { extents, notes, nameDoubt } = parse(Uint8Array.from([...front!, ...bytes, ...back!]));
      assert.equal(extents[0]!.fileName, `${name}.vmdk`, encoding);
      assert.deepEqual([notes, nameDoubt], [[], undefined], encoding);
    }
  }
});

Deno.test("A12: UTF-16 with its mark is read, either way round, up to a NUL", () => {
  for (const isLittle of [true, false]) {
    const text = PLAIN.replace("disk-000001-delta", "ディスク-🖴").replaceAll("\n", "\r\n");
    const parsed = parse(utf16(`${text}\0\0 RW 1 ZERO`, isLittle));
    assert.equal(parsed.extents.length, 1);
    assert.equal(parsed.extents[0]!.fileName, "ディスク-🖴.vmdk");
    assert.equal(parsed.encoding, isLittle ? "UTF-16LE" : "UTF-16BE");
    assert.deepEqual([parsed.cid, parsed.notes, parsed.nameDoubt], [0x5eed0002, [], undefined]);
  }
});

Deno.test("A12: an encoding that nobody knows is said, and that names may be garbled", () => {
  const of = (encoding: string, name: string) =>
    parse(latin1(`encoding="${encoding}"\nRW 8 FLAT "${name}.vmdk"\n`));
  for (const encoding of ["EBCDIC", "UTF-16", "windows-4711", "iso-2022-kr"]) {
    const plain = of(encoding, "a");
    assert.deepEqual(plain.notes, [`the descriptor's encoding "${encoding}" is unknown, UTF-8 is taken`]);
    assert.equal(
      plain.nameDoubt,
      `the descriptor's encoding "${encoding}" is unknown, names may be garbled`,
    );
    const other = of(encoding, "B\xfcro");
    assert.deepEqual(other.notes, [
      `the descriptor's encoding "${encoding}" is unknown, windows-1252 is taken`,
    ]);
    assert.equal(other.nameDoubt, plain.nameDoubt);
  }
});

Deno.test("A12: a new content id leaves every other byte of UTF-16 as it is", () => {
  const ids = { cid: 0xabc, longContentId: "f".repeat(32) };
  for (const isLittle of [true, false]) {
    const text = `${PLAIN.replace("disk-000001-delta", "ディスク-\ud800")}\0\0`;
    const expected = text.replace("5eed0002", "00000abc").replace(/[0-9a-f]{32}/, ids.longContentId);
    const odd = Uint8Array.from([...utf16(text, isLittle), 7]);
    assert.deepEqual(withContentId(odd, ids), Uint8Array.from([...utf16(expected, isLittle), 7]));
  }
});

Deno.test("text that is not in its encoding is taken as windows-1252, with a note, if it names an extent", () => {
  const { extents, notes, encoding } = parse(latin1('RW 8 FLAT "B\xfcro.vmdk"\n'));
  assert.equal(extents[0]!.fileName, "Büro.vmdk");
  assert.equal(encoding, "windows-1252");
  assert.deepEqual(notes, ["the text is not UTF-8, windows-1252 is taken"]);
  refused(latin1("# Disk DescriptorFile\n\xff\xfe\xfd"), "DESCRIPTOR_INVALID");
});

Deno.test("a megabyte of anything is read or refused at once", () => {
  const size = MAX_DESCRIPTOR_BYTES - 64;
  const texts = [
    "\n".repeat(size),
    " ".repeat(size),
    "\r\n".repeat(size / 2),
    `a${" ".repeat(size)}b`,
    `a${"=".repeat(size)}`,
    `RW 1 FLAT "a"${" ".repeat(size)}"b`,
    `RW 1 FLAT ${'"'.repeat(size)}`,
    `RW 1 FLAT ${'" '.repeat(size / 2)}x`,
    `RW 1 ${"A".repeat(size)}\rb`,
    `RW${" ".repeat(size)}x`,
    `encoding${" ".repeat(size)}`,
    "encoding =\n".repeat(size / 11),
    '"'.repeat(size),
  ];
  for (const text of texts) {
    const startMs = cpuMs();
    try {
      parse(text);
    } catch (error) {
      assert.ok(error instanceof RegrainError, String(error));
    }
    const workedMs = cpuMs() - startMs;
    assert.ok(workedMs < 2000, `${workedMs} ms for ${JSON.stringify(text.slice(0, 20))}`);
  }
});

Deno.test("any bytes are parsed or refused with a code", () => {
  const line = fc.constantFrom(
    "RW 8 FLAT ",
    "CID=",
    '"',
    "ddb.",
    "=",
    "\n",
    " ",
    "RDONLY",
    "\r\n",
    "encoding=",
    "9",
    "\0",
  );
  const text = fc.array(fc.oneof(line, fc.string({ maxLength: 4, unit: "binary" })), { maxLength: 30 });
  check(
    fc.property(text, (parts) => {
      try {
        parse(parts.join(""));
      } catch (error) {
        assert.ok(error instanceof RegrainError, String(error));
      }
    }),
    { runs: 2000 },
  );
});

Deno.test("A13: a descriptor is known by its first line that is no comment, or by the usual comment", () => {
  for (
    const line of [
      "# Disk DescriptorFile",
      "#disk descriptorfile\r\n",
      "\n # DISK  DESCRIPTORFILE",
      "\uFEFF# Disk DescriptorFile",
      "# Disk Descriptor File\n",
      "version=1",
      " Version = 1\r\n",
      "\n\n# re-created by hand after KB 1026353\n\n#\nversion=1\nCID=1\n",
      `# ${"long ".repeat(300)}\nversion=3\n`,
      "# Description file created by VMDK stream converter\nversion=1\n",
    ]
  ) {
    assert.ok(looksLikeDescriptor(utf8(line)), line);
    assert.ok(looksLikeDescriptor(utf16(line.replace("\uFEFF", ""))), line);
  }
  for (
    const line of [
      "",
      "Disk DescriptorFile",
      "# Disk",
      "KDMV",
      "version=x",
      "version=1 of this file",
      "#!/bin/sh\necho version=1",
      "# comment\0version=1\n",
      "# comment \u0001\nversion=1\n",
      "versions=1\n",
    ]
  ) {
    assert.ok(!looksLikeDescriptor(utf8(line)), line);
  }
});

/** Bytes as one character each, to compare what changed. */
const raw = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

Deno.test("a new content id changes the ids and no other byte", () => {
  const ids = { cid: 0xabc, longContentId: "f".repeat(24) + "00000abc" };
  for (
    const text of [PLAIN, PLAIN.replaceAll("\n", "\r\n"), PLAIN.replaceAll("=", " = "), `${PLAIN}\0\0\0`]
  ) {
    const expected = text.replace("5eed0002", "00000abc").replace(/[0-9a-f]{32}/, ids.longContentId);
    assert.equal(raw(withContentId(utf8(text), ids)), expected);
  }
});

Deno.test("a new content id leaves text of any encoding as it is", () => {
  const bytes = buildDescriptor({
    createType: "vmfs",
    cid: "1",
    longContentId: "0".repeat(31) + "1",
    extents: [{ sectors: 8, type: "VMFS", file: "Büro-5€.vmdk" }],
    style: { encoding: "windows-1252", newline: "\r\n", paddedBytes: 1024 },
  });
  const changed = withContentId(bytes, { cid: 0x5eed0002, longContentId: "a".repeat(32) });
  assert.equal(changed.length, bytes.length + 7, "an id without padding gets it");
  assert.equal(
    raw(changed),
    raw(bytes).replace("CID=1\r", "CID=5eed0002\r").replace("0".repeat(31) + "1", "a".repeat(32)),
  );
  assert.equal(parse(changed).extents[0]!.fileName, "Büro-5€.vmdk");
});

Deno.test("a new content id does not touch parentCID, comments or other keys", () => {
  const text = '# CID=1\nparentCID=5\nddb.CID = "7"\n  cid = "9"\n';
  assert.equal(
    raw(withContentId(utf8(text), { cid: 0xa, longContentId: undefined })),
    text.replace('"9"', '"0000000a"'),
  );
});

Deno.test("without a long content id the line of the old one goes", () => {
  const changed = raw(withContentId(utf8(PLAIN), { cid: 1, longContentId: undefined }));
  assert.equal(changed, PLAIN.replace("5eed0002", "00000001").replace(/^ddb\.longContentID.*\n/m, ""));
});

Deno.test("the ids that a rewrite sets are those that a reader then finds, and doing it twice is doing it once", () => {
  const spellings = fc.record({
    newline: fc.constantFrom("\n" as const, "\r\n" as const),
    keyCase: fc.constantFrom("as-is" as const, "upper" as const, "lower" as const),
    blanksAroundEquals: fc.boolean(),
    paddedBytes: fc.constantFrom(0, 2048),
  });
  const ids = fc.nat(0xffffffff);
  check(
    fc.property(spellings, ids, ids, fc.boolean(), (style, before, after, isLong) => {
      const long = (cid: number) => `0123456789abcdef01234567${formatCid(cid)}`;
      const bytes = buildDescriptor({
        createType: "vmfs",
        cid: before.toString(16),
        longContentId: long(before),
        extents: [{ sectors: 8, type: "VMFS", file: "a.vmdk" }],
        style,
      });
      const wanted = { cid: after, longContentId: isLong ? long(after) : undefined };
      const once = withContentId(bytes, wanted);
      const found = parse(once);
      assert.equal(found.cid, after);
      assert.equal(found.ddb.get("longcontentid"), wanted.longContentId);
      assert.deepEqual(withContentId(once, wanted), once);
      assert.deepEqual({ ...meaning(found), cid: 0, ddb: {} }, { ...meaning(parse(bytes)), cid: 0, ddb: {} });
    }),
    { runs: 300 },
  );
});
