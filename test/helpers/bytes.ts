/** Comparing contents of files. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

/** True when both hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Asserts that a file holds exactly these bytes; says where it does not. */
export function assertFileHolds(path: string, expected: Uint8Array): void {
  const found = Deno.readFileSync(path);
  assert.equal(found.length, expected.length, `${path}: length`);
  if (sameBytes(found, expected)) return;
  assert.fail(`${path}: first wrong byte ${found.findIndex((byte, i) => byte !== expected[i])}`);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Hash of a file, read piece by piece. */
export function sha256File(path: string): string {
  const hash = createHash("sha256");
  using file = Deno.openSync(path);
  const piece = new Uint8Array(4 * 1024 * 1024);
  for (let count = file.readSync(piece); count !== null; count = file.readSync(piece)) {
    hash.update(piece.subarray(0, count));
  }
  return hash.digest("hex");
}
