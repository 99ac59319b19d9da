/** The environment of this process. */
import { RegrainError } from "../core-as/host/errors.ts";
import { isNoText } from "./deno_errors.ts";

/**
 * The value of a variable; `undefined` where it is unset, or Deno may not read it: then there is none.
 *
 * @throws {RegrainError} `USAGE` when its bytes are no text.
 */
export function variable(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  try {
    return Deno.env.get(name);
  } catch (cause) {
    if (!isNoText(cause)) throw cause;
    throw new RegrainError("USAGE", `the variable ${name} is not UTF-8 text`, {
      hint: "set it as UTF-8: a name or a passphrase of another encoding is not the same",
    });
  }
}
