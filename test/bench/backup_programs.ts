/** The programs that back the disk up: ours, restic, borg and kopia. Each keeps its repository in a folder. */
import { peer } from "../helpers/peers.ts";
import { REGRAIN } from "./installed.ts";
import type { Contestant } from "./measure.ts";

/** What ours calls the disk. */
export const NAME = "bench/disk";
const PASSWORD = "bench";

/** One program, with a repository and whatever else it keeps in folders of its own. */
export interface Program {
  readonly name: string;
  /** Commands that make the repository. */
  readonly init: readonly Contestant[];
  backup(image: string): Contestant;
  /** Restores the disk to `target`, whose folder is empty. */
  restore(image: string, target: string): Contestant;
}

/** @param repository Folder, or address in a store with the flags that it needs. */
export function ourProgram(repository: string, flags: readonly string[] = []): Program {
  const at = ["--repo", repository, ...flags, "--quiet"];
  return {
    name: "regrain",
    init: [regrainCall("repo", "init", ...at)],
    backup: (image) => regrainCall("backup", image, "--name", NAME, ...at),
    restore: (_, target) => regrainCall("restore", `${NAME}@latest`, target, ...at),
  };
}

/** Our own program, started as a user starts it. */
export function regrainCall(...args: readonly string[]): Contestant {
  return { name: "regrain", command: REGRAIN, args };
}

/** Why a program does not take part. */
export interface Absent {
  readonly name: string;
  readonly reason: string;
}

/** The other programs, each as its manual says; @param folder Each keeps its files in a folder of its name there. */
export function otherPrograms(folder: string): (Program | Absent)[] {
  return [restic(`${folder}/restic`), borg(`${folder}/borg`), kopia(`${folder}/kopia`)];
}

function restic(folder: string): Program | Absent {
  const command = peer("restic");
  if (command === undefined) return { name: "restic", reason: "not installed" };
  const [repository, cache] = [`${folder}/repo`, `${folder}/cache`];
  const call = (...args: string[]) =>
    withEnv("restic", { RESTIC_PASSWORD: PASSWORD }, [
      command,
      ...["--repo", repository, "--cache-dir", cache, "--quiet"],
      ...args,
    ]);
  return {
    name: "restic",
    init: [call("init")],
    backup: (image) => call("backup", image),
    restore: (_, target) => call("restore", "latest", "--target", folderOf(target)),
  };
}

function borg(folder: string): Program | Absent {
  const command = peer("borg");
  if (command === undefined) return { name: "borg", reason: "not installed" };
  const repository = `${folder}/repo`;
  const env = { BORG_BASE_DIR: `${folder}/base`, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes" };
  let archives = 0;
  const call = (...args: string[]) => withEnv("borg", env, [command, ...args]);
  return {
    name: "borg",
    init: [call("init", "--encryption", "none", repository)],
    backup: (image) => call("create", "--compression", "zstd,3", `${repository}::${++archives}`, image),
    restore: (_, target) => {
      const { name, command, args } = call("extract", "--sparse", `${repository}::${archives}`);
      return { name, command, args: [`--chdir=${folderOf(target)}`, ...args] };
    },
  };
}

function kopia(folder: string): Program | Absent {
  const command = peer("kopia");
  if (command === undefined) return { name: "kopia", reason: "not installed" };
  const [repository, config] = [`${folder}/repo`, `${folder}/config`];
  const call = (...args: string[]) =>
    withEnv("kopia", { KOPIA_PASSWORD: PASSWORD, KOPIA_CHECK_FOR_UPDATES: "false" }, [
      command,
      ...["--config-file", config, "--no-progress"],
      ...args,
    ]);
  return {
    name: "kopia",
    init: [
      call("repository", "create", "filesystem", "--path", repository),
      call("policy", "set", "--global", "--compression", "zstd"),
    ],
    backup: (image) => call("snapshot", "create", image),
    restore: (image, target) => call("snapshot", "restore", image, target),
  };
}

function withEnv(name: string, env: Record<string, string>, line: readonly string[]): Contestant {
  const settings = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  return { name, command: "env", args: [...settings, ...line] };
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
