import assert from "node:assert/strict";
import { errnoName, type Operation, systemError } from "./errno.ts";

function codeOf(operation: Operation, errno: string): string {
  return systemError({ operation, errno, path: "vm.img" }).code;
}

Deno.test("systemError() says the errno in words, its name, the path and the byte", () => {
  const error = systemError({ operation: "write", errno: "ENOSPC", path: "vm.img", offsetBytes: 4096 });
  assert.equal(error.message, "vm.img: writing failed: no space left on device (ENOSPC), at byte 4096");
  assert.equal(
    systemError({ operation: "read", errno: errnoName(999), path: "vm.img" }).message,
    "vm.img: reading failed: errno 999",
  );
});

Deno.test("systemError() gives a full medium the same code whatever was done to it", () => {
  for (const operation of ["open target", "write", "zero", "flush"] as const) {
    for (const errno of ["ENOSPC", "EDQUOT", "EFBIG"]) assert.equal(codeOf(operation, errno), "NO_SPACE");
  }
});

Deno.test("systemError() tells reading from writing, and sources from targets", () => {
  assert.equal(codeOf("read", "EIO"), "READ_FAILED");
  assert.equal(codeOf("write", "EIO"), "WRITE_FAILED");
  assert.equal(codeOf("flush", "EIO"), "WRITE_FAILED");
  assert.equal(codeOf("open source", "ENOENT"), "NOT_FOUND");
  assert.equal(codeOf("open target", "ENOENT"), "TARGET_MISSING");
  assert.equal(codeOf("open source", "EACCES"), "PERMISSION");
  assert.equal(codeOf("open target", "EACCES"), "PERMISSION");
  for (const errno of ["EROFS", "EPERM", "ETXTBSY"]) {
    assert.equal(codeOf("open target", errno), "TARGET_READ_ONLY");
  }
  assert.equal(codeOf("open target", "EBUSY"), "TARGET_BUSY");
  assert.equal(codeOf("open source", "EMFILE"), "OPEN_FAILED");
});
