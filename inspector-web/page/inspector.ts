/**
 * What can be done on the page, whoever asks for it: a button, a key, or a link.
 */
import { difference, type Place, readPlace, type Tab } from "../shared/permalink.ts";
import {
  type Checked,
  CLOSED,
  type GivenFile,
  type Notice,
  type RepositoryPlace,
  type Searched,
  type View,
  type Wanted,
  type ZstdParts,
} from "../shared/protocol.ts";
import type { Landmarks } from "../shared/units.ts";
import { type Client, troubleOf } from "./client.ts";
import type { Folder } from "./folder.ts";
import type { GrainMap } from "./grain_map.ts";
import { EMPTY, type HexSource, knownAs, type PageState, type Store } from "./store.ts";
import { pathTo } from "./structure_path.ts";
import { NO_TABLES, tablesOf } from "./tables.ts";
import { searchWords } from "./words.ts";

const MAX_TROUBLES = 5;
const DAMAGE_AFTER_MS = 100;

export class Inspector {
  /** The map while it is mounted. */
  map: GrainMap | undefined;
  readonly #given: GivenFile[] = [];
  #linked: Partial<Place> = {};
  #opening = 0;
  #locating = 0;
  #damageTimer: ReturnType<typeof setTimeout> | undefined;

  /** The repository's, where it is not served. */
  #folder: Folder | undefined;
  #zstd: Promise<void> | undefined;

  /** @param unpackZstd Gives zstd, if the page has it; asked once, and only when a repository is opened. */
  constructor(
    readonly store: Store,
    readonly client: Client,
    private readonly unpackZstd: () => Promise<ZstdParts | undefined>,
  ) {}

