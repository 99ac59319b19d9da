/** Which build this is, and what it is made of. */
import { hasErrno, isAbsent, isForbidden } from "./deno_errors.ts";
import { VERSION } from "./version.ts";

export interface BuildFacts {
  readonly version: string;
  /** The commit it was built from; `undefined` where there is no git. */
  readonly commit?: string;
  /** Packages with their versions. */
  readonly libraries: Readonly<Record<string, string>>;
}

/** What a build writes down, since it is far from its sources then. */
declare global {
  var REGRAIN_BUILD: BuildFacts | undefined;
}

/** Those that the build wrote down, or those of a checkout. */
export function buildFacts(): BuildFacts {
  return globalThis.REGRAIN_BUILD ?? sourceFacts();
}

/** The facts of a checkout. What cannot be read is not known: to ask for the version must always work. */
export function sourceFacts(): BuildFacts {
  const commit = commitOf("../.git");
  return {
    version: VERSION,
    ...commit === undefined ? {} : { commit },
    libraries: { ...librariesIn("./deno.json"), ...librariesIn("../core-as/deno.json") },
  };
}

/** The libraries that are part of the program; the compiler of the kernels is not. */
function librariesIn(config: string): Record<string, string> {
  const text = textOf(new URL(config, import.meta.url));
  if (text === undefined) return {};
  const imports: Record<string, string> = JSON.parse(text).imports;
  const named = Object.values(imports).map((each) => /^npm:(@?[^@]+)@([^/]+)$/.exec(each));
  return Object.fromEntries(
    named.filter((match) => match !== null && match[1] !== "assemblyscript")
      .map((match) => [match![1]!, match![2]!]),
  );
}

/** What HEAD is, without starting git. In a worktree `.git` is a file that names the folder. */
function commitOf(git: string): string | undefined {
  const file = textOf(new URL(git, import.meta.url));
  const [, elsewhere] = /^gitdir: (.+)$/m.exec(file ?? "") ?? [];
  const folder = elsewhere === undefined
    ? new URL(`${git}/`, import.meta.url)
    : new URL(`file://${elsewhere}/`);
  const head = textOf(new URL("HEAD", folder))?.trim();
  const [, ref] = /^ref: (.+)$/.exec(head ?? "") ?? [];
  if (ref === undefined) return shortCommit(head);
  const shared = textOf(new URL("commondir", folder))?.trim();
  const common = shared === undefined ? folder : new URL(`${shared}/`, folder);
  const packed = textOf(new URL("packed-refs", common));
  return shortCommit(textOf(new URL(ref, common))?.trim()) ??
    shortCommit(packed?.split("\n").find((line) => line.endsWith(` ${ref}`)));
}

function shortCommit(text: string | undefined): string | undefined {
  return /^[0-9a-f]{40}/.exec(text ?? "")?.[0].slice(0, 12);
}

function textOf(url: URL): string | undefined {
  try {
    return Deno.readTextFileSync(url);
  } catch (error) {
    // A folder may be in the place of a file, and the other way about.
    if (isAbsent(error) || isForbidden(error) || hasErrno(error, "EISDIR")) return undefined;
    throw error;
  }
}
