/**
 * Opening the links of a chain, whatever format a file is taken for.
 *
 * This module is browser compatible.
 */
import type { Context } from "../context.ts";
import type { OpenWay } from "../formats/format.ts";
import { formatNamed } from "../formats/formats.ts";
import { type LinkIdentity, unknownLink } from "../formats/identity.ts";
import type { Role } from "../formats/image_format.ts";
import { descriptorBy, type HeldDescriptor } from "../formats/vmdk/vmdk.ts";
import { wayInto } from "../formats/way_in.ts";
import type { Source } from "../source.ts";
import type { Link } from "./link.ts";

/**
 * Opens a disk by its descriptor or by a bare extent, whose descriptor is looked for beside it; or one in a file of its
 * own.
 *
 * @param role What the file is there for: with its name and what the user says it decides what it is taken for.
 * @throws {RegrainError} any code of exit 4 and 6.
 */
export async function openLink(path: string, context: Context, role: Role): Promise<Link> {
  const file = await context.files.open(path);
  try {
    const way = await wayInto(file, context, role);
    if (way.as === "refused") throw way.error;
    return await formatNamed(way.format).open(file, way, context);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** What a file says of itself, without any data being opened. Of what cannot be read as its role asks, nothing. */
export async function identifyLink(path: string, context: Context, role: Role): Promise<LinkIdentity> {
  const said = await looked(
    path,
    context,
    role,
    (file, way) => formatNamed(way.format).identify(file, way, context),
  );
  return said ?? unknownLink(path);
}

/**
 * The descriptor that a path leads to, without opening any extent: the file's own text, the one embedded in it, or the
 * one beside it. A raw disk has none, whatever its guest wrote.
 */
export async function findLinkDescriptor(
  path: string,
  context: Context,
  role: Role,
): Promise<HeldDescriptor | undefined> {
  return await looked(path, context, role, (file, way) => descriptorBy(file, way, context));
}

async function looked<T>(
  path: string,
  context: Context,
  role: Role,
  look: (file: Source, way: OpenWay) => Promise<T | undefined>,
): Promise<T | undefined> {
  const file = await context.files.open(path);
  try {
    const way = await wayInto(file, context, role);
    return way.as === "refused" ? undefined : await look(file, way);
  } finally {
    file.close();
  }
}
