/**
 * `deno task compile`: one binary, which is Deno's runtime for programs (`denort`) with the bundle behind it. The
 * runtime comes from the network, once; where there is none, this says which file is wanted and where it may be put.
 */
import { bundle } from "./bundle.ts";
import { deno } from "./program.ts";

const DIST = Deno.env.get("REGRAIN_DIST") ?? "dist";

async function compile(name: string, target: string | undefined): Promise<number> {
  await bundle(`${DIST}/regrain.js`);
  const system = target === undefined ? [] : ["--target", target];
  const args = ["compile", "-A", "--no-check", ...system, "-o", `${DIST}/${name}`, `${DIST}/regrain.js`];
  try {
    await deno(args);
    return 0;
  } catch {
    console.error(wantedText(target ?? Deno.build.target));
    return 1;
  }
}

/** What `deno compile` looks for before it asks the network. */
function wantedText(target: string): string {
  const archive = `denort-${target}.zip`;
  const place = `release/v${Deno.version.deno}/${archive}`;
  const program = target.includes("windows") ? "denort.exe" : "denort";
  return `compile: the bundle is made, ${DIST}/regrain.js; if the runtime could not be fetched, one of these is wanted:
  ${archive} of Deno ${Deno.version.deno}, as $DENO_DIR/dl/${place}
  ${program}, which is in that archive, named by the variable DENORT_BIN
The archive is https://dl.deno.land/${place}. "deno task pack" needs no such file.`;
}

const [name = "regrain", target] = Deno.args;
Deno.exit(await compile(name, target));
