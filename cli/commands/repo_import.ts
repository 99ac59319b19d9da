/** `regrain repo import`: the backup of a disk that the tool before made becomes a snapshot. */
import { formatSize, RegrainError } from "../../core-as/host/mod.ts";
import { checkSourceName, checkTag, type ObjectReader } from "../../core-as/host/repo/mod.ts";
import { planSeedImport, readSeedManifest } from "../backup/seed/seed_import.ts";
import { listSeedDisks, type SeedDisk } from "../backup/seed/seed_layout.ts";
import { GIVEN_STORE } from "../store/refusal.ts";
import { findStore, flagsFor, requireOwnFlags } from "../store/registry.ts";
import { rateLimitOf } from "../session/flags.ts";
import { backupReport } from "../report/backup.ts";
import { backUpWithProgress } from "../session/backup_run.ts";
import {
  openRepository,
  type RepoFlags,
  repositoryAddress,
  withStoreFlags,
} from "../session/open_repository.ts";
import { type LongFlags, startSession } from "../session/session.ts";
import { watched, type WatchFlags } from "../session/watched.ts";

export interface ImportFlags extends LongFlags, RepoFlags, WatchFlags {
  readonly name: string;
  readonly vm?: string | undefined;
  readonly disk?: string | undefined;
  readonly tag?: readonly string[] | undefined;
  readonly rateLimit?: string | undefined;
}

/** @param address Bucket or folder of the tool before. */
export async function runRepoImport(address: string, flags: ImportFlags): Promise<number> {
  checkSourceName(flags.name);
  for (const tag of flags.tag ?? []) checkTag(tag, "--tag");
  rateLimitOf(flags);
  // The flags about a bucket hold for both, whichever of them is one.
  const [given, own] = [findStore(address, GIVEN_STORE), findStore(repositoryAddress(flags))];
  requireOwnFlags([given, own], flags, GIVEN_STORE);
  const session = startSession(flags);
  const { console } = session;
  try {
    return await watched({ operation: "import", name: flags.name, flags, session }, async (watch) => {
      watch.phase("open");
      const seed = await given.open(flagsFor(given, flags), {
        foreignKeys: true,
        warn: (sentence) => console.warn(sentence),
      });
      const repository = await openRepository(withStoreFlags(flags, flagsFor(own, flags)));
      try {
        watch.learn({ repository: repository.store.label });
        const disk = await pickDisk(seed, flags);
        const manifest = await readSeedManifest(seed, disk);
        console.detail(
          `${disk.folder}: ${
            formatSize(manifest.sizeBytes)
          } in ${manifest.parts.length} parts of ${manifest.name}`,
        );
        const plan = planSeedImport(seed, manifest, repository.description.chunkBytes);
        const report = backupReport(console);
        const origin = {
          plan: () => Promise.resolve(plan),
          sizeBytes: manifest.sizeBytes,
          [Symbol.dispose]: () => undefined,
        };
        report.done(await backUpWithProgress(repository, { origin, flags, console, watch, report }));
      } finally {
        repository.close();
        seed.close();
      }
      return 0;
    });
  } finally {
    console.flush();
  }
}

/**
 * The one disk that is meant.
 *
 * @throws {RegrainError} `SNAPSHOT_MISSING`, or `USAGE` with the list of those there are.
 */
async function pickDisk(seed: ObjectReader, { vm, disk }: ImportFlags): Promise<SeedDisk> {
  const all = await listSeedDisks(seed);
  if (all.length === 0) {
    throw new RegrainError("SNAPSHOT_MISSING", "holds no vm-data-<VM>/disk-data-<DISK>/manifest.json", {
      path: seed.label,
    });
  }
  const meant = all.filter((each) =>
    (vm === undefined || each.vm === vm) && (disk === undefined || each.disk === disk)
  );
  if (meant.length === 1) return meant[0]!;
  const list = (meant.length === 0 ? all : meant).map((each) => `--vm ${each.vm} --disk ${each.disk}`).join(
    "; ",
  );
  if (meant.length === 0) {
    throw new RegrainError("SNAPSHOT_MISSING", "holds no such disk", {
      path: seed.label,
      hint: `there is: ${list}`,
    });
  }
  throw new RegrainError("USAGE", `${meant.length} disks are meant, and one is imported at a time`, {
    path: seed.label,
    hint: `one of: ${list}`,
  });
}
