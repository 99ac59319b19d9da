/**
 * What starts of a program should load: nothing that the command does not need. In the text that `deno bundle` makes,
 * imports of `node:` modules stand at the top of each file and are loaded at once; here they load with their first use.
 */

/** A module in the text begins with its path in a comment. */
const MODULE = /^\/\/ \S+\.(?:[cm]?[jt]sx?|wasm|json|html)$/;
/** A module that calls it `process` hides the global one. */
const GET_BUILTIN = "globalThis.process.getBuiltinModule";
const IMPORT = /^import (.+) from "(node:[\w/]+)";$/;
/** The function that starts a module, and after it the line that names the module. */
const STARTER = /^var \w+ = __esm\(\{$/;

/** How `deno bundle` gives CommonJS modules their `require`: with the module system of Node.js in every start. */
const REQUIRE =
  /^import \{ createRequire as (\w+) \} from "node:module";\nvar (\w+) = \1\(import\.meta\.url\);$/m;

/** Rewrites one file of a bundle. An import that does not look as it should stays as it is. */
export function withLazyBuiltins(bundled: string): string {
  const text = bundled.replace(
    REQUIRE,
    (_, _maker, name) =>
      `var ${name} = (id) => ${GET_BUILTIN}("node:module").createRequire(import.meta.url)(id);`,
  );
  const lines = text.split("\n");
  for (const [i, line] of lines.entries()) {
    const [, names, builtin] = IMPORT.exec(line) ?? [];
    if (names === undefined) continue;
    const starter = starterOf(lines, i);
    if (starter === undefined) {
      lines[i] = lazyObject(names, builtin!) ?? lazyMembers({ names, builtin: builtin!, text }) ?? line;
    } else {
      lines[i] = `var ${declaredIn(names).join(", ")};`;
      lines[starter + 1] += ` ${assignmentOf(names, builtin!)}`;
    }
  }
  return lines.join("\n");
}

/** Names what is loaded on demand so that Deno does not look for it before the program starts. */
export function withLazyModules(text: string): string {
  return text.replaceAll(/\bimport\("(\.{1,2}\/[^"]+)"\)/g, 'import(new URL("$1", import.meta.url).href)');
}

/** The line on which the module of an import is started; undefined where it is started at once. */
function starterOf(lines: readonly string[], from: number): number | undefined {
  for (let i = from + 1; i < lines.length && !MODULE.test(lines[i]!); i++) {
    if (STARTER.test(lines[i]!)) return i;
  }
  return undefined;
}

/** `{ a, b as c }` as pairs; undefined for a whole module, `name` or `* as name`. */
function pairsIn(names: string): string[][] | undefined {
  const [, list] = /^\{ (.+) \}$/.exec(names) ?? [];
  return list?.split(", ").map((each) => each.split(" as "));
}

function declaredIn(names: string): string[] {
  return pairsIn(names)?.map((pair) => pair.at(-1)!) ?? [names.replace("* as ", "")];
}

function assignmentOf(names: string, builtin: string): string {
  const module = `process.getBuiltinModule("${builtin}")`;
  const pairs = pairsIn(names);
  if (pairs === undefined) return `${declaredIn(names)[0]} = ${module};`;
  return `({ ${pairs.map((pair) => pair.join(": ")).join(", ")} } = ${module});`;
}

/** A whole module that is asked for its members, as commander asks `node:child_process`: the first one loads it. */
function lazyObject(names: string, builtin: string): string | undefined {
  if (pairsIn(names) !== undefined) return undefined;
  const [name] = declaredIn(names);
  return `var ${name} = new Proxy({}, { get: (_, member) => ${GET_BUILTIN}("${builtin}")[member] });`;
}

/** Members of a module that nothing is done with but to call them, or but to ask them for theirs, as `Buffer.from`. */
function lazyMembers(of: { names: string; builtin: string; text: string }): string | undefined {
  const members: string[] = [];
  for (const [member, name = member] of pairsIn(of.names) ?? []) {
    const found = `${GET_BUILTIN}("${of.builtin}").${member}`;
    const uses = usesOf(name!, of.text);
    if (uses === "calls") members.push(`var ${name} = (...values) => ${found}(...values);`);
    else if (uses === "members") {
      members.push(`var ${name} = new Proxy({}, { get: (_, member) => ${found}[member] });`);
    } else return undefined;
  }
  return members.join(" ");
}

/** What is done with a name wherever it stands in code. */
function usesOf(name: string, text: string): "calls" | "members" | undefined {
  const code = text.split("\n").filter((line) => !IMPORT.test(line) && !/^\s*(\/\/|\/?\*)/.test(line)).join(
    "\n",
  );
  const uses = [...code.matchAll(new RegExp(`(\\bnew |\\.)?(?<![\\w$])${name}(?![\\w$])(.?)`, "g"))];
  const own = uses.filter(([, before]) => before !== ".");
  if (own.every(([, before, after]) => before === undefined && after === "(")) return "calls";
  return own.every(([, before, after]) => before === undefined && after === ".") ? "members" : undefined;
}
