/**
 * Refusing a Deno that is too old. In words that every Deno knows, and without an import: its text is also the start of
 * what is built, where nothing else has been read yet.
 */

/** Ends the process with exit status 2 where this Deno is older than needed. */
export function refuseOldDeno(least: string): void {
  const found = Deno.version.deno;
  const [have, need] = [found, least].map((version) => version.split(".").map((part) => parseInt(part)));
  for (let i = 0; i < 3; i++) {
    if (have![i]! > need![i]!) return;
    if (have![i]! === need![i]!) continue;
    const message = `Deno ${least} or newer is needed, and this is Deno ${found}`;
    const error = { type: "error", code: "USAGE", exit: 2, message };
    console.error(Deno.args.includes("--json") ? JSON.stringify(error) : `regrain: ${message}`);
    Deno.exit(2);
  }
}
