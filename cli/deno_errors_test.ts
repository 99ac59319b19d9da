import assert from "node:assert/strict";
import { RegrainError } from "../core-as/host/errors.ts";
import {
  errnoOf,
  hasErrno,
  isAbsent,
  isDenied,
  isForbidden,
  isFull,
  isTaken,
  missingFlag,
} from "./deno_errors.ts";
import { withTempDir } from "../test/helpers/peers.ts";

/** What the call throws; it must. */
async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return assert.fail("nothing was thrown");
}

Deno.test("what the real system says is told by its number, from Deno, at once or later, and from node:fs", () =>
  withTempDir(async (folder) => {
    const fs = process.getBuiltinModule("node:fs");
    const file = `${folder}/file`;
    Deno.writeTextFileSync(file, "");
    Deno.symlinkSync("loop", `${folder}/loop`);
    const calls: [string, () => unknown][] = [
      ["ENOENT", () => Deno.statSync(`${folder}/none`)],
      ["ENOENT", () => Deno.open(`${folder}/none`)],
      ["ENOENT", () => fs.openSync(`${folder}/none`, "r")],
      ["ENOTDIR", () => Deno.statSync(`${file}/below`)],
      ["ENOTDIR", () => Array.fromAsync(Deno.readDir(file))],
      ["EEXIST", () => Deno.writeTextFileSync(file, "", { createNew: true })],
      ["EEXIST", () => Deno.mkdir(folder)],
      ["EISDIR", () => Deno.writeTextFileSync(folder, "")],
      ["EINVAL", () => Deno.readLinkSync(file)],
      ["ELOOP", () => Deno.statSync(`${folder}/loop`)],
      ...Deno.build.os === "linux"
        ? [["ENOSPC", () => Deno.writeTextFileSync("/dev/full", "x")] as [string, () => unknown]]
        : [],
    ];
    for (const [errno, call] of calls) assert.equal(errnoOf(await thrownBy(call)), errno, String(call));
  }));

Deno.test("an error without a number is told by its class", () => {
  const { NotFound, PermissionDenied, AlreadyExists, BrokenPipe, AddrInUse } = Deno.errors;
  assert.ok(isAbsent(new NotFound("entity not found")));
  assert.ok(isDenied(new PermissionDenied("Operation not permitted")));
  assert.ok(isTaken(new AlreadyExists()));
  assert.ok(hasErrno(new BrokenPipe(), "EPIPE"));
  assert.ok(hasErrno(new AddrInUse(), "EADDRINUSE"));
});

Deno.test("what Deno forbids is no answer of the system", () => {
  const error = new Deno.errors.NotCapable(
    'Requires write access to "x", run again with the --allow-write flag',
  );
  assert.ok(isForbidden(error) && isDenied(error));
  assert.equal(missingFlag(error), "--allow-write=x");
  assert.equal(missingFlag(error, "/folder"), "--allow-write=/folder");
  assert.equal(missingFlag(new Deno.errors.NotCapable("no")), "--allow-all");
  assert.equal(errnoOf(error), undefined);
  assert.ok(!isAbsent(error) && !isTaken(error) && !isFull(error));
});

Deno.test("errors of ours, of libraries and of nobody have no number of the system", () => {
  const library = Object.assign(new Error("x"), { code: "ERR_INVALID_ARG_TYPE" });
  const zlib = Object.assign(new Error("x"), { code: "Z_DATA_ERROR" });
  for (
    const error of [
      new RegrainError("ENCRYPTED", "x"),
      library,
      zlib,
      new TypeError("x"),
      "ENOENT",
      undefined,
    ]
  ) {
    assert.equal(errnoOf(error), undefined);
    assert.ok(!isDenied(error) && !isAbsent(error));
  }
});
