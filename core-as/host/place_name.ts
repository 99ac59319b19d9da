/**
 * Names on the command line that mean something else than the file of that name: `repo:VM/DISK@latest`, a host and a
 * path, a path in a datastore. `./` before a name makes it that of a file, whatever it looks like.
 *
 * This module is browser compatible.
 */

/** A name that is written as something behind a colon. */
export interface SchemedName {
  /** Before the first colon, as it was typed. */
  readonly scheme: string;
  readonly rest: string;
}

/**
 * What stands before the first colon of a name, and behind it. A colon after a slash belongs to a path.
 *
 * @param options `drives`: whether `C:/vms` is a path, as on Windows; `C:\vms` is one everywhere.
 */
export function schemeOf(name: string, { drives = false } = {}): SchemedName | undefined {
  if (/^[A-Za-z]:\\/.test(name) || drives && /^[A-Za-z]:\//.test(name)) return undefined;
  const [, scheme, rest] = /^([^/\\:]+):(.*)$/s.exec(name) ?? [];
  return scheme === undefined ? undefined : { scheme, rest: rest! };
}

/**
 * `~/vms` and `~root/vms`: a shell makes paths of these, and hands them on as they are in quotes, behind `--repo=`, or
 * where there is no shell, as in the settings of a service. Taken for a file, it would be one below a folder named `~`.
 */
export function isBelowHome(name: string): boolean {
  return /^~[^/]*(?:\/|$)/.test(name);
}

/** The same for a shell that replaces variables. */
export function fromHome(name: string): string {
  return name.replace(/^~(?=\/|$)/, "$HOME");
}

/** A path as vSphere writes it, `[datastore] vm/vm.vmdk`. */
export function datastorePath(name: string): { datastore: string; path: string } | undefined {
  const [, datastore, path] = /^\[([^\]/]+)\] (.*)$/s.exec(name) ?? [];
  return datastore === undefined ? undefined : { datastore, path: path! };
}

/** True for names that mean a file only with `./` before them: one expression, since the page has it too. */
export function isPlaceName(name: string): boolean {
  return /^((?![a-z]:\\)[^/\\:]+:|\[[^\]/]+\] )/i.test(name);
}
