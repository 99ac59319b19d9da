/**
 * `deno task bundle`: everything in one file that needs nothing but Deno.
 *
 * The program is in it as a text, which becomes code when the version of Deno is known to be right: an older one would
 * not get past the first word that it does not know, wherever that is in its file.
 */
import { withLazyBuiltins } from "./builtins.ts";
import { deno, MAIN_SOURCE, startText } from "./program.ts";

/** What a module has and the body of a function has not. */
const EXPORTS = /^export \{\n((?: {2}.+\n)+)\};$/m;
const STATIC_IMPORT = /^import (?!\()/m;
/** What {@link withLazyBuiltins} leaves: names from a module that is not started on demand. */
const NAMED_IMPORT = /^import (\{ .+ \}) from "(node:[\w/]+)";$/gm;
const META = "importMeta";

/** Makes the one file. */
export async function bundle(path: string): Promise<void> {
  await deno(["bundle", "--quiet", "--platform", "deno", "-o", path, MAIN_SOURCE]);
  const text = JSON.stringify(asBody(Deno.readTextFileSync(path)));
  const run = `new Function("${META}", ${text})(import.meta).start();\n`;
  Deno.writeTextFileSync(path, startText() + run);
}

/** The body of a function of `import.meta` that returns what the module exports. */
function asBody(module: string): string {
  const text = withLazyBuiltins(module).replaceAll(
    NAMED_IMPORT,
    (_, names: string, builtin: string) =>
      `var ${names.replaceAll(" as ", ": ")} = globalThis.process.getBuiltinModule("${builtin}");`,
  ).replaceAll(/\bimport\.meta\b/g, META);
  const exported = EXPORTS.exec(text);
  if (exported === null || STATIC_IMPORT.test(text)) {
    throw new Error("deno bundle writes modules in another way than cli/ship/bundle.ts knows");
  }
  const names = exported[1]!.replaceAll(/^ {2}(\w+) as (\w+)(,?)$/gm, "  $2: $1$3");
  return `"use strict";\n${text.replace(exported[0], () => `return {\n${names}};`)}\n//# sourceURL=regrain\n`;
}

if (import.meta.main) await bundle(Deno.args[0] ?? "dist/regrain.js");
