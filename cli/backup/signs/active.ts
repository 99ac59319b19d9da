/** Backups that have begun and not said that they ended: of which disk, on which host, and whether they still live. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { type ActiveBackup, BEAT_EVERY_MS, isUnderWay, LEASE_MS, listActive, readIntent } from "./intents.ts";
import type { Repository } from "../repository.ts";

/**
 * `running`: it gave a sign of life lately. `silent`: it missed signs, and may be dead. `dead`: the next collection
 * takes it for dead. `stored`: its snapshot is there, only its last sign is missing.
 */
export type BackupState = "running" | "silent" | "dead" | "stored";

export interface RunningBackup {
  readonly id: string;
  /**
   * `VM/DISK`; `undefined` when the intent cannot be read, or an older version wrote it and no snapshot of the disk can
   * be read.
   */
  readonly disk: string | undefined;
  /** What stands for the disk in the store; `undefined` when the intent cannot be read. */
  readonly key: string | undefined;
  readonly host: string | undefined;
  readonly tool: string | undefined;
  /** By the store's clock. */
  readonly sinceMs: number;
  readonly silentMs: number;
  readonly state: BackupState;
}

/** Every backup that a collection would wait for, oldest first. */
export async function runningBackups(repository: Repository): Promise<RunningBackup[]> {
  const active = [...(await listActive(repository)).values()];
  return await describeActive(repository, active.filter(isUnderWay));
}

/** @param backups Those with an intent. */
export async function describeActive(
  repository: Repository,
  backups: readonly ActiveBackup[],
): Promise<RunningBackup[]> {
  if (backups.length === 0) return [];
  const stored = new Set((await repository.listSnapshots()).map(({ id }) => id));
  const nowMs = repository.world.nowMs();
  const described: RunningBackup[] = [];
  for (const { id, sinceMs, lastSignMs } of backups) {
    const intent = await readIntent(repository, id);
    const silentMs = Math.max(0, nowMs - lastSignMs);
    described.push({
      id,
      disk: intent && (intent.name ?? await diskName(repository, intent.source)),
      key: intent?.source,
      host: intent?.host,
      tool: intent?.tool,
      sinceMs,
      silentMs,
      state: stored.has(id) ? "stored" : stateOf(silentMs),
    });
  }
  return described.sort((a, b) => a.sinceMs - b.sinceMs);
}

/** Two signs may come late; from the third on something is wrong. */
function stateOf(silentMs: number): BackupState {
  if (silentMs >= LEASE_MS) return "dead";
  return silentMs > 3 * BEAT_EVERY_MS ? "silent" : "running";
}

/** An intent of an older version has the key of the disk alone; its name is in the manifests. */
async function diskName(repository: Repository, source: string): Promise<string | undefined> {
  for (const name of (await repository.listSnapshots(source)).reverse()) {
    try {
      const snapshot = await repository.readSnapshot(name);
      if (snapshot !== undefined) return snapshot.source.name;
    } catch (error) {
      // An older one may be whole, and has the same name.
      if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
    }
  }
  return undefined;
}