  /**
   * Opens files in place of what is open, or together with it.
   *
   * @param leaf Index of the file whose chain is to be shown.
   */
  async open(files: readonly GivenFile[], together: boolean, leaf?: number): Promise<void> {
    if (files.length === 0) return;
    const opening = ++this.#opening;
    if (!together) this.#given.length = 0;
    const names = new Set(files.map(({ name }) => name));
    const kept = this.#given.filter(({ name }) => !names.has(name));
    this.#given.splice(0, this.#given.length, ...kept, ...files);
    const { tab } = this.store.state;
    this.#folder = undefined;
    this.store.set({ ...this.#emptied(), opening: true });
    try {
      const chosen = leaf === undefined ? {} : { leaf };
      const opened = await this.client.ask({ type: "open", files: [...this.#given], ...chosen });
      if (opening !== this.#opening) return;
      const known = knownAs(opened);
      const linked = this.#linked.known;
      const warning = linked && known ? difference(linked, known) : undefined;
      this.store.set({
        opened,
        opening: false,
        view: opened.start,
        warning,
        tab: opened.mapOnly ? "map" : tab,
      });
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

  /** Opens a repository in place of what is open, and the first of the snapshots, compared with the second. */
  async openRepository(place: Folder | RepositoryPlace, open: readonly string[] = []): Promise<void> {
    const opening = ++this.#opening;
    this.#given.length = 0;
    this.#folder = "provide" in place ? place : undefined;
    this.store.set({ ...this.#emptied(), opening: true });
    try {
      await (this.#zstd ??= this.#loadZstd());
      const named: RepositoryPlace = "url" in place
        ? { label: place.label, url: place.url }
        : { label: place.label };
      const repository = await this.client.ask({ type: "open-repository", place: named });
      if (opening !== this.#opening) return;
      this.store.set({ repository, opening: false });
      const [first, second] = open;
      if (first !== undefined) await this.openSnapshot(first, second);
    } catch (error) {
      if (opening !== this.#opening) return;
      this.store.set({ opening: false });
      this.fail(error);
    }
  }

  /** @param against The snapshot to compare with, unless it is the one before. */
  async openSnapshot(id: string, against?: string): Promise<void> {
    const opening = ++this.#opening;
    const { repository, tab } = this.store.state;
    this.store.set({ ...this.#emptied(), repository, tab, opening: true });
    try {
      const opened = await this.client.ask({ type: "open-snapshot", snapshot: id });
      if (opening !== this.#opening) return;
      const known = knownAs(opened);
      const linked = this.#linked.known;
      const warning = linked && known ? difference(linked, known) : undefined;
      this.store.set({ opened, opening: false, view: 0, warning });
      this.follow(this.#linked);
      this.#linked = {};
      this.#startScan();
      this.#ask();
      await this.compareWith(against ?? opened.snapshot?.against);
    } catch (error) {
      if (opening !== this.#opening) return;
      this.store.set({ opening: false });
      this.fail(error);
    }
  }

  /** Compares the snapshot that is shown with another one, or with nothing. */
  async compareWith(against: string | undefined): Promise<void> {
    const { opened } = this.store.state;
    try {
      const found = await this.client.ask({ type: "difference", against });
      if (this.store.state.opened !== opened) return;
      this.store.set({ difference: found });
      this.map?.refresh();
    } catch (error) {
      this.fail(error);
    }
  }

  async checkChunks(): Promise<void> {
    const { opened } = this.store.state;
    this.store.set({ checking: true, checked: undefined });
    try {
      const checked = await this.client.ask({ type: "check-chunks" });
      if (this.store.state.opened === opened) this.store.set({ checked });
    } catch (error) {
      this.fail(error);
    } finally {
      if (this.store.state.opened === opened) this.store.set({ checking: false });
    }
  }

  stopCheck(): void {
    this.client.ask({ type: "stop-check" }).catch((error) => this.fail(error));
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
    } else if (notice.notice === "wanted") void this.#provide(notice.question, notice.wanted);
    else if (notice.notice === "damaged") this.#showDamage();
    else if (notice.notice === "checked") this.#showChecked(notice.checked);
    else if (notice.notice === "compared") this.store.set({ compared: notice.compared });
    else if (notice.notice === "searched") this.#showSearched(notice.searched);
    else if (notice.notice === "scan" && notice.state.view === this.store.state.view) {
      this.store.set({ scan: notice.state });
      this.map?.refresh();
      if (notice.state.finished) this.#ask();
    }
  }

  choose(view: View): void {
    if (view === this.store.state.view) return;
    this.store.set({ view, scan: undefined, areas: undefined, byOwner: false, found: undefined });
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

  /** Looks for bytes from the cursor on, or behind it when it stands on what was found last. */
  async search(patterns: readonly Uint8Array[]): Promise<void> {
    const { view, hexSource, hexOffsetBytes, found, opened } = this.store.state;
    if (!opened || patterns.length === 0) return;
    const isAgain = hexSource === "disk" && found?.startBytes === hexOffsetBytes;
    const fromBytes = hexSource === "disk" ? hexOffsetBytes + (isAgain ? 1 : 0) : 0;
    this.store.set({ search: { running: true, searched: undefined, message: "" } });
    try {
      const answer = await this.client.ask({ type: "search", view, fromBytes, patterns });
      if (this.store.state.opened !== opened) return;
      const { foundBytes, lengthBytes } = answer;
      if (foundBytes !== undefined) {
        this.goTo(foundBytes);
        this.store.set({ found: { startBytes: foundBytes, lengthBytes } });
      }
      this.store.set({ search: { running: false, searched: undefined, message: searchWords(answer) } });
    } catch (error) {
      if (this.store.state.opened === opened) this.store.set({ search: EMPTY.search });
      this.fail(error);
    }
  }

  stopSearch(): void {
    this.client.ask({ type: "stop-search" }).catch((error) => this.fail(error));
  }

  /** @param around A byte whose entry is to be among those of a long table. */
  async loadStructure(file: string, around?: number): Promise<void> {
    const locating = ++this.#locating;
    if (this.store.state.structureFile !== file) {
      this.store.set({ structureFile: file, structure: undefined });
    }
    try {
      const place = around === undefined ? {} : { around };
      const structure = await this.client.ask({ type: "structure", file, ...place });
      if (locating === this.#locating) this.store.set({ structure });
    } catch (error) {
      this.fail(error);
    }
  }

  /** Sees to it that the structure that is kept names a byte of a file as exactly as it can. */
  async locate(file: string, offsetBytes: number): Promise<void> {
    const { structure, structureFile } = this.store.state;
    const known = structureFile === file && structure ? pathTo(structure, offsetBytes).at(-1) : undefined;
    if (!known || known.children.length > 0) await this.loadStructure(file, offsetBytes);
  }

  async compare(): Promise<void> {
    try {
      this.store.set({ compared: undefined });
      this.store.set({ compared: await this.client.ask({ type: "compare" }) });
    } catch (error) {
      this.fail(error);
    }
  }

  /** What places are said in terms of: of the disk that is shown, or of one link. */
  landmarks(of: View = this.store.state.view): Landmarks {
    const { opened, areas } = this.store.state;
    const link = opened?.links[of === "merged" ? 0 : of];
    const isMixed = of === "merged" && (opened?.links.length ?? 0) > 1;
    return {
      capacityBytes: (opened?.capacitySectors ?? 0) * 512,
      grainBytes: link?.grainBytes,
      tables: isMixed || !link ? NO_TABLES.merged : tablesOf(link),
      partitions: partitionStarts(areas),
    };
  }

  #allows(tab: Tab): boolean {
    return tab === "map" || tab === "chain" || this.store.state.opened?.mapOnly !== true;
  }

  /** The choices of the user outlast what is open. */
  #emptied(): PageState {
    const { theme, speedMbps, curve, tab, byChange } = this.store.state;
    return { ...EMPTY, theme, speedMbps, curve, tab, byChange };
  }

  async #loadZstd(): Promise<void> {
    const zstd = await this.unpackZstd();
    if (zstd) this.client.tell({ zstd });
  }

  async #provide(question: number, wanted: Wanted): Promise<void> {
    const provided = await this.#folder?.provide(wanted) ?? { reason: "the folder is not open any more" };
    this.client.tell({ question, provided });
  }

  #showChecked(checked: Checked): void {
    if (this.store.state.checking) this.store.set({ checked });
  }

  /** Many chunks may be found damaged at once. */
  #showDamage(): void {
    if (this.#damageTimer !== undefined) return;
    this.#damageTimer = setTimeout(() => {
      this.#damageTimer = undefined;
      this.map?.refresh();
      this.#askFindings();
    }, DAMAGE_AFTER_MS);
  }

  #showSearched(searched: Searched): void {
    const { search } = this.store.state;
    if (search.running) this.store.set({ search: { ...search, searched } });
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
    this.#askFindings();
  }

  #askFindings(): void {
    this.client.ask({ type: "findings" }).then(
      (findings) => this.store.set({ findings }),
      (error) => this.fail(error),
    );
  }
}

function partitionStarts(
  areas: { areas: readonly { kind: string; startBytes: number }[] } | undefined,
): number[] {
  return (areas?.areas ?? []).filter(({ kind }) => kind === "partition").map(({ startBytes }) => startBytes);
}
