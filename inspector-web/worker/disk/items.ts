/** What each of the dropped files is, looked at one by one. */
import {
  baseName,
  type Context,
  decideFormat,
  formatOfLooks,
  identifyLink,
  type ImageFormat,
  type Kind,
  type LinkIdentity,
  looksLike,
  type Probe,
  probe,
  RegrainError,
  type Role,
  SECTOR_SIZE,
  type Source,
  wayInto,
} from "../../../core-as/host/mod.ts";
import { looksLikeMap } from "./map_json.ts";

/** A dropped file. */
export interface Item {
  readonly name: string;
  /** `image`: it is one by its name or by what is said of it, in a format of one file. */
  readonly kind: Kind | "image" | "map" | "unreadable";
  readonly sizeBytes: number;
  /** What it says of itself, by its own text, by the one embedded in it, or by the one beside an extent. */
  readonly said: LinkIdentity | undefined;
  /** What `regrain inspect --format` said of it. */
  readonly format: ImageFormat | undefined;
  readonly role: Role;
  /** Where its first bytes speak against its name. */
  readonly remark: string | undefined;
  /** Why it cannot be a link, if it cannot. */
  readonly error: RegrainError | undefined;
}

/** A file, and what is known of it before anybody looks into it. */
export interface Lookout {
  readonly name: string;
  /** What `regrain inspect --format` said of it. */
  readonly format: ImageFormat | undefined;
  readonly role: Role;
}

export async function lookAt({ name, format, role }: Lookout, files: Context): Promise<Item> {
  const context = { ...files, format };
  const item = { name, format, role, said: undefined, remark: undefined };
  let file: Source | undefined;
  try {
    file = await context.files.open(name);
    const { sizeBytes } = file;
    const seen = await probe(file);
    if (isMap(file, seen)) return { ...item, kind: "map", sizeBytes, error: undefined };
    const way = await wayInto(file, context, role);
    if (way.as === "refused") return { ...item, kind: "raw", sizeBytes, error: way.error };
    if (way.as === "whole" && way.format === "raw") {
      const remark = format === undefined ? shownAsRaw(name, seen) : undefined;
      return { ...item, kind: "raw", sizeBytes, error: undefined, remark };
    }
    const kind = way.as === "beside" && decideFormat(file, role, format) === "raw" ? "raw" : seen.kind;
    if (kind === "raw" && way.as !== "whole") return { ...item, kind, sizeBytes, error: undefined };
    const said = await identifyLink(name, context, role);
    return { ...item, kind: way.as === "whole" ? "image" : kind, sizeBytes, said, error: undefined };
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    return { ...item, kind: "unreadable", sizeBytes: file?.sizeBytes ?? 0, error };
  }
}

/** A saved map, and not a disk whose guest wrote the beginning of one: a disk has whole sectors, and another name. */
function isMap({ path, sizeBytes }: Source, { head }: Probe): boolean {
  return looksLikeMap(head) && (/\.json$/i.test(path) || sizeBytes % SECTOR_SIZE !== 0);
}

function shownAsRaw(name: string, seen: Probe): string | undefined {
  const looks = looksLike(seen);
  if (looks === undefined) return undefined;
  const format = formatOfLooks(seen);
  const way = format ? `; if it is one, give it a name that ends in .${format}` : "";
  return `${name} begins like ${looks}, and is shown as the raw disk that its name says it is, since a guest can ` +
    `write such bytes${way}`;
}

/** True when something must lie below; a hosted file that does not say may stand on something. */
export function mayHaveParent({ kind, said }: Item): boolean {
  if (said?.delta !== undefined) return said.delta;
  return kind === "cowd" || kind === "sesparse" || kind === "hosted";
}

/** Which descriptor names which of the files as its extent: name of the extent to name of the descriptor. */
export function claimsOf(items: readonly Item[]): Map<string, string> {
  const claims = new Map<string, string>();
  for (const { name, kind, said } of items) {
    if (kind !== "descriptor" && kind !== "hosted") continue;
    for (const fileName of said?.identity?.fileNames ?? []) {
      const extent = named(items, fileName);
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
