/**
 * The program as it is installed and packed: a folder of JavaScript, of which Deno loads what a command needs. It
 * starts in a third of the time of the one-file bundle, which Deno reads as a whole every time.
 */
import { refuseOldDeno } from "../deno_version.ts";
import { LEAST_DENO, VERSION } from "../version.ts";
import { factsLine } from "./build_facts.ts";
import { withLazyBuiltins, withLazyModules } from "./builtins.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** What Deno runs: it loads nothing before it has looked at the version of Deno. */
export const LAUNCHER = "regrain.js";
const MAIN = "run.js";
/** The program itself, without what looks at the version of Deno. */
export const MAIN_SOURCE = "cli/run.ts";
/** What threads start as, in the sources and built. */
const THREAD_SOURCE = "cli/workers/main.ts";
const THREAD = "workers/main.js";
/** How a bundle of one file finds what threads start as: by itself. In a folder of many it is a file of its own. */
const OWN_FILE = /(import\.meta\.url\.endsWith\("\.ts"\) \? [^;]+?) : import\.meta\.url;/g;

/** Builds the program into an empty folder. */
export async function buildProgram(folder: string): Promise<void> {
  await deno([
    ...["bundle", "--quiet", "--platform", "deno", "--code-splitting", "--outdir", folder],
    ...[MAIN_SOURCE, THREAD_SOURCE],
  ]);
  let threads = 0;
  for (const name of filesIn(folder)) {
    const path = `${folder}/${name}`;
    const text = withLazyModules(withLazyBuiltins(Deno.readTextFileSync(path)));
    const thread = name.includes("/") ? THREAD.replace("workers", ".") : `./${THREAD}`;
    Deno.writeTextFileSync(
      path,
      text.replaceAll(OWN_FILE, (_, before: string) => {
        threads++;
        return `${before} : new URL("${thread}", import.meta.url).href;`;
      }),
    );
  }
  if (threads !== 1) {
    throw new Error("threads name their module in another way than cli/ship/program.ts knows");
  }
  Deno.writeTextFileSync(`${folder}/${LAUNCHER}`, launcherText());
}

/** Names of the files in a folder, with those of its folders. */
export function filesIn(folder: string, below = ""): string[] {
  return [...Deno.readDirSync(folder + below)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(folder, `${below}/${name}`) : [`${below}/${name}`.slice(1)]
  );
}

/** What is built begins so: an older Deno must come as far as to say what it lacks. */
export function startText(): string {
  return `// regrain ${VERSION}\n(${refuseOldDeno})("${LEAST_DENO}");\n${factsLine()}\n`;
}

function launcherText(): string {
  return `${startText()}
import(new URL("./${MAIN}", import.meta.url).href).then((program) => program.start(), (error) => {
  console.error(\`regrain: a part of the program is not there, or damaged (\${error.message}): install it again\`);
  Deno.exit(2);
});
`;
}

/** Runs this Deno in the checkout. */
export async function deno(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { code } = await new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT, env, stdin: "null" })
    .spawn()
    .status;
  if (code !== 0) throw new Error(`deno ${args[0]} ended with exit status ${code}`);
}
