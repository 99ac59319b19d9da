/** What each of the dropped files is, looked at one by one. */
import {
  baseName,
  type Context,
  type Descriptor,
  isDelta,
  type Kind,
  notADisk,
  type Probe,
  probe,
  readLinkDescriptor,
  RegrainError,
  SECTOR_SIZE,
  type Source,
} from "../../core-as/host/mod.ts";
import { looksLikeMap } from "./map_json.ts";

/** A dropped file. */
export interface Item {
  readonly name: string;
  readonly kind: Kind | "map" | "unreadable";
  readonly sizeBytes: number;
  /** Its own text, the one embedded in it, or the one beside an extent. */
  readonly descriptor: Descriptor | undefined;
  /** Why it cannot be a link, if it cannot. */
  readonly error: RegrainError | undefined;
}

export async function lookAt(name: string, context: Context): Promise<Item> {
  let file: Source | undefined;
  let kind: Item["kind"] = "unreadable";
  try {
    file = await context.files.open(name);
    const seen = await probe(file);
    kind = looksLikeMap(seen.head) ? "map" : seen.kind;
    const { sizeBytes } = file;
    const error = kind === "raw" ? rawError(file, seen) : undefined;
    const descriptor = kind === "raw" || kind === "map"
      ? undefined
      : await readLinkDescriptor(name, context, "image");
    return { name, kind, sizeBytes, descriptor, error };
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    return { name, kind, sizeBytes: file?.sizeBytes ?? 0, descriptor: undefined, error };
  }
}

/** Bytes without a magic may be a raw disk, unless they are known to be something else or are no whole sectors. */
function rawError(file: Source, seen: Probe): RegrainError | undefined {
  const isDisk = file.sizeBytes > 0 && file.sizeBytes % SECTOR_SIZE === 0 && !seen.foreign;
  return isDisk ? undefined : notADisk(file, seen);
}

/** True when something must lie below; a hosted file that does not say may stand on something. */
export function mayHaveParent({ kind, descriptor }: Item): boolean {
  if (descriptor) return isDelta(descriptor);
  return kind === "cowd" || kind === "sesparse" || kind === "hosted";
}

/** Which descriptor names which of the files as its extent: name of the extent to name of the descriptor. */
export function claimsOf(items: readonly Item[]): Map<string, string> {
  const claims = new Map<string, string>();
  for (const { name, kind, descriptor } of items) {
    if (kind !== "descriptor" && kind !== "hosted") continue;
    for (const { fileName } of descriptor?.extents ?? []) {
      const extent = fileName === undefined ? undefined : named(items, fileName);
      if (extent && extent.name !== name && extent.kind !== "descriptor") claims.set(extent.name, name);
    }
  }
  return claims;
}

/** The file that a name in a descriptor means: the last part decides, its case only between two that differ in it. */
export function named(items: readonly Item[], name: string): Item | undefined {
  const last = baseName(name);
  return items.find((item) => baseName(item.name) === last) ??
    items.find((item) => baseName(item.name).toLowerCase() === last.toLowerCase());
}
