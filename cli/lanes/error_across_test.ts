import assert from "node:assert/strict";
import { type ErrorCode, ERRORS, RegrainError } from "../../core-as/host/errors.ts";
import { receivedError, sendableError } from "./error_across.ts";

/** As a message between two threads makes it. */
function across(error: unknown): Error {
  return receivedError(structuredClone(sendableError(error)), "a lane");
}

Deno.test("an error of every code, with and without path, offset and hint, is the same on the other side", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    for (
      const detail of [{}, { path: "a" }, { offsetBytes: 0 }, { hint: "h" }, {
        path: "",
        offsetBytes: 9,
        hint: "",
      }]
    ) {
      const sent = new RegrainError(code, "it is so", detail);
      const received = across(sent);
      assert.ok(received instanceof RegrainError);
      const told = ({ code, exit, reason, message, path, offsetBytes, hint }: RegrainError) => //
      ({ code, exit, reason, message, path, offsetBytes, hint });
      assert.deepEqual(told(received), told(sent));
    }
  }
});

Deno.test("what is thrown and is no error of ours arrives as a bug with its trace", () => {
  const error = new RangeError("out of range");
  assert.equal(across(error).message, `in a lane: ${error.stack}`);
  assert.equal(across("a string").message, "in a lane: a string");
  assert.ok(!(across(error) instanceof RegrainError));
});
