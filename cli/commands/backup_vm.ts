/** `regrain backup --vm`: the disks of a VM as one moment, with the files that describe it. */
import { quoteWord, RegrainError } from "../../core-as/host/mod.ts";
import {
  checkSourceName,
  isPlainFileName,
  MAX_CONFIG_BYTES,
  MAX_CONFIGS,
  MAX_VM_DISKS,
  type Snapshot,
  type VmConfig,
} from "../../core-as/host/repo/mod.ts";
import { retainUntil } from "../backup/make/retain.ts";
import { putVm } from "../backup/snapshots/vms.ts";
import { PIPE } from "../places/pipe.ts";
import { imageOf } from "../places/place.ts";
import { findPlace } from "../places/registry.ts";
import { type BackupReport, backupReport } from "../report/backup.ts";
import { type BackupFlags, checkBackup, retainMsOf } from "../session/backup_flags.ts";
import { type BackupMeans, backUpWithProgress, withBackupRepository } from "../session/backup_run.ts";
import { openOrigin, type Origin } from "../session/origin.ts";
import { readGivenFile } from "../session/given_file.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";

export interface VmFlags extends Omit<BackupFlags, "name"> {
  readonly vm: string;
  readonly config?: readonly string[] | undefined;
}

const IMAGE = imageOf("backup --vm");

interface DiskOfVm {
  readonly label: string;
  readonly name: string;
  readonly source: string;
}

/** @param words `disk-0=PATH`, a disk each. */
export async function runBackupVm(words: readonly string[], flags: VmFlags): Promise<number> {
  const { vm } = flags;
  checkSourceName(vm);
  const disks = words.map((word) => diskOf(word, vm));
  checkDisks(disks, vm);
  for (const { name, source } of disks) checkBackup(source, { ...flags, name });
  const configs = (flags.config ?? []).map((path) => readConfig(path));
  checkConfigs(configs, disks);
  return await withBackupRepository(vm, flags, async (means) => {
    const { repository, session: { console } } = means;
    const report = backupReport(console);
    const startedMs = repository.world.nowMs();
    const { made, isWhole } = await backUpDisks(disks, { ...means, flags, report });
    const retainUntilMs = retainUntil(startedMs, retainMsOf(flags));
    report.vm(await putVm(repository, { name: vm, disks: made, configs, retainUntilMs }));
    return isWhole ? 0 : EXIT_INCOMPLETE;
  });
}

function diskOf(word: string, vm: string): DiskOfVm {
  const at = word.indexOf("=");
  const [label, source] = [word.slice(0, Math.max(at, 0)), word.slice(at + 1)];
  if (at > 0 && isPlainFileName(label) && source !== "" && source !== PIPE) {
    const name = `${vm}/${label}`;
    checkSourceName(name);
    findPlace(source, IMAGE);
    return { label, name, source };
  }
  if (source === PIPE) {
    throw new RegrainError(
      "USAGE",
      "standard input is no disk of a VM: it is one, and a VM may have several",
      {
        hint: `without --vm: regrain backup - --name ${quoteWord(`${vm}/${label}`)}`,
      },
    );
  }
  throw new RegrainError("USAGE", `${JSON.stringify(word)} is no disk of a VM`, {
    hint: `a label and where it is read from: regrain backup --vm ${vm} disk-0=${source || "vm.vmdk"}`,
  });
}

function checkDisks(disks: readonly DiskOfVm[], vm: string): void {
  if (disks.length === 0 || disks.length > MAX_VM_DISKS) {
    throw new RegrainError("USAGE", `--vm takes 1 to ${MAX_VM_DISKS} disks, and ${disks.length} are named`, {
      hint: `regrain backup --vm ${vm} disk-0=a.vmdk disk-1=b.vmdk`,
    });
  }
  for (const [i, { label }] of disks.entries()) {
    const before = disks.slice(0, i).find((other) => isSameFile(other.label, label))?.label;
    if (before === undefined) continue;
    const what = before === label ? `${label} is given twice` : `${before} and ${label} look like one name`;
    throw new RegrainError("USAGE", what, {
      hint:
        `a label of its own for each disk, such as ${label}b: they are restored into one folder, and some file ` +
        "systems take upper and lower case for the same",
    });
  }
}

/** True of names that are one where a file system does not tell case, or forms of Unicode, apart. */
function isSameFile(a: string, b: string): boolean {
  const folded = (name: string) => name.normalize("NFC").toUpperCase().toLowerCase().normalize("NFC");
  return folded(a) === folded(b);
}

function readConfig(path: string): VmConfig {
  const bytes = readGivenFile(path, { mostBytes: MAX_CONFIG_BYTES, what: "what describes a VM" });
  return { name: path.slice(path.lastIndexOf("/") + 1), base64: bytes.toBase64() };
}

/** They are restored into one folder with the disks. */
function checkConfigs(configs: readonly VmConfig[], disks: readonly DiskOfVm[]): void {
  if (configs.length > MAX_CONFIGS) {
    throw new RegrainError(
      "USAGE",
      `--config is given ${configs.length} times, and ${MAX_CONFIGS} is the most`,
    );
  }
  const names = configs.map(({ name }) => name);
  for (const [i, name] of names.entries()) {
    const isTaken = names.slice(0, i).some((other) => isSameFile(other, name)) ||
      disks.some(({ label }) =>
        [".img", ".qcow2", ".vmdk", "-flat.vmdk"].some((end) => isSameFile(name, label + end))
      );
    if (isPlainFileName(name) && !isTaken) continue;
    const what = isTaken
      ? "is the name of another file of this VM"
      : "is no name that a file is restored under";
    throw new RegrainError("USAGE", `--config: ${JSON.stringify(name)} ${what}`, {
      hint: "give a copy of it another name",
    });
  }
}

/** Every disk is opened before the first is read: one that is not there is known before anything is stored. */
async function backUpDisks(
  disks: readonly DiskOfVm[],
  { repository, session, watch, report, flags }: BackupMeans & { flags: VmFlags; report: BackupReport },
): Promise<{ made: Map<string, Snapshot>; isWhole: boolean }> {
  using opened = new DisposableStack();
  const origins = new Map<DiskOfVm, Origin>();
  for (const disk of disks) {
    const own = { ...flags, name: disk.name };
    origins.set(disk, opened.use(await openOrigin(disk.source, { flags: own, session, repository, report })));
  }
  const made = new Map<string, Snapshot>();
  const { console } = session;
  for (const [disk, origin] of origins) {
    const own = { ...flags, name: disk.name };
    const result = await backUpWithProgress(repository, { origin, flags: own, console, watch, report });
    made.set(disk.label, result.snapshot);
    report.disk(disk.source, result);
  }
  // A moment is one only where no disk was written to until the last of them was read.
  const quiet = [...origins.values()].flatMap(({ quiet }) => quiet ?? []);
  for (const each of quiet) if (!each.isDisturbed) each.judge();
  const isWhole = [...made.values()].every(({ damaged }) => damaged === undefined);
  return { made, isWhole: isWhole && !quiet.some(({ isDisturbed }) => isDisturbed) };
}
