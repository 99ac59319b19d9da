/** `regrain hold` and `regrain release`: what no rule may remove. */
import { plural } from "../../core-as/host/mod.ts";
import { checkWords, type VmSnapshot } from "../../core-as/host/repo/mod.ts";
import { hold, release } from "../backup/keep/holds.ts";
import { findName, findOne } from "../backup/snapshots/choose.ts";
import { parseSnapshotSpec } from "../backup/snapshots/snapshots.ts";
import { findVm, listVms } from "../backup/snapshots/vms.ts";
import type { Repository } from "../backup/repository.ts";
import { onRepository } from "../session/on_repository.ts";
import type { RepoFlags } from "../session/open_repository.ts";
import type { CommonFlags } from "../ui/mod.ts";

export interface HoldFlags extends CommonFlags, RepoFlags {
  readonly reason?: string | undefined;
}

/** @param spec `VM/DISK@WHICH`, an id, or `VM@WHICH`: all disks of that moment. */
export async function runHold(spec: string, flags: HoldFlags): Promise<number> {
  if (flags.reason !== undefined) checkWords(flags.reason, "--reason");
  return await onRepository(flags, async ({ repository, console }) => {
    const vm = await vmOf(repository, spec);
    if (vm !== undefined) {
      // A prune between two of them keeps all: it takes a VM snapshot as one.
      for (const disk of vm.disks) await hold(repository, disk.id, flags.reason);
      console.result(
        { type: "summary", ...vmWords(vm), held: true, reason: flags.reason },
        `${vm.source.name}@${vm.id} is held with ${
          plural(vm.disks.length, "disk")
        }: no rule of regrain prune removes it`,
      );
      return 0;
    }
    const { id, source } = await findOne(repository, spec, (sentence) => console.warn(sentence));
    const { since, reason } = await hold(repository, id, flags.reason);
    console.result(
      { type: "summary", id, name: source.name, held: true, since, reason },
      `${source.name}@${id} is held: no rule of regrain prune removes it`,
    );
    return 0;
  });
}

/** @param spec As {@link runHold} takes it. */
export async function runRelease(spec: string, flags: CommonFlags & RepoFlags): Promise<number> {
  return await onRepository(flags, async ({ repository, console }) => {
    const vm = await vmOf(repository, spec);
    if (vm !== undefined) {
      let wasHeld = false;
      for (const { id } of vm.disks) wasHeld = await release(repository, id) || wasHeld;
      console.result(
        { type: "summary", ...vmWords(vm), held: false, wasHeld },
        `${vm.source.name}@${vm.id} ${wasHeld ? "is held no more, nor is any of its disks" : "was not held"}`,
      );
      return 0;
    }
    const { id, name } = await findName(repository, spec, (sentence) => console.warn(sentence));
    const wasHeld = await release(repository, id);
    console.result(
      { type: "summary", id, name, held: false, wasHeld },
      `${name}@${id} ${wasHeld ? "is held no more" : "was not held"}`,
    );
    return 0;
  });
}

/** The moment of a VM that is meant; `undefined` where the name is that of a disk, or of nothing. */
async function vmOf(repository: Repository, spec: string): Promise<VmSnapshot | undefined> {
  const { name, which } = parseSnapshotSpec(spec);
  const source = await repository.sourceKey(name);
  if ((await repository.listSnapshots(source)).length > 0) return undefined;
  return (await listVms(repository, source)).length === 0
    ? undefined
    : await findVm(repository, { name, which });
}

function vmWords({ id, source: { name }, disks }: VmSnapshot) {
  return { id, name, disks: disks.map((disk) => ({ id: disk.id, name: disk.source.name })) };
}
