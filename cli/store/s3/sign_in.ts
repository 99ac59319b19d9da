/** Finding credentials: the SDK's own errors say little of a profile that was never finished. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { theVariables } from "./endpoint.ts";
import { isOfTheWorld } from "./failure.ts";

/**
 * Asks for the credentials.
 *
 * @param profile The one that the flag names.
 * @throws {RegrainError} `USAGE` for a profile that cannot be used as it is written. What a server answered, and what
 * the network did, is thrown as it came.
 */
export async function explainSignIn(
  ask: () => Promise<unknown>,
  profile: string | undefined,
): Promise<void> {
  try {
    await ask();
  } catch (cause) {
    const named = profile ?? theVariables("AWS_PROFILE");
    if (isOfTheWorld(cause) || named === undefined && isProviderError(cause)) throw cause;
    const said = cause instanceof Error ? cause.message : String(cause);
    const what = named === undefined ? "the shared configuration of the AWS tools" : `the profile ${named}`;
    throw new RegrainError("USAGE", `${what} cannot be used: ${wordsOf(said)}`, {
      cause,
      hint:
        `complete it (aws configure${
          named === undefined ? "" : ` --profile ${named}`
        }, or aws configure sso), ` +
        "or leave it out and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    });
  }
}

function isProviderError(cause: unknown): boolean {
  return cause instanceof Error && ["CredentialsProviderError", "TokenProviderError"].includes(cause.name);
}

/** A field that is missing shows as a mistake of JavaScript's. */
function wordsOf(said: string): string {
  const [, field] = /reading '(\w+)'/.exec(said) ?? [];
  return field === undefined ? said.replace(/\.$/, "").slice(0, 300) : `${field} is missing`;
}
