import assert from "node:assert/strict";
import { caseNamed } from "../../../fixtures/mod.ts";
import { memorySource } from "../../../test/helpers/memory.ts";
import { type Kind, notADisk, probe } from "./probe.ts";

const bytesOf = (text: string, length = 512) => {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
};
const probeBytes = (bytes: Uint8Array) => probe(memorySource("x", bytes));

Deno.test("a file is what its first bytes say", async () => {
  const rows: [string, Kind][] = [
    ["KDMV\x01\0\0\0", "hosted"],
    ["COWD\x01\0\0\0", "cowd"],
    ["\xbe\xba\xfe\xca\0\0\0\0", "sesparse"],
    ["# Disk DescriptorFile\n", "descriptor"],
    ["#disk descriptorfile\r\n", "descriptor"],
    ["\xef\xbb\xbf# Disk DescriptorFile\n", "descriptor"],
    ["", "raw"],
    ["\xbe\xba\xfe\xca\x01\0\0\0", "raw"],
    ["\xfe\xca\xfe\xca\0\0\0\0", "raw"],
    ["kdmv\x01\0\0\0", "raw"],
  ];
  for (const [text, kind] of rows) {
    assert.equal((await probeBytes(bytesOf(text))).kind, kind, JSON.stringify(text));
  }
});

Deno.test("a file shorter than a magic is raw, and no read passes its end", async () => {
  for (const length of [0, 1, 3, 4, 7]) {
    const { kind, head } = await probeBytes(bytesOf("KDMV", length));
    assert.equal(kind, "raw");
    assert.equal(head.length, length);
  }
});

Deno.test("its own fixtures are recognised", async () => {
  const files = caseNamed("chain-five-links-of-three-kinds").make();
  for (const [name, bytes] of Object.entries(files)) {
    const { kind } = await probeBytes(bytes);
    const expected = /-delta/.test(name)
      ? "cowd"
      : /-sesparse/.test(name)
      ? "sesparse"
      : /-s001/.test(name)
      ? "hosted"
      : /-flat/.test(name)
      ? "raw"
      : "descriptor";
    assert.equal(kind, expected, name);
  }
});

Deno.test("formats of others are named", async () => {
  const rows: [string, RegExp][] = [
    ["QFI\xfb", /qcow2/],
    ["vhdxfile", /VHDX/],
    ["conectix", /VHD/],
    [`${"\0".repeat(64)}\x7f\x10\xda\xbe`, /VDI/],
    ["\x1f\x8b\x08", /gzip/],
    ["\x28\xb5\x2f\xfd", /zstd/],
    ["\xfd7zXZ\0", /xz/],
    ["BZh9", /bzip2/],
    ["PK\x03\x04", /zip/],
    [`${"a".repeat(257)}ustar`, /tar/],
    ["\xa2\x72\x19\xf6", /changed-block map/],
  ];
  for (const [text, name] of rows) {
    const file = memorySource("x", bytesOf(text));
    const seen = await probe(file);
    assert.equal(seen.kind, "raw");
    assert.match(notADisk(file, seen).message, name);
  }
});

Deno.test("an error about a file that is no disk shows its first bytes", async () => {
  const file = memorySource("x.img", bytesOf("\x01\xab"));
  const error = notADisk(file, await probe(file));
  assert.equal(error.code, "NOT_A_DISK");
  assert.equal(
    error.message,
    "x.img: not a VMDK: the first bytes are 01 ab 00 00 00 00 00 00 00 00 00 00 00 00 00 00, at byte 0",
  );
  assert.match(error.hint!, /-delta\.vmdk/);
});

Deno.test("an empty file is told to be empty", async () => {
  const file = memorySource("x.img", new Uint8Array(0));
  assert.equal(notADisk(file, await probe(file)).message, "x.img: the file is empty, at byte 0");
});
