/** `regrain repo repair`: what opens a repository, put back from its second copies, and the copies made anew. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { DESCRIPTION_KEY, type ObjectStore, parseDescription } from "../../core-as/host/repo/mod.ts";
import {
  isSame,
  type Pair,
  type Parts,
  readParts,
  repairedView,
  slotsToPutBack,
} from "../backup/verify/repair.ts";
import { planDescription, planSlot, type RepairPlan } from "../backup/verify/repair_plan.ts";
import type { Repository } from "../backup/repository.ts";
import { copyKey } from "../backup/second_copies.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";
import { repairReport } from "../report/repo_repair.ts";
import { openAdmitted } from "../session/admission.ts";
import {
  admissionOf,
  openStoreOf,
  passphraseOf,
  type RepoFlags,
  repositoryAddress,
} from "../session/open_repository.ts";
import { guardWire } from "../session/wire.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";

export interface RepoRepairFlags extends CommonFlags, RepoFlags {
  readonly dryRun?: boolean | undefined;
  readonly slot?: string[] | undefined;
}

/** What an original is refused with that was changed, by an accident or by somebody. */
const CHANGED = new Set(["REPO_REPLACED", "REPO_UNENCRYPTED", "REPO_KEY"]);

export async function runRepoRepair(flags: RepoRepairFlags): Promise<number> {
  const console = new Console(flags);
  const store = await openStoreOf(flags);
  try {
    const parts = await readParts(store);
    const named = flags.slot ?? [];
    refuseUnknownSlots(store, parts, named);
    const back = slotsToPutBack(parts.slots, named);
    const { repository, isOriginal } = await openEither(store, { parts, back, flags, console });
    const { encryption, id } = repository.description;
    guardWire(repositoryAddress(flags), flags, { isEncrypted: encryption !== "none", console });
    if (!isOriginal && encryption !== "none" && await repository.descriptionTrust() === "absent") {
      console.warn(`${copyKey(DESCRIPTION_KEY)}: carries no MAC, so nothing says that nobody changed it`);
    }
    const plan: RepairPlan = { putBack: [], copied: [], left: [] };
    if (encryption !== "none") {
      const passphrase = passphraseOf(flags);
      for (const [slot, pair] of parts.slots) {
        await planSlot(plan, { slot, pair, isBack: back.has(slot), passphrase, repository: id });
      }
    }
    const isConfirmed = await repository.descriptionTrust() === "confirmed";
    planDescription(plan, parts.description, { isOriginal, isConfirmed });
    if (!flags.dryRun) {
      for (const { key, bytes } of [...plan.putBack, ...plan.copied]) await store.put(key, bytes);
    }
    repairReport(console).done(plan, { repository: id, dryRun: flags.dryRun === true });
    return plan.left.length === 0 ? 0 : EXIT_INCOMPLETE;
  } finally {
    store.close();
    console.flush();
  }
}

function refuseUnknownSlots(store: ObjectStore, { slots }: Parts, named: readonly string[]): void {
  const unknown = named.find((id) => !slots.has(id) || slots.get(id)!.copy.state !== "sound");
  if (unknown === undefined) return;
  throw new RegrainError("USAGE", `there is no sound copy of a key slot ${unknown}`, {
    path: store.label,
    hint: "regrain repo repair -n says what there is",
  });
}

interface OpenRequest {
  readonly parts: Parts;
  readonly back: ReadonlySet<string>;
  readonly flags: RepoRepairFlags;
  readonly console: Console;
}

/**
 * Opens the repository by its description; by the copy, where there is none, or the repository's key confirms the
 * copy and not the original.
 */
async function openEither(
  store: ObjectStore,
  request: OpenRequest,
): Promise<{ repository: Repository; isOriginal: boolean }> {
  const { original, copy } = request.parts.description;
  if (original.state !== "sound") {
    if (copy.state !== "sound") throw bothLost(store, original.state === "missing");
    return { repository: await openBy(store, copy.bytes!, request), isOriginal: false };
  }
  if (copy.state !== "sound" || isSame(original, copy)) {
    return { repository: await openBy(store, original.bytes!, request), isOriginal: true };
  }
  refuseUndecided(store, request.parts.description);
  try {
    const strict = { ...request, flags: { ...request.flags, replaced: false } };
    return { repository: await openBy(store, original.bytes!, strict), isOriginal: true };
  } catch (error) {
    if (!(error instanceof RegrainError) || !CHANGED.has(error.code)) throw error;
    const repository = await openConfirmed(store, copy.bytes!, request);
    if (repository !== undefined) return { repository, isOriginal: false };
    if (!request.flags.replaced) throw error;
    return { repository: await openBy(store, original.bytes!, request), isOriginal: true };
  }
}

/** By a description that the repository's key confirms, or not at all. */
async function openConfirmed(
  store: ObjectStore,
  description: Uint8Array<ArrayBuffer>,
  request: OpenRequest,
): Promise<Repository | undefined> {
  if (parseDescription(description, copyKey(DESCRIPTION_KEY)).encryption === "none") return undefined;
  try {
    const repository = await openBy(store, description, request);
    return await repository.descriptionTrust() === "confirmed" ? repository : undefined;
  } catch (error) {
    if (error instanceof RegrainError && CHANGED.has(error.code)) return undefined;
    throw error;
  }
}

/** Nothing confirms the description of an unencrypted repository, and it never changes. */
function refuseUndecided(store: ObjectStore, { original, copy }: Pair): void {
  for (const { bytes } of [original, copy]) {
    if (parseDescription(bytes!, store.label).encryption !== "none") return;
  }
  throw new RegrainError(
    "REPO_MIXED",
    "repo.json and copies/repo.json say different things, and neither is sealed",
    {
      path: store.label,
      hint:
        "remove the wrong one of the two from the store: regrain repo repair makes it anew from the other",
    },
  );
}

function bothLost(store: ObjectStore, isMissing: boolean): RegrainError {
  const what = isMissing ? "repo.json is not there" : "repo.json is damaged";
  return new RegrainError("REPO_MISSING", `${what}, and there is no sound copy of it in the repository`, {
    path: store.label,
    hint: "regrain repo key import FILE puts it back from what regrain repo key export wrote" +
      (isMissing ? "" : ", once the damaged one is removed from the store"),
  });
}

function openBy(
  store: ObjectStore,
  description: Uint8Array<ArrayBuffer>,
  { parts, back, flags, console }: OpenRequest,
): Promise<Repository> {
  return openAdmitted(repairedView(store, description, parts.slots, back), admissionOf(flags, console));
}
