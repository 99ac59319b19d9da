/**
 * Doubts: what an image is refused for unless the user says `--force`, each with its code and what the flag risks.
 *
 * This module is browser compatible.
 */
import { type ErrorCode, RegrainError } from "../errors.ts";
import type { Finding } from "../extent.ts";
import type { Link } from "./link.ts";

interface Way {
  readonly code: ErrorCode;
  readonly hint: string;
}

/** By the kind of the finding; of others the first of two ways to read it is taken. */
const WAYS: Readonly<Record<string, Way>> = {
  "flat-short": {
    code: "TRUNCATED",
    hint: "the copy may not be complete: copy the file again; --force reads what is missing as zeros",
  },
  "size-odd": {
    code: "DAMAGED",
    hint: "copy the file again, in binary mode; --force reads it as it is, shifted bytes and all",
  },
  "descriptor-odd": {
    code: "DAMAGED",
    hint:
      "mend the descriptor, or copy the file again; --force takes it as it is, the first of two that differ",
  },
  "extent-without-data": {
    code: "DESCRIPTOR_INVALID",
    hint:
      "copy the descriptor again; a delta's extent lines name files that hold data; --force takes it as zeros, " +
      "which overwrite that part of the disk",
  },
  "marked-corrupt": {
    code: "DAMAGED",
    hint: "regrain check and qemu-img check say what is wrong; --force reads it as its tables say",
  },
  "backing-format-unsaid": {
    code: "NOT_A_DISK",
    hint:
      "on a copy of the image that names it say what it is: qemu-img rebase -u -f qcow2 -F FORMAT -b BASE IMAGE; " +
      "--force reads it as raw, which is another disk where it is none",
  },
  encrypted: {
    code: "ENCRYPTED",
    hint:
      "decrypt the VM with VMware first; --force takes the ciphertext, which is worthless without its key",
  },
  piece: {
    code: "NOT_A_DISK",
    hint:
      "copy the disk's descriptor (the small .vmdk text file) and all pieces beside it, and name the descriptor; " +
      "--force takes this piece for the whole disk",
  },
  "parent-unknown": {
    code: "NOT_A_DISK",
    hint: "copy its descriptor (the small .vmdk text file) beside it; " +
      "--force takes it for a disk without a parent: zeros wherever it holds nothing",
  },
};

/** Code and hint of a doubt that an image is refused for. */
export function wayOf(doubt: Finding): Way {
  return WAYS[doubt.kind] ?? { code: "DAMAGED", hint: "--force takes the first copy as the right one" };
}

/** The error for a doubt. */
export function doubtError(doubt: Finding): RegrainError {
  const { code, hint } = wayOf(doubt);
  const { path, message, offsetBytes } = doubt;
  return new RegrainError(code, message, {
    path,
    hint,
    ...(offsetBytes === undefined ? {} : { offsetBytes }),
  });
}

/** What speaks against taking links for what they are named as, by their descriptors and headers alone. */
export function doubtsOf(links: readonly Link[]): Finding[] {
  return links.flatMap((link) => [
    ...link.findings,
    ...link.extents.flatMap(({ extent }) => extent.findings),
  ]).filter(({ severity }) => severity === "doubt");
}

/**
 * What speaks against reading links as one whole disk: also that nothing says whether the last has a parent.
 *
 * @param links Newest first; the last is read as the base.
 */
export function doubtsOfDisk(links: readonly Link[]): Finding[] {
  const doubts = doubtsOf(links);
  const last = links.at(-1);
  if (!last || last.delta !== undefined || doubts.some(({ path }) => path === last.path)) return doubts;
  const piece = last.findings.find(({ kind }) => kind === "piece");
  const kind = piece?.kind ?? "parent-unknown";
  const message = piece?.message ??
    "nothing says whether it has a parent: it may be a delta, or a piece of a disk";
  return [...doubts, { severity: "doubt", kind, path: last.path, message }];
}

/**
 * Refuses what is in doubt.
 *
 * @returns the doubts that `force` takes.
 * @throws {RegrainError} `TRUNCATED`, `ENCRYPTED`, `NOT_A_DISK`, `DAMAGED`.
 */
export function requireNoDoubt(doubts: readonly Finding[], options: { force: boolean }): readonly Finding[] {
  const [first] = doubts;
  if (first && !options.force) throw doubtError(first);
  return doubts;
}
