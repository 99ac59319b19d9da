import assert from "node:assert/strict";
import {
  checkSourceName,
  contentKey,
  fromHex,
  isUlid,
  parseContentKey,
  parseContentStem,
  parseSnapshotKey,
  slugOf,
  snapshotKey,
  toHex,
  ulid,
  ulidTimeMs,
} from "./names.ts";

const ID = "0123456789abcdef".repeat(4);
const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

Deno.test("keys of content lead to their names and back", () => {
  for (const kind of ["chunks", "maps"] as const) {
    for (const generation of [0, 1, 10, 255]) {
      for (const suffix of ["zst", "enc"] as const) {
        const key = contentKey({ kind, id: ID, generation }, suffix);
        assert.deepEqual(parseContentKey(key), { kind, id: ID, generation });
      }
    }
  }
  assert.equal(contentKey({ kind: "maps", id: ID, generation: 3 }, "zst"), `maps/01/${ID}.3.zst`);
});

Deno.test("what is not exactly a key of content is none", () => {
  const good = `chunks/01/${ID}.zst`;
  assert.ok(parseContentKey(good));
  const bad = [
    `chunks/02/${ID}.zst`,
    `chunks/01/${ID}`,
    `chunks/01/${ID}.0.zst`,
    `chunks/01/${ID}.01.zst`,
    `chunks/01/${ID}.256.zst`,
    `chunks/01/${ID}.-1.zst`,
    `chunks/01/${ID.slice(1)}.zst`,
    `chunks/01/${ID.toUpperCase()}.zst`,
    `chunks/${ID}.zst`,
    `other/01/${ID}.zst`,
    `x${good}`,
    `${good}.tmp`,
    `${good}\n`,
  ];
  for (const key of bad) assert.equal(parseContentKey(key), undefined, key);
  for (const stem of ["", ID.slice(1), `${ID}.0`, `${ID}.256`, `${ID}.zst`, `${ID}\n`]) {
    assert.equal(parseContentStem(stem), undefined, stem);
  }
  assert.deepEqual(parseContentStem(`${ID}.255`), { id: ID, generation: 255 });
});

Deno.test("keys of manifests lead to source and id and back", () => {
  for (const suffix of ["zst", "enc"] as const) {
    assert.deepEqual(parseSnapshotKey(snapshotKey("web-1", ULID, suffix)), { source: "web-1", id: ULID });
  }
  const bad = [
    `snaps/${ULID}.json`,
    `snaps/../${ULID}.json`,
    `snaps/a/b/${ULID}.json`,
    `snaps/a/${ULID}.zst`,
  ];
  for (
    const key of [...bad, `snaps/A/${ULID}.json`, `snaps/-a/${ULID}.json`, `snaps/a/${ULID.slice(1)}.json`]
  ) {
    assert.equal(parseSnapshotKey(key), undefined, key);
  }
});

Deno.test("ULIDs sort by time, tell it, and hold their random bits", () => {
  const random = new Uint8Array(10);
  assert.equal(ulid(0, random), "0".repeat(26));
  assert.equal(ulid(2 ** 48 - 1, random.slice().fill(255)), `7${"Z".repeat(25)}`);
  const times = [0, 1, 31, 32, 1_469_918_176_385, 1_795_000_000_000, 2 ** 48 - 1];
  const ids = times.map((time) => ulid(time, random));
  assert.deepEqual([...ids].sort(), ids);
  assert.deepEqual(ids.map(ulidTimeMs), times);
  assert.equal(ulid(1_469_918_176_385, random).slice(0, 10), "01ARYZ6S41");
  assert.ok(ids.every(isUlid));
  for (const text of ["", ULID.slice(1), `8${ULID.slice(1)}`, ULID.toLowerCase(), `${ULID}\n`]) {
    assert.ok(!isUlid(text), text);
  }
});

Deno.test("hexadecimal digits lead to bytes and back", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assert.deepEqual(fromHex(toHex(bytes)), bytes);
  assert.equal(toHex(new Uint8Array([0, 15, 255])), "000fff");
});

Deno.test("names of disks are words joined by slashes, and nothing that leads elsewhere", () => {
  for (const name of ["web01/disk-0", "Büro PC/Festplatte 1", "a"]) checkSourceName(name);
  const bad = ["", "/", "a/", "/a", "a//b", "../a", "a/..", "a/./b", " a", "a/ b", "a@b", "a\\b", "a\nb"];
  for (const name of [...bad, "x".repeat(201)]) {
    assert.throws(() => checkSourceName(name), { code: "USAGE" }, name);
  }
});

Deno.test("a slug has only what a key may have", () => {
  assert.equal(slugOf("Web 01/Disk_0"), "web-01-disk-0");
  assert.equal(slugOf("ÜÖ"), "disk");
  assert.equal(slugOf(`${"a".repeat(47)} b`), "a".repeat(47));
  for (const name of ["--x--", "x".repeat(300), "é/è"]) {
    assert.match(slugOf(name), /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
  }
});
