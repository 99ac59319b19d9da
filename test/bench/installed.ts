/** The command as `deno task install` puts it on the PATH: what a user runs is what is measured. */
import { install } from "../../cli/ship/installation.ts";

const prefix = Deno.makeTempDirSync({ prefix: "regrain_bench_installed_" });
await install(prefix);
globalThis.addEventListener("unload", () => Deno.removeSync(prefix, { recursive: true }));

/** Path of the command. */
export const REGRAIN = `${prefix}/bin/regrain`;
