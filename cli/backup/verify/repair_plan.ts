/** What is put back of what opens a repository, which copies are made, and what only its owner can decide. */
import { DESCRIPTION_KEY } from "../../../core-as/host/repo/mod.ts";
import { opensSlot } from "../keyring.ts";
import { copyKey, slotKey } from "../second_copies.ts";
import { isSame, type Pair } from "./repair.ts";

interface Step {
  readonly key: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What is to be written, in this order, and what is left as it is. */
export interface RepairPlan {
  readonly putBack: Step[];
  readonly copied: Step[];
  readonly left: { readonly key: string; readonly what: string }[];
}

export function planDescription(
  plan: RepairPlan,
  { original, copy }: Pair,
  { isOriginal, isConfirmed }: { isOriginal: boolean; isConfirmed: boolean },
): void {
  const key = copyKey(DESCRIPTION_KEY);
  if (!isOriginal) plan.putBack.push({ key: DESCRIPTION_KEY, bytes: copy.bytes! });
  else if (copy.state !== "sound" || isConfirmed && !isSame(original, copy)) {
    plan.copied.push({ key, bytes: original.bytes! });
  } else if (!isSame(original, copy)) {
    plan.left.push({
      key,
      what:
        "and repo.json say different things, and no key confirms repo.json: run this with the passphrase, or " +
        "remove the wrong one of the two from the store",
    });
  }
}

export async function planSlot(
  plan: RepairPlan,
  about: { slot: string; pair: Pair; isBack: boolean; passphrase: string; repository: string },
): Promise<void> {
  const { slot, pair: { original, copy }, isBack } = about;
  const key = slotKey(slot);
  const leave = (what: string) => plan.left.push({ key, what });
  if (isBack) plan.putBack.push({ key, bytes: copy.bytes! });
  else if (original.state === "damaged") {
    leave(
      "is damaged, and so is its copy, or there is none: remove it from the store, and add its passphrase anew",
    );
  } else if (original.state === "missing") {
    leave(
      copy.state === "sound"
        ? `was removed by an older version, or lost: regrain repo repair --slot ${slot} puts it back, and whoever ` +
          `knows its passphrase gets in again; regrain repo key remove ${slot} removes the copy, too`
        : `is not there, and its copy is damaged: regrain repo key remove ${slot} removes the copy`,
    );
  } else if (copy.state !== "sound") plan.copied.push({ key: copyKey(key), bytes: original.bytes! });
  else if (!isSame(original, copy)) {
    // A slot never changes: one of the two is damaged, and only a passphrase can tell which.
    if (await opensSlot(original.bytes!, about)) {
      plan.copied.push({ key: copyKey(key), bytes: original.bytes! });
    } else if (await opensSlot(copy.bytes!, about)) plan.putBack.push({ key, bytes: copy.bytes! });
    else {leave(
        "and its copy differ, and only its own passphrase can tell which is sound: run this with that one",
      );}
  }
}
