import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/errors.ts";
import type { Operation } from "./errno.ts";
import { translated, translating, translatingLater, unlessAbsent } from "./translate.ts";

function systemFailure(code: string): Error {
  return Object.assign(new Error(`it failed (${code})`), { code });
}

function translatedCode(operation: Operation, errno: string): string {
  const error = translated({ operation, path: "a" }, systemFailure(errno));
  assert.ok(error instanceof RegrainError);
  return error.code;
}

Deno.test("a failure of the system has one code, whoever met it", () => {
  const rows: [Operation, string, string][] = [
    ["read file", "ENOENT", "NOT_FOUND"],
    ["read file", "EACCES", "PERMISSION"],
    ["read file", "EISDIR", "OPEN_FAILED"],
    ["open log", "EACCES", "PERMISSION"],
    ["open log", "EROFS", "OPEN_FAILED"],
    ["save", "EPERM", "PERMISSION"],
    ["save", "EROFS", "WRITE_FAILED"],
    ["rename", "EACCES", "PERMISSION"],
    ["rename", "EXDEV", "WRITE_FAILED"],
    ["remove", "EBUSY", "WRITE_FAILED"],
    ["spill", "EIO", "WRITE_FAILED"],
  ];
  for (const [operation, errno, code] of rows) {
    assert.equal(translatedCode(operation, errno), code, `${operation} ${errno}`);
  }
  for (const operation of ["open log", "save", "rename", "spill", "flush", "make"] as const) {
    for (const errno of ["ENOSPC", "EDQUOT", "EFBIG"]) {
      assert.equal(translatedCode(operation, errno), "NO_SPACE");
    }
  }
});

Deno.test("the error names the path, the byte, the number in words and what it came from", () => {
  const cause = systemFailure("EIO");
  const error = translated({ operation: "read", path: "a", offsetBytes: () => 512 }, cause);
  assert.ok(error instanceof RegrainError);
  assert.equal(error.message, "a: reading failed: input/output error (EIO), at byte 512");
  assert.equal(error.cause, cause);
});

Deno.test("what Deno forbids is PERMISSION with the flag that helps, whatever was done", () => {
  const cause = new Deno.errors.NotCapable(
    'Requires read access to "a", run again with the --allow-read flag',
  );
  for (const otherwise of [undefined, "STORE_FAILED"] as const) {
    const error = translated({ operation: "look up", path: "a", ...otherwise && { otherwise } }, cause);
    assert.ok(error instanceof RegrainError);
    assert.deepEqual([error.code, error.hint], ["PERMISSION", "grant --allow-read=a"]);
  }
});

Deno.test("a code for the rest leaves missing rights and missing space what they are", () => {
  const codes = ["EACCES", "ENOSPC", "ENOENT", "EIO"].map((errno) => {
    const doing = { operation: "read file", path: "a", otherwise: "STORE_FAILED" } as const;
    return (translated(doing, systemFailure(errno)) as RegrainError).code;
  });
  assert.deepEqual(codes, ["PERMISSION", "NO_SPACE", "STORE_FAILED", "STORE_FAILED"]);
});

Deno.test("an error without a number keeps its words; a bug and an error of ours stay what they are", async () => {
  const error = translated(
    { operation: "list", path: "a" },
    new Deno.errors.InvalidData("a name is no UTF-8"),
  );
  assert.ok(error instanceof RegrainError);
  assert.equal(error.message, "a: listing it failed: a name is no UTF-8");
  const doing = { operation: "save", path: "a" } as const;
  for (const thrown of [new TypeError("a bug"), new RegrainError("DAMAGED", "x")]) {
    assert.throws(() =>
      translating(doing, () => {
        throw thrown;
      }), (found) => found === thrown);
    await assert.rejects(translatingLater(doing, () => Promise.reject(thrown)), (found) => found === thrown);
  }
});

Deno.test("unlessAbsent() takes only absence for absence", () => {
  const look = (errno: string) =>
    unlessAbsent({ operation: "look up", path: "a" }, () => {
      throw systemFailure(errno);
    });
  assert.equal(look("ENOENT"), undefined);
  assert.equal(look("ENOTDIR"), undefined);
  assert.throws(() => look("EACCES"), { code: "PERMISSION" });
  assert.throws(() => look("EIO"), { code: "OPEN_FAILED" });
  assert.equal(unlessAbsent({ operation: "look up", path: "a" }, () => 7), 7);
});
