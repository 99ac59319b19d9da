/** `regrain repo`: what is done to a repository as a whole. */
import { formatSize, MIB, parseSize, RegrainError } from "../../core-as/host/mod.ts";
import {
  DEFAULT_CHUNK_BYTES,
  isChunkSize,
  type ObjectStore,
  type RepositoryDescription,
  type TellingStore,
} from "../../core-as/host/repo/mod.ts";
import { addSlot, newMasterKey } from "../backup/keyring.ts";
import { refuseOccupied, Repository } from "../backup/repository.ts";
import { probeStore, type StoreProbe, VERSIONED } from "../store/probe.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";
import { rememberMade } from "../session/admission.ts";
import {
  hasPassphrase,
  openStoreOf,
  passphraseOf,
  type RepoFlags,
  repositoryAddress,
  THE_WORLD,
} from "../session/open_repository.ts";
import { onRepository } from "../session/on_repository.ts";
import { guardWire } from "../session/wire.ts";

const LOST_PASSPHRASE =
  "without a passphrase of one of its key slots nobody reads this repository, and no one can help: " +
  "keep the passphrase in a second place, or add one more: regrain repo key add";

export interface RepoInitFlags extends CommonFlags, RepoFlags {
  readonly chunkSize?: string | undefined;
  readonly encrypt?: boolean | undefined;
}

/** `regrain repo init`: an empty repository in an empty place. */
export async function runRepoInit(flags: RepoInitFlags): Promise<number> {
  const console = new Console(flags);
  const address = repositoryAddress(flags);
  const chunkBytes = chunkBytesOf(flags.chunkSize);
  if (!flags.encrypt && !flags.unencrypted && hasPassphrase(flags)) {
    throw new RegrainError(
      "USAGE",
      "a passphrase is given, and --encrypt is not: the repository would be unencrypted",
      {
        hint: "--encrypt; or --unencrypted, and then anybody who reads the store reads the disks",
      },
    );
  }
  const passphrase = flags.encrypt
    ? passphraseOf(flags, "--encrypt is given, and there is no passphrase")
    : undefined;
  guardWire(address, flags, { isEncrypted: passphrase !== undefined, console });
  refuseBelowDev(address);
  const store = await openStoreOf(flags);
  try {
    const description = await initIn(store, { console, chunkBytes, passphrase });
    // The place was empty, and what is there now was made here: it takes the place of what was there before.
    await rememberMade(store, description, { console, storeFlags: flags });
  } finally {
    store.close();
    console.flush();
  }
  return 0;
}

/** A mistyped device: a folder of its name would be in memory, and gone with the next start of the system. */
function refuseBelowDev(address: string): void {
  if (!/^\/dev(?!\/shm)(?:\/|$)/.test(address)) return;
  throw new RegrainError(
    "USAGE",
    "devices are below /dev, and what else is made there is lost at the next start",
    {
      path: address,
      hint: "make a file system on the device, mount it, and name the folder: --repo /mnt/backups",
    },
  );
}

async function initIn(
  store: ObjectStore,
  { console, chunkBytes, passphrase }: {
    console: Console;
    chunkBytes: number;
    passphrase: string | undefined;
  },
): Promise<RepositoryDescription> {
  // Before the probe: it writes, and leaves folders in a place that is not ours.
  await refuseOccupied(store);
  const probe = await probeStore(store);
  const { conditionalPut } = probe;
  const master = passphrase === undefined ? undefined : newMasterKey();
  const choices = { chunkBytes, conditionalPut, world: THE_WORLD, master };
  const repository = await Repository.create(store, choices);
  const { id } = repository.description;
  if (master !== undefined) {
    const slot = { passphrase: passphrase!, repository: id, id: "first", label: "made with the repository" };
    await addSlot(store, master, { ...slot, nowMs: THE_WORLD.nowMs() });
  }
  console.result(
    { ...repository.description, store: probe },
    `${store.label}: repository ${id}, chunks of ${formatSize(chunkBytes)}`,
  );
  if (conditionalPut !== "atomic") {
    console.warn(
      "the store replaces what is there already, whatever it is asked; that costs traffic, and is safe",
    );
  }
  if (master !== undefined) console.tell(LOST_PASSPHRASE);
  tellProbe(probe, console);
  return repository.description;
}

function tellProbe(probe: StoreProbe, console: Console): void {
  for (const warning of probe.warnings) console.warn(warning);
  for (const line of abilitiesOf(probe)) console.tell(`the bucket ${line}`);
}

/** What a bucket does beyond keeping objects, and what follows from it; nothing of one that does not say. */
function abilitiesOf(
  { versioned, objectLock }: { versioned?: boolean | undefined; objectLock?: boolean | undefined },
): string[] {
  return [
    ...versioned ? [VERSIONED] : [],
    ...objectLock ? ["has object lock: regrain backup --retain 30d lets nobody remove a snapshot"] : [],
  ];
}

function chunkBytesOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_CHUNK_BYTES;
  const bytes = parseSize(text);
  if (bytes !== undefined && isChunkSize(bytes)) return bytes;
  throw new RegrainError("USAGE", `--chunk-size ${text} is no size of chunks`, {
    hint: `1M, 2M, 4M, 8M, 16M, 32M or 64M; ${DEFAULT_CHUNK_BYTES / MIB}M by default`,
  });
}

/** `2026-11-28 20:12:07`, as lists have it. */
function secondsText(created: string): string {
  return created.slice(0, 19).replace("T", " ");
}

/** `regrain repo info`: what the repository is. */
export async function runRepoInfo(flags: CommonFlags & RepoFlags): Promise<number> {
  return await onRepository(flags, async ({ repository, console }) => {
    const { description, store } = repository;
    const snapshots = await repository.listSnapshots();
    const { features } = store as TellingStore;
    const abilities = { versioned: await features?.versioned(), objectLock: await features?.objectLock() };
    const disks = new Set(snapshots.map(({ source }) => source)).size;
    console.result(
      { ...description, label: store.label, snapshots: snapshots.length, store: abilities },
      store.label,
      `  repository  ${description.id}, created ${secondsText(description.created)} UTC`,
      `  chunks      ${formatSize(description.chunkBytes)}, named by ${description.hash}`,
      `  encryption  ${description.encryption}`,
      ...abilitiesOf(abilities).map((line) => `  bucket      ${line}`),
      `  snapshots   ${snapshots.length} of ${disks} disks`,
    );
    return 0;
  });
}
