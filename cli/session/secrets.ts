/**
 * Passphrases that come by variables.
 *
 * They are taken out of the environment before a store is opened: packages start programs as well (the S3 client runs
 * `credential_process` of a profile), and hand all of it on.
 */
import { variable } from "../environment.ts";

const NAMES = ["REGRAIN_PASSPHRASE", "REGRAIN_NEW_PASSPHRASE", "REGRAIN_TO_PASSPHRASE"] as const;

const taken = new Map<string, string>();

/** Takes all of them out of the environment; from then on only {@link secretVariable} knows them. */
export function takeSecrets(): void {
  for (const name of NAMES) {
    const value = variable(name);
    if (value === undefined) continue;
    taken.set(name, value);
    Deno.env.delete(name);
  }
}

/** The passphrase of a variable, as the environment had it; none for other variables. */
export function secretVariable(name: string): string | undefined {
  takeSecrets();
  return taken.get(name);
}
