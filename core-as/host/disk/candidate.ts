/**
 * Whether a file is the one that a name means, by what is in it.
 *
 * This module is browser compatible.
 */
import {
  type Descriptor,
  MAX_DESCRIPTOR_BYTES,
  parentHintOf,
  parseDescriptor,
} from "../formats/vmdk/descriptor.ts";
import { RegrainError } from "../errors.ts";
import type { Files } from "../files.ts";
import { readEmbeddedDescriptor } from "../formats/vmdk/hosted_sparse.ts";
import { baseName, descriptorBeside } from "../names.ts";
import type { Wanted } from "../formats/parent_hint.ts";
import { probe } from "../formats/probe.ts";
import { readBytes, type Source } from "../source.ts";

/** What the parent has that a descriptor names. */
export function wantedParent(descriptor: Descriptor): Wanted {
  return parentHintOf(descriptor)?.wanted ?? {};
}

/** `unknown`: nothing speaks for it, and nothing against it. */
export type Fit = "match" | "mismatch" | "unknown";

/**
 * Judges one of several files of the same name. What cannot be read is no match.
 *
 * @param what An extent is judged by its size and by the descriptor beside it, never by its own bytes: those of a flat
 * one belong to the guest.
 */
export async function fitOf(
  path: string,
  what: "extent" | "parent",
  { wanted, files }: { wanted: Wanted; files: Files },
): Promise<Fit> {
  try {
    if (what === "extent" && await isTooShort(path, wanted, files)) return "mismatch";
    const own = what === "parent" ? await ownDescriptor(path, files) : undefined;
    const cid = own?.cid ?? (await descriptorThatNames(path, files))?.cid;
    if (cid === undefined || wanted.cid === undefined) return "unknown";
    return cid === wanted.cid ? "match" : "mismatch";
  } catch (error) {
    if (error instanceof RegrainError) return "mismatch";
    throw error;
  }
}

async function isTooShort(path: string, { leastBytes }: Wanted, files: Files): Promise<boolean> {
  if (leastBytes === undefined) return false;
  const file = await files.open(path);
  file.close();
  return file.sizeBytes < leastBytes;
}

/** The text that a file is, or that is embedded in it. */
async function ownDescriptor(path: string, files: Files): Promise<Descriptor | undefined> {
  const file = await files.open(path);
  try {
    const { kind } = await probe(file);
    if (kind === "descriptor") return await readText(file);
    const embedded = kind === "hosted" ? await readEmbeddedDescriptor(file) : undefined;
    return embedded && parseDescriptor(embedded, path);
  } finally {
    file.close();
  }
}

async function readText(file: Source): Promise<Descriptor | undefined> {
  if (file.sizeBytes > MAX_DESCRIPTOR_BYTES) return undefined;
  return parseDescriptor(await readBytes(file, 0, file.sizeBytes), file.path);
}

/** The descriptor beside an extent that names it. */
async function descriptorThatNames(path: string, files: Files): Promise<Descriptor | undefined> {
  const beside = descriptorBeside(path);
  if (beside === undefined || !(await files.exists(beside))) return undefined;
  const file = await files.open(beside);
  try {
    const descriptor = (await probe(file)).kind === "descriptor" ? await readText(file) : undefined;
    const names = descriptor?.extents.map(({ fileName }) => fileName && baseName(fileName));
    return names?.includes(baseName(path)) ? descriptor : undefined;
  } finally {
    file.close();
  }
}
