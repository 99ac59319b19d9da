/**
 * What can be done on the page, whoever asks for it: a button, a key, or a link.
 */
import { difference, type Place, readPlace, type Tab } from "../shared/permalink.ts";
import { CLOSED, type GivenFile, type Notice, type View } from "../shared/protocol.ts";
import type { Landmarks } from "../shared/units.ts";
import { type Client, troubleOf } from "./client.ts";
import type { GrainMap } from "./grain_map.ts";
import { EMPTY, type HexSource, knownAs, type Store } from "./store.ts";

const MAX_TROUBLES = 5;

export class Inspector {
  /** The map while it is mounted. */
  map: GrainMap | undefined;
  readonly #given: GivenFile[] = [];
  #linked: Partial<Place> = {};
  #opening = 0;

  constructor(readonly store: Store, readonly client: Client) {}

  /** Opens files in place of what is open, or together with it. */
  async open(files: readonly GivenFile[], together: boolean): Promise<void> {
    if (files.length === 0) return;
    const opening = ++this.#opening;
    if (!together) this.#given.length = 0;
    const names = new Set(files.map(({ name }) => name));
    const kept = this.#given.filter(({ name }) => !names.has(name));
    this.#given.splice(0, this.#given.length, ...kept, ...files);
    const { theme, speedMbps, curve, tab } = this.store.state;
    this.store.set({ ...EMPTY, theme, speedMbps, curve, tab, opening: true });
    try {
      const opened = await this.client.ask({ type: "open", files: [...this.#given] });
      if (opening !== this.#opening) return;
      const known = knownAs(opened);
      const linked = this.#linked.known;
      const warning = linked && known ? difference(linked, known) : undefined;
      this.store.set({ opened, opening: false, view: 0, warning, tab: opened.mapOnly ? "map" : tab });
      this.follow(this.#linked);
      this.#linked = {};
      this.#startScan();
      this.#ask();
    } catch (error) {
      if (opening !== this.#opening) return;
      this.store.set({ opening: false });
      this.fail(error);
    }
  }

  /** Keeps what a link says until a file is open, or goes there at once. */
  readLink(hash: string): void {
    const place = readPlace(hash);
    const { opened } = this.store.state;
    if (opened) {
      const { view } = place;
      if (view === "merged" || (view !== undefined && view < opened.links.length)) this.choose(view);
      this.follow(place);
    } else {
      this.#linked = place;
      if (place.curve) this.store.set({ curve: place.curve });
      if (place.tab) this.store.set({ tab: place.tab });
    }
  }

  follow(place: Partial<Place>): void {
    const { opened, view } = this.store.state;
    if (!opened) return;
    const wanted = place.view ?? view;
    const exists = wanted === "merged" || wanted < opened.links.length;
    this.store.set({
      ...(exists && { view: wanted }),
      ...(place.curve && { curve: place.curve }),
      ...(place.tab && this.#allows(place.tab) && { tab: place.tab }),
    });
    const last = Math.max(0, opened.capacitySectors - 1);
    const sector = Math.min(last, Math.floor((place.offsetBytes ?? 0) / 512));
    if (place.offsetBytes !== undefined) {
      this.store.set({ cursorSector: sector, fromSector: sector, hexOffsetBytes: sector * 512 });
    }
    if (place.sectorsPerCell !== undefined) this.store.set({ sectorsPerCell: place.sectorsPerCell });
    if (place.sectorsPerCell !== undefined) this.map?.place(sector, place.sectorsPerCell);
  }

  fail(error: unknown): void {
    const trouble = troubleOf(error);
    if (trouble.code === CLOSED) return;
    const rest = this.store.state.troubles.filter(({ message }) => message !== trouble.message);
    this.store.set({ troubles: [trouble, ...rest].slice(0, MAX_TROUBLES) });
  }

  heard(notice: Notice): void {
    if (notice.notice === "trouble") {
      const rest = this.store.state.troubles.filter(({ message }) => message !== notice.trouble.message);
      this.store.set({ troubles: [notice.trouble, ...rest].slice(0, MAX_TROUBLES) });
    } else if (notice.notice === "compared") this.store.set({ compared: notice.compared });
    else if (notice.notice === "scan" && notice.state.view === this.store.state.view) {
      this.store.set({ scan: notice.state });
      this.map?.refresh();
      if (notice.state.finished) this.#ask();
    }
  }

  choose(view: View): void {
    if (view === this.store.state.view) return;
    this.store.set({ view, scan: undefined, areas: undefined, byOwner: false });
    this.#startScan();
    this.#ask();
  }

  showTab(tab: Tab): void {
    if (this.#allows(tab)) this.store.set({ tab });
  }

  /** Looks at a byte of the disk, on the map and in the bytes alike. */
  goTo(offsetBytes: number): void {
    const cursorSector = Math.floor(offsetBytes / 512);
    this.store.set({ cursorSector, hexOffsetBytes: offsetBytes, hexSource: "disk" });
    this.map?.point(cursorSector);
  }

  showBytes(source: HexSource, offsetBytes: number): void {
    this.store.set({ hexSource: source, hexOffsetBytes: offsetBytes });
    this.showTab("hex");
  }

  /** Goes to the next run that holds anything, or the one before. */
  async next(backwards: boolean): Promise<void> {
    const { view, cursorSector, opened } = this.store.state;
    if (!opened) return;
    try {
      const { sector } = await this.client.ask({ type: "next", view, sector: cursorSector, backwards });
      if (sector !== undefined) this.goTo(sector * 512);
    } catch (error) {
      this.fail(error);
    }
  }

  async loadStructure(file: string): Promise<void> {
    this.store.set({ structureFile: file, structure: undefined });
    try {
      const structure = await this.client.ask({ type: "structure", file });
      if (this.store.state.structureFile === file) this.store.set({ structure });
    } catch (error) {
      this.fail(error);
    }
  }

  async compare(): Promise<void> {
    try {
      this.store.set({ compared: undefined });
      this.store.set({ compared: await this.client.ask({ type: "compare" }) });
    } catch (error) {
      this.fail(error);
    }
  }

  landmarks(): Landmarks {
    const { opened, view, areas } = this.store.state;
    const link = opened?.links[view === "merged" ? 0 : view];
    return {
      capacityBytes: (opened?.capacitySectors ?? 0) * 512,
      grainBytes: link?.grainBytes,
      tableBytes: link && tableBytesOf(link),
      partitions: partitionStarts(areas),
    };
  }

  #allows(tab: Tab): boolean {
    return tab === "map" || tab === "chain" || this.store.state.opened?.mapOnly !== true;
  }

  #startScan(): void {
    const { view, fromSector } = this.store.state;
    this.client.ask({ type: "scan", view, fromSector }).catch((error) => this.fail(error));
  }

  /** Asks for what is told in tables; again at the end of a scan, since then it is exact. */
  #ask(): void {
    const { view } = this.store.state;
    this.client.ask({ type: "areas", view }).then((areas) => {
      if (this.store.state.view === view) this.store.set({ areas });
    }, (error) => this.fail(error));
    this.client.ask({ type: "findings" }).then(
      (findings) => this.store.set({ findings }),
      (error) => this.fail(error),
    );
  }
}

interface Gridded {
  readonly format: string;
  readonly grainBytes: number | undefined;
  readonly files: readonly { readonly facts: Readonly<Record<string, string | number | boolean>> }[];
}

/** Entries in a grain table of a COWD extent (fixed by the format). */
const COWD_TABLE_ENTRIES = 4096;

/** Bytes of the disk that one grain table covers; undefined for disks without tables. */
export function tableBytesOf({ format, grainBytes, files }: Gridded): number | undefined {
  if (grainBytes === undefined) return undefined;
  for (const { facts } of files) {
    if (typeof facts.numGTEsPerGT === "number") return facts.numGTEsPerGT * grainBytes;
  }
  return /cowd/i.test(format) ? COWD_TABLE_ENTRIES * grainBytes : undefined;
}

function partitionStarts(
  areas: { areas: readonly { kind: string; startBytes: number }[] } | undefined,
): number[] {
  return (areas?.areas ?? []).filter(({ kind }) => kind === "partition").map(({ startBytes }) => startBytes);
}
