/** A restore of a VM: every disk of it, and the files that describe it, into one folder. */
import { quoteWord, RegrainError } from "../../../core-as/host/mod.ts";
import { type Snapshot, snapshotKey, type VmSnapshot } from "../../../core-as/host/repo/mod.ts";
import type { Repository } from "../repository.ts";
import { listVms } from "../snapshots/vms.ts";
import type { RestoreFormat } from "./format.ts";
import { hasErrno } from "../../deno_errors.ts";
import { type Io, translated, unlessAbsent } from "../../io/mod.ts";

/**
 * True for `DIR/` where there are backups of a VM of that name.
 *
 * @throws {RegrainError} `USAGE` for a VM and a target that is no folder.
 */
export async function isVmRestore(repository: Repository, name: string, path: string): Promise<boolean> {
  const source = await repository.sourceKey(name);
  if ((await listVms(repository, source)).length === 0) return false;
  if (path.endsWith("/")) return true;
  if ((await repository.listSnapshots(source)).length > 0) return false;
  throw new RegrainError("USAGE", `${name} is a VM, whose disks are restored into a folder`, {
    hint: `a TARGET that ends in /: regrain restore ${
      quoteWord(`${name}@latest`)
    } DIR/; or one disk of it by its name`,
  });
}

interface VmRestore {
  readonly folder: string;
  readonly force: boolean;
  readonly format: RestoreFormat | undefined;
  readonly io: Io;
  readonly dryRun: boolean;
  restoreDisk(snapshot: Snapshot, path: string): Promise<void>;
}

/** Names of what was written. */
export interface RestoredVm {
  readonly disks: readonly string[];
  readonly configs: readonly string[];
}

export async function restoreVm(
  repository: Repository,
  vm: VmSnapshot,
  work: VmRestore,
): Promise<RestoredVm> {
  const { folder, io } = work;
  // Read first: of a VM that is not whole nothing is written.
  const disks: { snapshot: Snapshot; path: string }[] = [];
  for (const { label, source, id, root } of vm.disks) {
    const key = snapshotKey(source.key, id, repository.suffix);
    const snapshot = await repository.readSnapshot({ key, source: source.key, id });
    if (snapshot === undefined) {
      throw new RegrainError("SNAPSHOT_MISSING", "was removed a moment ago", {
        path: repository.pathOf(key),
      });
    }
    if (snapshot.root !== root) {
      throw new RegrainError("REPO_MIXED", `is not the disk that ${vm.source.name}@${vm.id} was made with`, {
        path: repository.pathOf(key),
      });
    }
    disks.push({ snapshot, path: `${folder}${label}${endingOf(work.format)}` });
  }
  const configs = vm.configs.map(({ name, base64 }) => ({ path: folder + name, base64 }));
  const isThere = !work.dryRun || requireFolderOrNothing(folder, io);
  if (!work.dryRun) makeFolder(folder);
  if (!work.force) { for (const { path } of [...disks, ...configs]) refuseExisting(path); }
  // In a folder that is not there nothing stands in the way of its files.
  for (const [i, { snapshot, path }] of (isThere ? disks : []).entries()) {
    try {
      await work.restoreDisk(snapshot, path);
    } catch (error) {
      throw i === 0 || work.force ? error : withForceHint(error, i);
    }
  }
  for (const { path, base64 } of work.dryRun ? [] : configs) {
    io.replaceFile(path, Uint8Array.fromBase64(base64), 0o600);
  }
  return { disks: disks.map(({ path }) => path), configs: configs.map(({ path }) => path) };
}

function makeFolder(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true });
  } catch (cause) {
    if (!hasErrno(cause, "EEXIST", "ENOTDIR")) throw translated({ operation: "save", path }, cause);
    throw noFolder(path, cause);
  }
}

/** @returns whether there is a folder. */
function requireFolderOrNothing(path: string, io: Io): boolean {
  const kind = io.stat(path.replace(/\/+$/, "") || "/")?.kind;
  if (kind === undefined || kind === "directory") return kind !== undefined;
  throw noFolder(path);
}

function noFolder(path: string, cause?: unknown): RegrainError {
  return new RegrainError("TARGET_UNSUITABLE", "is no folder, and a VM is restored into one", {
    path,
    cause,
    hint: "name another folder",
  });
}

/** The disks that are finished are refused by the command as it stands, whatever the hint of the next one says. */
function withForceHint(error: unknown, finished: number): unknown {
  if (!(error instanceof RegrainError)) return error;
  const disks = finished === 1 ? "the disk that is finished" : `the ${finished} disks that are finished`;
  return error.withHint(`${error.hint ?? "run it again"}; add --force, which writes ${disks} once more`);
}

function endingOf(format: RestoreFormat | undefined): string {
  if (format === undefined || format === "raw") return ".img";
  return format === "qcow2" ? ".qcow2" : ".vmdk";
}

function refuseExisting(path: string): void {
  if (unlessAbsent({ operation: "look up", path }, () => Deno.lstatSync(path)) === undefined) return;
  throw new RegrainError("TARGET_UNSUITABLE", "exists already", {
    path,
    hint:
      "restore into an empty folder; --force puts the files of the VM in the place of those there, which are lost",
  });
}
