/** The map of a new snapshot: the pages of its parent, of which only those that change are loaded. */
import { Buffer } from "node:buffer";
import {
  contentId,
  contentRoot,
  entriesOfPage,
  MapPage,
  PAGE_ENTRIES,
  pageCount,
  type PageReference,
  sha256Hex,
  type Snapshot,
} from "../../../core-as/host/repo/mod.ts";
import type { ContentWriter, Stored } from "./content_writer.ts";
import type { Repository } from "../repository.ts";

interface LoadedPage {
  readonly page: MapPage;
  /** As the parent has it; `undefined` when there is none. */
  readonly before: MapPage | undefined;
}

export class MapBuilder {
  private readonly loaded: (LoadedPage | undefined)[] = [];

  private readonly parent: Snapshot | undefined;
  /** Of a stream: what was seen of it so far. */
  private sizeBytes: number;

  /** @param of The snapshot whose chunks stand where no other is set, else zeros; and the size, if it is known. */
  constructor(
    private readonly repository: Repository,
    private readonly chunkBytes: number,
    of: { readonly parent: Snapshot | undefined; readonly sizeBytes: number | undefined },
  ) {
    this.parent = of.parent;
    this.sizeBytes = of.sizeBytes ?? 0;
    this.isOpen = of.sizeBytes === undefined;
  }

  /** True while the size is not known: pages are made whole then. */
  private readonly isOpen: boolean;

  get disk(): { readonly sizeBytes: number; readonly chunkBytes: number } {
    return { sizeBytes: this.sizeBytes, chunkBytes: this.chunkBytes };
  }

  /** Says where a stream ends, as far as is known. */
  end(sizeBytes: number): void {
    this.sizeBytes = sizeBytes;
  }

  get pages(): number {
    return pageCount(this.disk);
  }

  /** Makes the entries of a page known; to be called before they are asked for or set. */
  async load(index: number): Promise<MapPage> {
    const loaded = this.loaded[index];
    if (loaded !== undefined) return loaded.page;
    const before = this.parent?.pages[index] ? await this.repository.readPage(this.parent, index) : undefined;
    const page = before?.copy() ??
      MapPage.empty(this.isOpen ? PAGE_ENTRIES : entriesOfPage(this.disk, index));
    this.loaded[index] = { page, before };
    return page;
  }

  /** The entry of a chunk whose page is loaded. */
  get(chunk: number): Stored | undefined {
    return this.pageOf(chunk).get(chunk % PAGE_ENTRIES);
  }

  set(chunk: number, entry: Stored | undefined): void {
    this.pageOf(chunk).set(chunk % PAGE_ENTRIES, entry);
  }

  /** Chunks that are not zeros: those of the parent, and what the loaded pages have more or less. */
  countChunks(): number {
    let count = this.parent?.stats.chunks ?? 0;
    for (const loaded of this.loaded) {
      if (loaded === undefined) continue;
      count += usedEntries(loaded.page) - (loaded.before === undefined ? 0 : usedEntries(loaded.before));
    }
    return count;
  }

  /** Stores what changed of the map. */
  async finish(writer: ContentWriter): Promise<{ pages: (PageReference | null)[]; root: string }> {
    const pages: (PageReference | null)[] = [];
    for (let i = 0; i < this.pages; i++) pages.push(await this.finishPage(i, writer));
    return { pages, root: await contentRoot(pages) };
  }

  private async finishPage(index: number, writer: ContentWriter): Promise<PageReference | null> {
    const reference = this.parent?.pages[index] ?? null;
    const mayKeep = reference === null || writer.mayUse("maps", reference);
    const loaded = this.loaded[index];
    if (loaded === undefined && mayKeep) return reference;
    const page = (loaded?.page ?? await this.load(index)).first(entriesOfPage(this.disk, index));
    if (page.isEmpty()) return null;
    if (mayKeep && reference !== null && sameBytes(page, this.loaded[index]?.before)) return reference;
    return await this.storePage(page, writer);
  }

  private async storePage(page: MapPage, writer: ContentWriter): Promise<PageReference> {
    const { means } = this.repository;
    const id = await contentId(page.bytes, means.keys);
    const { generation } = await writer.ensure("maps", id, async (key) => {
      const packed = means.codec.compress(page.bytes);
      return means.keys === undefined ? packed : await means.keys.encrypt(key, packed);
    });
    return { id, generation, content: await sha256Hex(page.content()) };
  }

  private pageOf(chunk: number): MapPage {
    return this.loaded[Math.floor(chunk / PAGE_ENTRIES)]!.page;
  }
}

function usedEntries(page: MapPage): number {
  let count = 0;
  for (let i = 0; i < page.entries; i++) if (!page.isZero(i)) count++;
  return count;
}

function sameBytes(a: MapPage, b: MapPage | undefined): boolean {
  return b !== undefined && Buffer.compare(a.bytes, b.bytes) === 0;
}
