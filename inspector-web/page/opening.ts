/** Opening files, repositories and their snapshots. What was asked for last is what the page shows. */
import type { GivenFile, Opened, RepositoryPlace, Wanted, ZstdParts } from "../shared/protocol.ts";
import type { Desk } from "./desk.ts";
import type { Folder } from "./folder.ts";
import type { LongWork } from "./long_work.ts";
import type { Navigation } from "./navigation.ts";
import { EMPTY, type PageState } from "./store.ts";

/** Gives zstd, if the page has it; asked once, and only when a repository is opened. */
export type UnpackZstd = () => Promise<ZstdParts | undefined>;

export class Opening {
  readonly #given: GivenFile[] = [];
  #opening = 0;
  /** The repository's, where it is not served. */
  #folder: Folder | undefined;
  #zstd: Promise<void> | undefined;

  constructor(
    private readonly desk: Desk,
    private readonly navigation: Navigation,
    private readonly work: LongWork,
    private readonly unpackZstd: UnpackZstd,
  ) {}

  /**
   * Opens files in place of what is open, or together with it.
   *
   * @param leaf Index of the file whose chain is to be shown.
   */
  async openFiles(files: readonly GivenFile[], together: boolean, leaf?: number): Promise<void> {
    if (files.length === 0) return;
    const opening = ++this.#opening;
    if (!together) this.#given.length = 0;
    const names = new Set(files.map(({ name }) => name));
    const kept = this.#given.filter(({ name }) => !names.has(name));
    this.#given.splice(0, this.#given.length, ...kept, ...files);
    const { tab } = this.desk.store.state;
    this.#folder = undefined;
    this.desk.store.set({ ...this.#emptied(), opening: true });
    try {
      const chosen = leaf === undefined ? {} : { leaf };
      const opened = await this.desk.client.ask({ type: "open", files: [...this.#given], ...chosen });
      if (opening !== this.#opening) return;
      this.#show(opened, { view: opened.start, tab: opened.mapOnly ? "map" : tab });
    } catch (error) {
      this.#giveUp(opening, error);
    }
  }

  /** Opens a repository in place of what is open, and the first of the snapshots, compared with the second. */
  async openRepository(place: Folder | RepositoryPlace, open: readonly string[] = []): Promise<void> {
    const opening = ++this.#opening;
    this.#given.length = 0;
    this.#folder = "provide" in place ? place : undefined;
    this.desk.store.set({ ...this.#emptied(), opening: true });
    try {
      await (this.#zstd ??= this.#loadZstd());
      const named: RepositoryPlace = "url" in place
        ? { label: place.label, url: place.url }
        : { label: place.label };
      const repository = await this.desk.client.ask({ type: "open-repository", place: named });
      if (opening !== this.#opening) return;
      this.desk.store.set({ repository, opening: false });
      const [first, second] = open;
      if (first !== undefined) await this.openSnapshot(first, second);
    } catch (error) {
      this.#giveUp(opening, error);
    }
  }

  /** @param against The snapshot to compare with, unless it is the one before. */
  async openSnapshot(id: string, against?: string): Promise<void> {
    const opening = ++this.#opening;
    const { repository, tab } = this.desk.store.state;
    this.desk.store.set({ ...this.#emptied(), repository, tab, opening: true });
    try {
      const opened = await this.desk.client.ask({ type: "open-snapshot", snapshot: id });
      if (opening !== this.#opening) return;
      this.#show(opened, { view: 0 });
      await this.work.compareWith(against ?? opened.snapshot?.against);
    } catch (error) {
      this.#giveUp(opening, error);
    }
  }

  async provide(question: number, wanted: Wanted): Promise<void> {
    const provided = await this.#folder?.provide(wanted) ?? { reason: "the folder is not open any more" };
    this.desk.client.tell({ question, provided });
  }

  /** The choices of the user outlast what is open. */
  #emptied(): PageState {
    const { theme, speedMbps, curve, tab, byChange } = this.desk.store.state;
    return { ...EMPTY, theme, speedMbps, curve, tab, byChange };
  }

  async #loadZstd(): Promise<void> {
    const zstd = await this.unpackZstd();
    if (zstd) this.desk.client.tell({ zstd });
  }

  #show(opened: Opened, look: Partial<PageState>): void {
    const warning = this.navigation.warningFor(opened);
    this.desk.store.set({ opened, opening: false, warning, ...look });
    this.navigation.followLink();
    this.desk.startScan();
    this.desk.askTables();
  }

  #giveUp(opening: number, error: unknown): void {
    if (opening !== this.#opening) return;
    this.desk.store.set({ opening: false });
    this.desk.fail(error);
  }
}
