/**
 * Descriptors in files of their own: the one that was named, and the one beside an extent.
 *
 * This module is browser compatible.
 */
import { type Descriptor, MAX_DESCRIPTOR_BYTES, parseDescriptor } from "./descriptor.ts";
import { RegrainError } from "../../errors.ts";
import type { Files } from "../../files.ts";
import { baseName, descriptorBeside } from "../../names.ts";
import { probe } from "../probe.ts";
import { readBytes, type Source } from "../../source.ts";

export async function readDescriptor(file: Source): Promise<Descriptor> {
  if (file.sizeBytes <= MAX_DESCRIPTOR_BYTES) {
    return parseDescriptor(await readBytes(file, 0, file.sizeBytes), file.path);
  }
  const message = `a descriptor of ${file.sizeBytes} bytes, at most 1 MiB is believed`;
  throw new RegrainError("LIMIT_EXCEEDED", message, { path: file.path });
}

export async function readDescriptorAt(path: string, { files }: { files: Files }): Promise<Descriptor> {
  const file = await files.open(path);
  try {
    return await readDescriptor(file);
  } finally {
    file.close();
  }
}

/** Path of the descriptor beside an extent, if there is one and it names that extent. */
export async function findDescriptorBeside(
  path: string,
  { files }: { files: Files },
): Promise<string | undefined> {
  const beside = descriptorBeside(path);
  if (beside === undefined || !(await files.exists(beside))) return undefined;
  const file = await files.open(beside);
  try {
    if ((await probe(file)).kind !== "descriptor") return undefined;
    const descriptor = await readDescriptor(file);
    const names = descriptor.extents.map((line) => line.fileName && baseName(line.fileName));
    return names.includes(baseName(path)) ? beside : undefined;
  } finally {
    file.close();
  }
}
