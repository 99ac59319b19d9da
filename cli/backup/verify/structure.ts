/** Whether everything in a repository has its place: looks at names and small documents, and reads no chunk. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import {
  contentKey,
  DESCRIPTION_KEY,
  parseContentKey,
  parseSnapshotKey,
  parseVmKey,
  snapshotKey,
  vmKey,
} from "../../../core-as/host/repo/mod.ts";
import { parseForgottenKey } from "../keep/forgotten.ts";
import { heldId } from "../keep/holds.ts";
import { isSign, isUnderWay, LEASE_MS, listActive, readForbidden } from "../signs/intents.ts";
import { markIn, unhealedMarks } from "../signs/marks.ts";
import { README_KEY } from "../readme.ts";
import type { Repository } from "../repository.ts";
import { isSame, type Pair, readParts } from "./repair.ts";
import { copyKey, isSecondCopy, slotKey } from "../second_copies.ts";
import { readSnapshots } from "../snapshots/snapshots.ts";
import { spanWords } from "../snapshots/times.ts";
import { notedId } from "./verify_notes.ts";
import { readVms } from "../snapshots/vms.ts";

/** What can be found; each with what it means, and whether something is lost by it. */
export const STRUCTURE_FINDINGS = {
  "stray": {
    isDamage: false,
    means: "nothing of regrain has this name; it is neither read nor removed",
  },
  "manifest": { isDamage: true, means: "this snapshot cannot be restored" },
  "wrong-source": {
    isDamage: true,
    means: "the manifest stands under another disk than it names; it was moved, or forged",
  },
  "no-snapshot": {
    isDamage: false,
    means: "holds a snapshot that is not there; regrain release takes it away",
  },
  "unreadable-list": {
    isDamage: true,
    means:
      "a collection's list cannot be read, and no backup runs before it is two days old, or removed by hand",
  },
  "old-list": {
    isDamage: false,
    means: "a killed collection left it; the next regrain gc removes it after two days",
  },
  "doubtful": {
    isDamage: false,
    means:
      "its backup was taken for dead before it ended; chunks may be missing, regrain verify SNAPSHOT tells",
  },
  "dead-intent": {
    isDamage: false,
    means: "a backup that gave no sign of life for a day; regrain gc takes it for dead and goes on",
  },
  "marked": {
    isDamage: false,
    means: "a verification found it damaged; the next backup that meets it stores it anew",
  },
  "healed": {
    isDamage: false,
    means:
      "it was found damaged, and another generation is read now; the mark keeps collections off that one",
  },
  "no-copy": {
    isDamage: false,
    means:
      "the second copy of what opens the repository is not there, or differs; regrain repo repair says more",
  },
  "lone-copy": {
    isDamage: false,
    means: "a key slot is gone and its copy is not; regrain repo repair says what to do",
  },
  "no-readme": { isDamage: false, means: "the text that explains the repository to a finder is gone" },
  "no-keys": { isDamage: true, means: "without a key slot no passphrase opens the repository any more" },
  "needless-keys": { isDamage: false, means: "a repository that is not encrypted has no use for key slots" },
} as const;

export interface StructureFinding {
  readonly what: keyof typeof STRUCTURE_FINDINGS;
  /** The object, or the snapshot. */
  readonly about: string;
  readonly detail?: string | undefined;
}

export interface StructureResult {
  readonly objects: number;
  readonly bytes: number;
  readonly snapshots: number;
  readonly findings: readonly StructureFinding[];
}

