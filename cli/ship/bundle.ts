/** `deno task bundle`: everything in one file that needs nothing but Deno. */
import { factsLine } from "./build_facts.ts";
import { deno } from "./program.ts";

/** Makes the one file. */
export async function bundle(path: string): Promise<void> {
  await deno(["bundle", "--quiet", "--platform", "deno", "-o", path, "cli/main.ts"]);
  Deno.writeTextFileSync(path, `${factsLine()}\n${Deno.readTextFileSync(path)}`);
}

if (import.meta.main) await bundle(Deno.args[0] ?? "dist/regrain.js");
