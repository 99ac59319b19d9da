import assert from "node:assert/strict";
import { type ErrorCode, ERRORS, RegrainError } from "./errors.ts";

const CODES = Object.keys(ERRORS) as ErrorCode[];

/** Exit statuses of errors; 0, 1 and 3 are results, 70 is a bug. */
const USAGE = 2;
const BAD_INPUT = 4;
const WRONG_BASE = 5;
const IO = 6;
const REMOTE = 7;
const NO_REPOSITORY = 10;
const NO_KEY = 12;
/** 128 and the number of the signal. */
const HUNG_UP = 129;
const INTERRUPTED = 130;
const TERMINATED = 143;

Deno.test("every code ends the process with a status of the contract", () => {
  for (const code of CODES) {
    const statuses = [
      USAGE,
      BAD_INPUT,
      WRONG_BASE,
      IO,
      REMOTE,
      NO_REPOSITORY,
      NO_KEY,
      HUNG_UP,
      INTERRUPTED,
      TERMINATED,
    ];
    assert.ok(statuses.includes(ERRORS[code].exit), code);
    assert.equal(new RegrainError(code, "x").exit, ERRORS[code].exit);
  }
});

Deno.test("every code is upper case and says what it means in one lower-case sentence", () => {
  for (const code of CODES) {
    assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
    assert.match(ERRORS[code].text, /^[a-z].*[a-z]$/, code);
  }
});

Deno.test("codes whose status scripts depend on keep it", () => {
  const statuses: Partial<Record<ErrorCode, number>> = {
    USAGE,
    TARGET_MISSING: USAGE,
    TARGET_IS_INPUT: USAGE,
    TARGET_MOUNTED: USAGE,
    TARGET_BUSY: USAGE,
    NOT_A_DISK: BAD_INPUT,
    TRUNCATED: BAD_INPUT,
    DAMAGED: BAD_INPUT,
    JOURNAL_DIRTY: BAD_INPUT,
    OUTSIDE_FOLDER: BAD_INPUT,
    WRONG_BASE,
    SIZE_MISMATCH: WRONG_BASE,
    CHAIN_BROKEN: WRONG_BASE,
    READ_FAILED: IO,
    WRITE_FAILED: IO,
    NO_SPACE: IO,
    PERMISSION: IO,
    INTERRUPTED,
    TERMINATED,
  };
  for (const [code, exit] of Object.entries(statuses)) {
    assert.equal(ERRORS[code as ErrorCode].exit, exit, code);
  }
});

Deno.test("a message reads path, reason, byte", () => {
  const message = (detail: { path?: string; offsetBytes?: number }) =>
    new RegrainError("DAMAGED", "it is odd", detail).message;
  assert.equal(message({}), "it is odd");
  assert.equal(message({ path: "a.vmdk" }), "a.vmdk: it is odd");
  assert.equal(message({ path: "a.vmdk", offsetBytes: 0 }), "a.vmdk: it is odd, at byte 0");
});

Deno.test("an error keeps its parts, and its cause only where there is one", () => {
  const cause = new Error("below");
  const error = new RegrainError("READ_FAILED", "it fails", { path: "a", offsetBytes: 5, hint: "do", cause });
  const { name, code, path, offsetBytes, hint, reason } = error;
  assert.deepEqual({ name, code, path, offsetBytes, hint, reason }, {
    name: "RegrainError",
    code: "READ_FAILED",
    path: "a",
    offsetBytes: 5,
    hint: "do",
    reason: "it fails",
  });
  assert.equal(error.cause, cause);
  assert.ok(!("cause" in new RegrainError("READ_FAILED", "it fails")));
});

Deno.test("another hint leaves the rest of an error as it is", () => {
  const error = new RegrainError("TRUNCATED", "it ends", { path: "a", offsetBytes: 5, hint: "old" });
  const hinted = error.withHint("new");
  assert.equal(hinted.hint, "new");
  assert.equal(hinted.message, error.message);
  assert.equal(hinted.code, error.code);
  assert.equal(hinted.cause, error);
  assert.equal(new RegrainError("USAGE", "no").withHint("h").message, "no");
});
