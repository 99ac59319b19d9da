/**
 * The file of `regrain backup --list`: a disk a line, its name and where it is read from.
 *
 * ```
 * # name        source
 * web01/disk-0  /vms/web01.vmdk
 * web01/disk-1  "/vms/web 01_1.vmdk"
 * ```
 *
 * Words are separated by blanks and quoted as a shell does it: nothing is special between '…'; between "…" and outside
 * of quotes a backslash takes the character after it as it is. Blank lines, and lines that begin with #, are left out.
 */
import { plural, RegrainError } from "../../core-as/host/mod.ts";
import { checkSourceName } from "../../core-as/host/repo/mod.ts";
import { PIPE } from "../places/pipe.ts";
import { imageOf } from "../places/place.ts";
import { findPlace } from "../places/registry.ts";
import { readGivenFile } from "./given_file.ts";

const LISTED = imageOf("backup --list", "a source");
const MAX_LIST_BYTES = 1024 * 1024;

export interface ListedDisk {
  /** `VM/DISK`. */
  readonly name: string;
  readonly source: string;
}

/** @throws {RegrainError} `NOT_FOUND`, `OPEN_FAILED`, and what {@link parseBackupList} throws. */
export function readBackupList(path: string): ListedDisk[] {
  return parseBackupList(readText(path), path);
}

function readText(path: string): string {
  const bytes = readGivenFile(path, { mostBytes: MAX_LIST_BYTES, what: "a list of disks" });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RegrainError("USAGE", "is no text in UTF-8", { path, cause });
  }
}

/** @throws {RegrainError} `USAGE` for a line that is not understood, a name that comes twice, and a list of nothing. */
export function parseBackupList(text: string, path: string): ListedDisk[] {
  const lines = new Map<string, number>();
  const disks: ListedDisk[] = [];
  for (const [index, line] of text.replace(/^\ufeff/, "").split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const disk = diskOf(line, { path, number: index + 1 });
    const before = lines.get(disk.name);
    if (before !== undefined) {
      throw new RegrainError("USAGE", `line ${index + 1}: ${disk.name} is named in line ${before} already`, {
        path,
        hint: "a name for each disk: two snapshots under one name would count as one disk",
      });
    }
    lines.set(disk.name, index + 1);
    disks.push(disk);
  }
  if (disks.length > 0) return disks;
  throw new RegrainError("USAGE", "names no disk", {
    path,
    hint: "a line for each: web01/disk-0 /vms/web01.vmdk",
  });
}

function diskOf(line: string, at: { path: string; number: number }): ListedDisk {
  const words = wordsOf(line);
  const [name, source, ...more] = words ?? [];
  if (name === undefined || source === undefined || more.length > 0) {
    const what = words === undefined ? "a quote that is not closed" : plural(words.length, "word");
    throw new RegrainError("USAGE", `line ${at.number}: ${what}, and a name and a source are due`, {
      path: at.path,
      hint: "a path with blanks is quoted: web01/disk-0 '/vms/web 01.vmdk'",
    });
  }
  if (source === PIPE || source === "") {
    const what = source === PIPE ? "standard input is no source of a list" : "the source is empty";
    throw new RegrainError("USAGE", `line ${at.number}: ${what}`, { path: at.path });
  }
  try {
    checkSourceName(name);
    findPlace(source, LISTED);
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    throw new RegrainError("USAGE", `line ${at.number}: ${error.reason}`, {
      path: at.path,
      ...error.hint === undefined ? {} : { hint: error.hint },
    });
  }
  return { name, source };
}

/** The words of a line; `undefined` when a quote is not closed. */
function wordsOf(line: string): string[] | undefined {
  const words: string[] = [];
  let rest = line.trim();
  while (rest !== "" && !rest.startsWith("#")) {
    const [whole] = /^(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+(?=\s|$)/.exec(rest) ?? [];
    if (whole === undefined) return undefined;
    words.push(
      whole.replace(
        /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g,
        (_, plain?: string, quoted?: string, one?: string) =>
          plain ?? quoted?.replace(/\\(.)/g, "$1") ?? one!,
      ),
    );
    rest = rest.slice(whole.length).trimStart();
  }
  return words;
}
