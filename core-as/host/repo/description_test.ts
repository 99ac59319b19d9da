import assert from "node:assert/strict";
import { isChunkSize, parseDescription, type RepositoryDescription } from "./description.ts";

const DESCRIPTION: RepositoryDescription = {
  format: "regrain-repository",
  version: 1,
  id: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  created: "2026-11-21T00:58:03.123Z",
  chunkBytes: 4 * 1024 * 1024,
  hash: "sha256",
  encryption: "none",
  conditionalPut: "atomic",
  features: [],
};

function parse(value: unknown): RepositoryDescription {
  return parseDescription(new TextEncoder().encode(JSON.stringify(value)), "repo.json");
}

Deno.test("a description is read as it was written", () => {
  assert.deepEqual(parse(DESCRIPTION), DESCRIPTION);
  const other = {
    ...DESCRIPTION,
    hash: "hmac-sha256",
    encryption: "aes-256-gcm",
    conditionalPut: "ignored",
  } as const;
  assert.deepEqual(parse(other), other);
});

Deno.test("a description is refused for every field that is not what it must be", () => {
  const wrong: Record<keyof RepositoryDescription, readonly unknown[]> = {
    format: ["regrain-snapshot", null],
    version: [0, 2, "1", null],
    id: ["", "x".repeat(26), 5],
    created: [5, null],
    chunkBytes: [0, 4095, 512 * 1024, 3 * 1024 * 1024, 128 * 1024 * 1024, 1.5, "4"],
    hash: ["md5", "sha256 ", null],
    encryption: ["rot13", null],
    conditionalPut: ["perhaps", null],
    features: [["packs"], "packs", [5], null],
    mac: ["", "ab", "g".repeat(64), 5],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const what = `${name}: ${JSON.stringify(value)}`;
      const changed = { ...DESCRIPTION, [name]: value };
      assert.throws(() => parse(changed), { code: "REPO_UNSUPPORTED", path: "repo.json" }, what);
    }
  }
});

Deno.test("what is no JSON object is no description", () => {
  for (const value of [null, [], 5, "text"]) assert.throws(() => parse(value), { code: "REPO_UNSUPPORTED" });
  for (const bytes of [new Uint8Array(0), Uint8Array.of(0xff, 0xfe), new TextEncoder().encode("{")]) {
    assert.throws(() => parseDescription(bytes, "repo.json"), { code: "REPO_UNSUPPORTED" });
  }
});

Deno.test("chunks have 1, 2, 4 ... 64 MiB", () => {
  const mib = 1024 * 1024;
  for (const size of [1, 2, 4, 8, 16, 32, 64]) assert.ok(isChunkSize(size * mib));
  for (const bytes of [0, -mib, mib / 2, mib + 1, 3 * mib, 128 * mib, NaN, Infinity]) {
    assert.ok(!isChunkSize(bytes));
  }
});
