/**
 * Which files belong to an image: its descriptor, its extents, and the links below it, as far as they can be found.
 *
 * Only descriptors are read, no tables: a damaged image is to be looked at too. A file that is missing keeps no other
 * one out.
 */
import {
  baseName,
  boundedContext,
  type Bounds,
  boundsOf,
  chainTooDeep,
  type Context,
  decideFormat,
  type Descriptor,
  findLinkDescriptor,
  formatByName,
  type HeldDescriptor,
  identifyLink,
  type ImageFormat,
  isKnownDelta,
  isWithin,
  type LinkIdentity,
  MAX_CHAIN_LINKS,
  probe,
  RegrainError,
  resolveName,
  type Role,
  type Source,
  vmdkIdentity,
} from "../../core-as/host/mod.ts";
import { holdsDescriptorOnly } from "../../core-as/host/formats/vmdk/hosted_sparse.ts";

/** A file that is there and can be opened. */
export interface FoundFile {
  /** Its last name, as the one that names it does. */
  readonly name: string;
  /** Absolute, without symbolic links. */
  readonly realPath: string;
  /** The user named it; else another file did. */
  readonly named: boolean;
  /** What it is as an image, where its name says something else or the user said so. */
  readonly format?: ImageFormat;
}

/** A file, and what it must be when only another one names it. */
interface Named {
  readonly path: string;
  readonly bounds: Bounds | undefined;
  /** What the one that names it says that it is. */
  readonly format?: ImageFormat | undefined;
}

export interface Belongings {
  /** Each once: the images in the order they were named, each followed by what belongs to it. */
  readonly files: readonly FoundFile[];
  /** What could not be found or read, and why. */
  readonly missing: readonly RegrainError[];
}

/**
 * Finds what belongs to images.
 *
 * @throws {RegrainError} When a file that the user named cannot be opened: `NOT_FOUND`, `NOT_A_DISK`, `PERMISSION`,
 * `OPEN_FAILED`.
 */
export async function findBelongings(images: readonly string[], context: Context): Promise<Belongings> {
  const finder = new Finder(context);
  for (const image of images) await finder.addImage(image);
  return { files: [...finder.files.values()], missing: finder.missing };
}

class Finder {
  /** By name and real path: what has two names is found under both. */
  readonly files = new Map<string, FoundFile>();
  readonly missing: RegrainError[] = [];

  constructor(private readonly context: Context) {}

  async addImage(path: string): Promise<void> {
    await this.add(path, { named: true });
    await this.orMissing(() => this.descend(path));
  }

  /** @param bounds Of a file that only another one names. */
  private async add(
    path: string,
    { named, bounds }: { named: boolean; bounds?: Bounds | undefined },
  ): Promise<void> {
    const { files } = this.context;
    const source = await files.open(path, bounds);
    source.close();
    const realPath = await files.realPath(path);
    if (bounds?.folders.some((folder) => isWithin(realPath, folder)) === false) {
      throw bounds.refused({ reason: "is a link to another folder", real: realPath });
    }
    const file = {
      name: baseName(path),
      realPath,
      named,
      ...(named ? this.formatOf(source) : {}),
    };
    const key = JSON.stringify([file.name, file.realPath]);
    if (named || !this.files.has(key)) this.files.set(key, file);
  }

  private formatOf(source: Source): { format?: ImageFormat } {
    const { format: said } = this.context;
    const format = decideFormat(source, "image", said);
    return said !== undefined || format !== formatByName(source.path) ? { format } : {};
  }

  private async descend(leaf: string): Promise<void> {
    const seen = new Set<string>();
    for (let next: Named | undefined = { path: leaf, bounds: undefined }; next !== undefined;) {
      const { path }: Named = next;
      const real = await this.context.files.realPath(path);
      if (seen.has(real)) {
        throw new RegrainError("CHAIN_CYCLE", "the chain comes back to this link", { path });
      }
      if (seen.size === MAX_CHAIN_LINKS) {
        throw chainTooDeep(path);
      }
      seen.add(real);
      const role = next.format === undefined ? "parent" : "backing";
      next = await this.addLink(next, seen.size === 1 ? "image" : role);
    }
  }

  /** Adds the files of one link. Returns where its parent is. */
  private async addLink({ path, bounds, format }: Named, role: Role): Promise<Named | undefined> {
    await this.add(path, { named: false, bounds });
    const within = boundedContext(this.context, bounds);
    const context = role === "image" ? within : { ...within, format };
    const held = await findLinkDescriptor(path, context, role);
    if (held === undefined) return await this.parentOf(await identifyLink(path, context, role), path);
    await this.add(held.path, { named: false, bounds });
    for (const name of await this.extentNames(held)) {
      await this.orMissing(async () => {
        const extent = await resolveName(name, held.path, this.context, "extent");
        const its = await boundsOf({ name, holder: held.path, what: "extent" }, this.context);
        await this.add(extent, { named: false, bounds: its });
      });
    }
    return await this.parentOf(vmdkIdentity(path, held.descriptor), held.path);
  }

  /** @param holder The file that names the parent. */
  private async parentOf(link: LinkIdentity, holder: string): Promise<Named | undefined> {
    const hint = isKnownDelta(link) ? link.parent : undefined;
    if (hint === undefined) return undefined;
    const { name, wanted } = hint;
    return {
      path: await resolveName(name, holder, this.context, "parent", wanted),
      bounds: await boundsOf({ name, holder, what: "parent" }, this.context),
      format: hint.by?.format,
    };
  }

  /** Names of the extents, each once. An extent that holds its own descriptor may have been renamed since. */
  private async extentNames({ path, descriptor }: HeldDescriptor): Promise<Set<string>> {
    if (await this.isItsOwnExtent(path, descriptor)) return new Set();
    const lines = descriptor.extents.filter(({ access }) => access !== "NOACCESS");
    return new Set(lines.flatMap(({ fileName }) => fileName ?? []));
  }

  private async isItsOwnExtent(path: string, descriptor: Descriptor): Promise<boolean> {
    if (descriptor.extents.length > 1) return false;
    const file = await this.context.files.open(path);
    try {
      return (await probe(file)).kind === "hosted" && !(await holdsDescriptorOnly(file));
    } finally {
      file.close();
    }
  }

  private async orMissing(find: () => Promise<void>): Promise<void> {
    try {
      await find();
    } catch (error) {
      if (!(error instanceof RegrainError)) throw error;
      this.missing.push(error);
    }
  }
}