/** Looks at the name of every object, and reads the manifests and signs. */
export async function checkStructure(repository: Repository): Promise<StructureResult> {
  const findings: StructureFinding[] = [];
  const seen = { objects: 0, bytes: 0, keys: 0, hasReadme: false };
  const holds: string[] = [];
  const marks: string[] = [];
  for await (const { key, sizeBytes, modifiedMs } of repository.store.list("")) {
    seen.objects++;
    seen.bytes += sizeBytes;
    if (key.startsWith("keys/")) seen.keys++;
    if (key === README_KEY) seen.hasReadme = true;
    if (heldId(key) !== undefined) holds.push(heldId(key)!);
    const isOld = repository.world.nowMs() - modifiedMs > LEASE_MS;
    if (key.startsWith("gc/") && isOld) findings.push({ what: "old-list", about: key });
    if (markIn(key) !== undefined) marks.push(key);
    if (!hasPlace(repository, key)) findings.push({ what: "stray", about: key });
  }
  if (!seen.hasReadme) findings.push({ what: "no-readme", about: README_KEY });
  findings.push(...keyFindings(repository, seen.keys));
  findings.push(...await copyFindings(repository));
  findings.push(...await markFindings(repository, marks));
  const snapshots = await checkSnapshots(repository, findings);
  for (const id of holds) {
    if (!snapshots.has(id)) findings.push({ what: "no-snapshot", about: `holds/${id}.json` });
  }
  for (const { name, damage } of await readVms(repository)) {
    if (damage !== undefined) findings.push({ what: "manifest", about: name.key, detail: damage.reason });
  }
  await checkSigns(repository, findings);
  return { objects: seen.objects, bytes: seen.bytes, snapshots: snapshots.size, findings };
}

/** True for the name of anything that a repository is made of. */
function hasPlace(repository: Repository, key: string): boolean {
  const content = parseContentKey(key);
  if (content !== undefined) return contentKey(content, repository.suffix) === key;
  const snapshot = parseSnapshotKey(key);
  const vm = parseVmKey(key);
  if (vm !== undefined) return vmKey(vm.source, vm.id, repository.suffix) === key;
  if (snapshot !== undefined) return snapshotKey(snapshot.source, snapshot.id, repository.suffix) === key;
  return key === DESCRIPTION_KEY || key === README_KEY || isSecondCopy(key) || heldId(key) !== undefined ||
    parseForgottenKey(key) !== undefined || markIn(key) !== undefined || notedId(key) !== undefined ||
    /^keys\/[A-Za-z0-9_-]+\.json$/.test(key) || /^gc\/[0-9A-Z]{26}\.json$/.test(key) || isSign(key);
}

function keyFindings({ description }: Repository, keys: number): StructureFinding[] {
  const isEncrypted = description.encryption !== "none";
  if (isEncrypted && keys === 0) return [{ what: "no-keys", about: "keys/" }];
  return !isEncrypted && keys > 0 ? [{ what: "needless-keys", about: "keys/" }] : [];
}

async function copyFindings({ store, description: { encryption } }: Repository): Promise<StructureFinding[]> {
  const { description, slots } = await readParts(store);
  const findings: StructureFinding[] = [];
  const compare = (key: string, { original, copy }: Pair) => {
    if (isSame(original, copy)) return;
    const isLone = original.state === "missing";
    findings.push({ what: isLone ? "lone-copy" : "no-copy", about: copyKey(key) });
  };
  compare(DESCRIPTION_KEY, description);
  if (encryption !== "none") { for (const [id, pair] of slots) compare(slotKey(id), pair); }
  return findings;
}

async function markFindings(repository: Repository, marks: readonly string[]): Promise<StructureFinding[]> {
  if (marks.length === 0) return [];
  const unhealed = await unhealedMarks(repository);
  return marks.map((key) => ({ what: unhealed.has(markIn(key)!) ? "marked" : "healed", about: key }));
}

/** @returns ids of all there are. */
async function checkSnapshots(repository: Repository, findings: StructureFinding[]): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const { name, snapshot, damage, isDoubtful } of readSnapshots(repository)) {
    ids.add(name.id);
    if (damage !== undefined) findings.push({ what: "manifest", about: name.key, detail: damage.reason });
    if (isDoubtful) findings.push({ what: "doubtful", about: name.key });
    if (snapshot === undefined) continue;
    if (await repository.sourceKey(snapshot.source.name) !== name.source) {
      findings.push({ what: "wrong-source", about: name.key, detail: `it names ${snapshot.source.name}` });
    }
  }
  return ids;
}

async function checkSigns(repository: Repository, findings: StructureFinding[]): Promise<void> {
  for (const backup of (await listActive(repository)).values()) {
    const silentMs = repository.world.nowMs() - backup.lastSignMs;
    if (!isUnderWay(backup) || silentMs < LEASE_MS) continue;
    const detail = `silent for ${spanWords(silentMs)}`;
    findings.push({ what: "dead-intent", about: `active/${backup.id}`, detail });
  }
  try {
    await readForbidden(repository);
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
    findings.push({ what: "unreadable-list", about: error.path ?? "gc/", detail: error.reason });
  }
}
