/** VM snapshots: disks of one VM at one moment. Their manifests are written last, and removed first. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import {
  MAX_VM_BYTES,
  parseVm,
  parseVmKey,
  serializeVm,
  type Snapshot,
  snapshotKey,
  type VmConfig,
  vmKey,
  type VmName,
  type VmSnapshot,
} from "../../../core-as/host/repo/mod.ts";
import type { Repository } from "../repository.ts";
import { newestBy, spanOfTime } from "./times.ts";

/** A VM snapshot as lists show it. */
export interface ListedVm {
  readonly name: VmName;
  /** `undefined` when its manifest cannot be read. */
  readonly vm: VmSnapshot | undefined;
  /** Why it cannot be restored as it is: its manifest cannot be read, or snapshots of disks are gone. */
  readonly damage: RegrainError | undefined;
}

/** Every manifest of VMs, oldest first; nothing is read. */
export async function listVms(repository: Repository, source?: string): Promise<VmName[]> {
  const names: VmName[] = [];
  for await (const { key } of repository.store.list(source === undefined ? "vms/" : `vms/${source}/`)) {
    const name = parseVmKey(key);
    if (name !== undefined) names.push({ key, ...name });
  }
  return names.sort((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/**
 * @returns `undefined` when it is gone.
 * @throws {RegrainError} `SNAPSHOT_DAMAGED`, `REPO_MIXED`, `REPO_UNSUPPORTED`.
 */
export async function readVmSnapshot(repository: Repository, name: VmName): Promise<VmSnapshot | undefined> {
  const path = repository.pathOf(name.key);
  const stored = await repository.store.get(name.key, MAX_VM_BYTES);
  if (stored === undefined) return undefined;
  const { keys } = repository.means;
  const plain = keys === undefined ? stored : await keys.decrypt(name.key, stored);
  if (plain === undefined) {
    throw new RegrainError("SNAPSHOT_DAMAGED", "was not encrypted for this place, or was changed since", {
      path,
    });
  }
  const vm = await parseVm(plain, path);
  if (vm.repository !== repository.description.id || vm.id !== name.id || vm.source.key !== name.source) {
    throw new RegrainError("REPO_MIXED", `belongs to ${vm.source.key}, and not where it stands`, { path });
  }
  return vm;
}

/** Every VM snapshot, oldest first, and whether all that it names is there. */
export async function readVms(repository: Repository): Promise<ListedVm[]> {
  const names = await listVms(repository);
  if (names.length === 0) return [];
  const there = new Set((await repository.listSnapshots()).map(({ key }) => key));
  const listed: ListedVm[] = [];
  for (const name of names) {
    try {
      const vm = await readVmSnapshot(repository, name);
      if (vm !== undefined) listed.push({ name, vm, damage: missingIn(repository, vm, there) });
    } catch (error) {
      if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
      listed.push({ name, vm: undefined, damage: error });
    }
  }
  return listed;
}

function missingIn(
  repository: Repository,
  vm: VmSnapshot,
  there: ReadonlySet<string>,
): RegrainError | undefined {
  const isThere = ({ source, id }: VmSnapshot["disks"][number]) =>
    there.has(snapshotKey(source.key, id, repository.suffix));
  const gone = vm.disks.filter((disk) => !isThere(disk));
  if (gone.length === 0) return undefined;
  const names = (disks: VmSnapshot["disks"]) =>
    disks.map(({ source, id }) => `${source.name}@${id}`).join(", ");
  const left = vm.disks.filter(isThere);
  return new RegrainError(
    "SNAPSHOT_MISSING",
    `${vm.source.name}@${vm.id} is not whole: ${names(gone)} is gone`,
    {
      path: repository.store.label,
      hint: left.length === 0
        ? `regrain forget ${vm.id} removes what is left of it`
        : `another moment is in regrain snapshots; disks by themselves can be restored: ${names(left)}`,
    },
  );
}

/**
 * The VM snapshot that `VM@latest`, `VM@<first letters of an id>` or `VM@<time>` means. One that is not whole is
 * an error, and none that is older takes its place.
 *
 * @throws {RegrainError} `SNAPSHOT_MISSING`, `SNAPSHOT_DAMAGED`, `USAGE`.
 */
export async function findVm(
  repository: Repository,
  { name, which }: { name: string; which: string },
): Promise<VmSnapshot> {
  const source = await repository.sourceKey(name);
  const all = (await readVms(repository)).filter((each) => each.name.source === source);
  const span = spanOfTime(which);
  const found = which === "latest"
    ? all.slice(-1)
    : span === undefined
    ? all.filter(({ name: { id } }) => which.length >= 4 && id.startsWith(which.toUpperCase()))
    : ofTime(all, span, repository.world.nowMs());
  const [only] = found;
  if (only === undefined || found.length > 1) {
    const what = found.length > 1 ? `${found.length} snapshots` : "no snapshot";
    const code = found.length > 1 ? "USAGE" : "SNAPSHOT_MISSING";
    throw new RegrainError(code, `${what} of VM ${JSON.stringify(name)} is meant by @${which}`, {
      path: repository.store.label,
      hint: `regrain snapshots ${name} lists them`,
    });
  }
  if (only.damage?.hint !== undefined) throw only.damage;
  if (only.damage !== undefined) {
    throw only.damage.withHint(
      "another moment of it, or a disk by itself: regrain snapshots; " +
        `regrain forget ${only.name.id} removes this manifest`,
    );
  }
  return only.vm!;
}

function ofTime(
  all: readonly ListedVm[],
  span: { startMs: number; endMs: number },
  nowMs: number,
): ListedVm[] {
  const timed = all.flatMap((item) =>
    item.vm === undefined ? [] : [{ item, timeMs: Date.parse(item.vm.created) }]
  );
  const found = newestBy(timed, span, nowMs);
  return found === undefined ? [] : [found.item];
}

/**
 * Writes the manifest of a VM, and looks whether all that it names is there still.
 *
 * @param disks By their labels.
 * @throws {RegrainError} `SNAPSHOT_MISSING`; nothing of it is visible then.
 */
export async function putVm(
  repository: Repository,
  made: {
    name: string;
    disks: ReadonlyMap<string, Snapshot>;
    configs: readonly VmConfig[];
    retainUntilMs?: number | undefined;
    copyOf?: { readonly words: string; readonly original: VmSnapshot };
  },
): Promise<VmSnapshot> {
  const { store, world, means: { keys } } = repository;
  const source = await repository.sourceKey(made.name);
  const { original, words } = made.copyOf ?? {};
  const vm: VmSnapshot = {
    format: "regrain-vm",
    version: 1,
    repository: repository.description.id,
    id: repository.newId((await listVms(repository, source)).at(-1)?.id),
    source: { name: made.name, key: source },
    created: original?.created ?? new Date(world.nowMs()).toISOString(),
    tool: world.tool,
    host: original?.host ?? world.host,
    disks: [...made.disks].map(([label, { id, source, root, sizeBytes }]) => ({
      label,
      source,
      id,
      root,
      sizeBytes,
    })),
    configs: made.configs,
    ...words === undefined ? {} : { copyOf: words },
  };
  const key = vmKey(source, vm.id, repository.suffix);
  const plain = await serializeVm(vm);
  const bytes = keys === undefined ? plain : await keys.encrypt(key, plain);
  await store.put(key, bytes, { ifAbsent: true, retainUntilMs: made.retainUntilMs });
  // A prune beside this one may have taken a disk's snapshot, which it could not know to be part of this.
  const there = new Set((await repository.listSnapshots()).map((name) => name.key));
  const damage = missingIn(repository, vm, there);
  if (damage === undefined) return vm;
  await store.remove([key]);
  throw damage;
}

/**
 * The VM snapshots that snapshots of disks are part of, by the ids of these.
 *
 * @throws {RegrainError} when a manifest of a VM cannot be read: then it is not known what belongs to it.
 */
export async function vmsByDisk(repository: Repository): Promise<Map<string, VmSnapshot[]>> {
  const byDisk = new Map<string, VmSnapshot[]>();
  for (const name of await listVms(repository)) {
    const vm = await readVmSnapshot(repository, name).catch((error: unknown) => {
      if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
      throw error.withHint(
        `which snapshots belong to it is not known, so none is removed; regrain forget ${name.id} removes this ` +
          "manifest, and leaves the snapshots of the disks, each for itself",
      );
    });
    for (const { id } of vm?.disks ?? []) byDisk.set(id, [...byDisk.get(id) ?? [], vm!]);
  }
  return byDisk;
}
