/**
 * Opening files, repositories and their snapshots. What was asked for last is what the page shows. Until it is open,
 * and when it cannot be opened, what was open before stays.
 */
import type {
  GivenFile,
  Opened,
  Provided,
  RepositoryFacts,
  RepositoryPlace,
  Wanted,
  ZstdParts,
} from "../../shared/protocol.ts";
import type { Desk } from "./desk.ts";
import type { LongWork } from "./long_work.ts";
import type { Navigation } from "./navigation.ts";
import { EMPTY, type PageState } from "../model/store.ts";

/** A folder whose files the page looks up for the worker, which cannot. */
export interface Folder {
  readonly label: string;
  provide(wanted: Wanted): Promise<Provided>;
}

/** Gives zstd, if the page has it; asked once, and only when a repository is opened. */
export type UnpackZstd = () => Promise<ZstdParts | undefined>;

export class Opening {
  #given: readonly GivenFile[] = [];
  #opening = 0;
  /** The folder of the open repository, and the one of a repository that is being opened. */
  readonly #folders = new Map<number, Folder>();
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
    const opening = this.#begin();
    const names = new Set(files.map(({ name }) => name));
    const kept = together ? this.#given.filter(({ name }) => !names.has(name)) : [];
    const given = [...kept, ...files];
    try {
      const chosen = leaf === undefined ? {} : { leaf };
      const opened = await this.desk.client.ask({ type: "open", files: given, ...chosen });
      // What was dropped while this was opened may yet be refused: then this is what stays.
      this.#given = given;
      this.#forgetFoldersBefore(opening);
      if (opening !== this.#opening) return this.#showStill(opened);
      this.#show(opened);
    } catch (error) {
      this.#giveUp(opening, error);
    }
  }

  /** Opens a repository in place of what is open, and the first of the snapshots, compared with the second. */
  async openRepository(place: Folder | RepositoryPlace, open: readonly string[] = []): Promise<void> {
    const opening = this.#begin();
    if ("provide" in place) this.#folders.set(opening, place);
    try {
      await (this.#zstd ??= this.#loadZstd());
      const named: RepositoryPlace = "url" in place
        ? { label: place.label, url: place.url }
        : { label: place.label, folder: opening };
      const repository = await this.desk.client.ask({ type: "open-repository", place: named });
      this.#given = [];
      this.#forgetFoldersBefore(opening);
      this.desk.store.set({ ...this.#emptied(), repository, opening: opening !== this.#opening });
      if (opening !== this.#opening) return;
      const [first, second] = open;
      if (first !== undefined) await this.openSnapshot(first, second);
    } catch (error) {
      this.#giveUp(opening, error);
    }
  }

  /** @param against The snapshot to compare with, unless it is the one before. */
  async openSnapshot(id: string, against?: string): Promise<void> {
    const opening = this.#begin();
    const { repository } = this.desk.store.state;
    try {
      const opened = await this.desk.client.ask({ type: "open-snapshot", snapshot: id });
      if (opening !== this.#opening) return this.#showStill(opened, repository);
      this.#show(opened, repository);
      await this.work.compareWith(against ?? opened.snapshot?.against);
    } catch (error) {
      this.#giveUp(opening, error);
    }
  }

  async provide(question: number, wanted: Wanted): Promise<void> {
    const folder = this.#folders.get(wanted.folder);
    const provided = await folder?.provide(wanted) ?? { reason: "the folder is not open any more" };
    this.desk.client.tell({ question, provided });
  }

  /** @returns The number of this opening: what is asked for later has a higher one. */
  #begin(): number {
    this.desk.store.set({ opening: true, troubles: [], warning: undefined });
    return ++this.#opening;
  }

  #forgetFoldersBefore(opening: number): void {
    for (const folder of this.#folders.keys()) if (folder < opening) this.#folders.delete(folder);
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

  #show(opened: Opened, repository?: RepositoryFacts): void {
    const warning = this.navigation.warningFor(opened);
    this.desk.store.set({ ...this.#emptied(), ...lookAt(opened), repository, warning });
    this.navigation.followLink();
    this.#look();
  }

  /** The worker has opened it, and something newer was asked for: it is shown until that is open. */
  #showStill(opened: Opened, repository?: RepositoryFacts): void {
    const { opening, troubles } = this.desk.store.state;
    this.desk.store.set({ ...this.#emptied(), ...lookAt(opened), repository, opening, troubles });
    this.#look();
  }

  #look(): void {
    this.desk.startScan();
    this.desk.askTables();
    this.desk.askJudgement();
  }

  #giveUp(opening: number, error: unknown): void {
    if (opening !== this.#opening) return;
    this.#folders.delete(opening);
    this.desk.store.set({ opening: false });
    this.desk.fail(error);
  }
}

/** What is shown first of something that was just opened. */
function lookAt(opened: Opened): Partial<PageState> {
  return { opened, view: opened.start, ...(opened.mapOnly && { tab: "map" }) };
}
