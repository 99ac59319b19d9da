/**
 * An installed regrain: a command, the program, the manual page, completions. A list of all files lies beside the
 * program, so that an upgrade removes what is no longer part of it, and `uninstall` removes what was installed and
 * nothing else.
 */
import { dirname } from "node:path/posix";
import { removeIfThere, replaceFile } from "../io/durable.ts";
import { translating, unlessAbsent } from "../io/translate.ts";
import { bashCompletion } from "../manual/bash.ts";
import { fishCompletion } from "../manual/fish.ts";
import { manPage } from "../manual/man_page.ts";
import { readTree } from "../manual/tree.ts";
import { zshCompletion } from "../manual/zsh.ts";
import { createProgram } from "../program.ts";
import { EXIT_STATUS } from "../exit_status.ts";
import { LEAST_DENO, VERSION, VERSION_DATE } from "../version.ts";
import { buildProgram, filesIn, LAUNCHER } from "./program.ts";

const PROGRAM = "lib/regrain";
const LIST = `${PROGRAM}/installed-files`;
const COMMAND = "bin/regrain";
const EXECUTABLE = 0o755;
const READABLE = 0o644;

/** What cannot be installed or removed, in words. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

/** Installs below a folder, over an older installation if there is one. */
export async function install(prefix: string): Promise<{ files: number; replaced: boolean }> {
  if (prefix.includes("\n")) {
    throw new InstallError("a prefix with a line feed in it cannot be written into a script");
  }
  const before = listedFiles(prefix);
  if (before === undefined) requireFree(prefix, [COMMAND]);
  const files = await filesOf(prefix);
  const names = [...files.keys()];
  requireFree(prefix, names.filter((name) => before?.includes(name) !== true));
  // The list first, with old and new: whatever is interrupted, uninstall finds all of it.
  place(prefix, LIST, listText([...new Set([...before ?? [], ...names])]), READABLE);
  // The command last: it never starts a program that is only half there.
  for (const name of names.toSorted((a, b) => Number(a === COMMAND) - Number(b === COMMAND))) {
    place(prefix, name, files.get(name)!, name === COMMAND ? EXECUTABLE : READABLE);
  }
  for (const old of before ?? []) if (!files.has(old)) removeIfThere(`${prefix}/${old}`);
  place(prefix, LIST, listText(names), READABLE);
  return { files: names.length, replaced: before !== undefined };
}

/** What others put there is not replaced: `uninstall` would remove it. */
function requireFree(prefix: string, names: readonly string[]): void {
  const taken = names.find((name) => exists(`${prefix}/${name}`));
  if (taken === undefined) return;
  throw new InstallError(
    `${prefix}/${taken} is there, and was not installed by this: remove it, or give another --prefix`,
  );
}

/** Removes what {@link install} put there, and folders of ours that are empty then. */
export function uninstall(prefix: string): number {
  const files = listedFiles(prefix);
  if (files === undefined) {
    throw new InstallError(
      `regrain is not installed below ${prefix}: ${LIST} is not there; --prefix DIR names another place`,
    );
  }
  for (const name of [...files, LIST]) removeIfThere(`${prefix}/${name}`);
  for (const folder of [`${PROGRAM}/workers`, PROGRAM]) removeIfEmpty(`${prefix}/${folder}`);
  return files.length;
}

/** Everything that is installed, by its place below the prefix. */
async function filesOf(prefix: string): Promise<Map<string, string>> {
  const folder = Deno.makeTempDirSync({ prefix: "regrain-install-" });
  try {
    await buildProgram(folder);
    const program = filesIn(folder).map((name): [string, string] => [
      `${PROGRAM}/${name}`,
      Deno.readTextFileSync(`${folder}/${name}`),
    ]);
    const tree = readTree(createProgram(() => {}));
    return new Map([
      ...program,
      ["share/man/man1/regrain.1", manPage(tree, { date: VERSION_DATE, exitStatus: EXIT_STATUS })],
      ["share/bash-completion/completions/regrain", bashCompletion(tree)],
      ["share/zsh/site-functions/_regrain", zshCompletion(tree)],
      ["share/fish/vendor_completions.d/regrain.fish", fishCompletion(tree)],
      [COMMAND, commandText(prefix)],
    ]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/**
 * The command. The Deno that installed it runs it, else the one of the PATH. Deno itself ends with 1 where there is
 * nothing to run, or no folder to run in, which would say of two disks that they differ.
 */
function commandText(prefix: string): string {
  const main = `${prefix}/${PROGRAM}/${LAUNCHER}`;
  return `#!/bin/sh
# regrain ${VERSION}: "deno task uninstall --prefix ${prefix}" removes it.
main=${quoted(main)}
[ -f "$main" ] || {
  echo "regrain: $main is not there: install it again, with deno task install" >&2
  exit 2
}
[ . -ef "\${PWD:-}" ] || /bin/pwd >/dev/null 2>&1 || {
  echo "regrain: the folder that it is run in is not there any more: cd to another one" >&2
  exit 6
}
[ -z "\${REGRAIN_DENO:-}" ] || [ -x "$REGRAIN_DENO" ] || {
  echo "regrain: REGRAIN_DENO names $REGRAIN_DENO, which is no program" >&2
  exit 2
}
deno=\${REGRAIN_DENO:-${quoted(Deno.execPath())}}
[ -x "$deno" ] || deno=$(command -v deno) || {
  echo "regrain: Deno ${LEAST_DENO} or newer is needed, and there is none (REGRAIN_DENO=FILE names one)" >&2
  exit 2
}
export DENO_NO_UPDATE_CHECK=1
exec "$deno" run --quiet --allow-all --no-config --no-lock --cached-only --no-prompt "$main" "$@"
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Puts a file in its place whole: a program that runs at that moment keeps its old one. */
function place(prefix: string, name: string, text: string, mode: number): void {
  const path = `${prefix}/${name}`;
  makeFolder(dirname(path));
  replaceFile(path, new TextEncoder().encode(text), mode);
}

/** Everybody may look into a folder of programs, whatever the umask of the one who installs. */
function makeFolder(path: string): void {
  if (exists(path)) return;
  makeFolder(dirname(path));
  translating({ operation: "make", path }, () => {
    Deno.mkdirSync(path);
    Deno.chmodSync(path, EXECUTABLE);
  });
}

function listText(names: readonly string[]): string {
  return names.map((name) => `${name}\n`).join("");
}

/** Names in the list; nothing in it leads out of the prefix. */
function listedFiles(prefix: string): string[] | undefined {
  if (!exists(`${prefix}/${LIST}`)) return undefined;
  const names = Deno.readTextFileSync(`${prefix}/${LIST}`).split("\n").filter((name) => name !== "");
  const wrong = names.find((name) => !/^(bin|lib|share)\//.test(name) || name.split("/").includes(".."));
  if (wrong !== undefined) {
    throw new InstallError(`${prefix}/${LIST} names ${wrong}, which no installation has`);
  }
  return names;
}

function removeIfEmpty(folder: string): void {
  if (exists(folder) && [...Deno.readDirSync(folder)].length === 0) Deno.removeSync(folder);
}

function exists(path: string): boolean {
  return unlessAbsent({ operation: "look up", path }, () => Deno.lstatSync(path)) !== undefined;
}
