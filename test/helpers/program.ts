/**
 * What `deno run` runs where a test starts the program: the sources, or what `test/run.ts` built of them. That is what
 * users install, and it starts in half of the time.
 */
import { fileURLToPath } from "node:url";

/** The sources: they need no more rights than the command that they run. */
export const SOURCES = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

/** The program to start. Its name in the environment is that of `test/run.ts`; a file that is run by hand has none. */
export const PROGRAM = Deno.env.get("REGRAIN_BUILT") || SOURCES;
