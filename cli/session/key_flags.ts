/** Flags of commands that make a key slot. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { checkWords } from "../../core-as/host/repo/mod.ts";
import type { CommonFlags } from "../ui/mod.ts";
import { type RepoFlags, THE_WORLD } from "./open_repository.ts";

export interface KeySlotFlags extends CommonFlags, RepoFlags {
  readonly newPassphraseFile?: string | undefined;
  readonly label?: string | undefined;
}

const MAX_LABEL_CHARACTERS = 100;

/** Whose a new slot is; of this host by default. */
export function labelOf({ label = THE_WORLD.host }: { label?: string | undefined }): string {
  checkWords(label, "--label");
  if (label.length <= MAX_LABEL_CHARACTERS) return label;
  throw new RegrainError("USAGE", `a label has ${MAX_LABEL_CHARACTERS} characters at most`);
}
