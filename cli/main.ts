/**
 * Where the program starts. Nothing else is loaded before it is known that this Deno runs it: an older one would end at
 * the first word that it does not know, and say that instead.
 */
import { refuseOldDeno } from "./deno_version.ts";
import { LEAST_DENO } from "./version.ts";

if (import.meta.main) {
  refuseOldDeno(LEAST_DENO);
  await (await import("./run.ts")).start();
}
