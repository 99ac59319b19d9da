/** What a function is refused with. */
import assert from "node:assert/strict";
import { type ErrorCode, RegrainError } from "../../core-as/host/errors.ts";

/** Runs `fn`, which must throw an error of this code, and returns that. */
export function refusalOf(code: ErrorCode, fn: () => unknown): RegrainError {
  try {
    fn();
  } catch (error) {
    assert.ok(error instanceof RegrainError);
    assert.equal(error.code, code);
    return error;
  }
  return assert.fail("not refused");
}
