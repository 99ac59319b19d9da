/** Where the page looks: which view, which tab, which place, and the link that says so. */
import { difference, type Place, readPlace, type Tab } from "../../shared/permalink.ts";
import type { Opened, View } from "../../shared/protocol.ts";
import type { Landmarks } from "../../shared/units.ts";
import type { Desk } from "./desk.ts";
import { type HexSource, knownAs } from "../model/store.ts";
import { NO_TABLES, tablesOf } from "../model/tables.ts";
import { linkOf, viewsOf } from "../model/words.ts";

export class Navigation {
  #linked: Partial<Place> = {};
  /** Steps to the next change, one after the other. */
  #steps: Promise<void> = Promise.resolve();
  /** Another one when those that wait are given up. */
  #turn = 0;

  constructor(private readonly desk: Desk) {}

  /** Keeps what a link says until a file is open, or goes there at once. */
  readLink(hash: string): void {
    const place = readPlace(hash);
    const { opened } = this.desk.store.state;
    if (opened) {
      const { view } = place;
      if (view !== undefined && viewsOf(opened).includes(view)) this.choose(view);
      this.follow(place);
    } else {
      this.#linked = place;
      if (place.curve) this.desk.store.set({ curve: place.curve });
      if (place.tab) this.desk.store.set({ tab: place.tab });
    }
  }

  /** What to say when the link was made for another file than was opened. */
  warningFor(opened: Opened): string | undefined {
    const known = knownAs(opened);
    const linked = this.#linked.known;
    return linked && known ? difference(linked, known) : undefined;
  }

  /** Goes where the link says that was kept, once. */
  followLink(): void {
    this.follow(this.#linked);
    this.#linked = {};
  }

  follow(place: Partial<Place>): void {
    const { opened, view } = this.desk.store.state;
    if (!opened) return;
    const wanted = place.view ?? view;
    const exists = viewsOf(opened).includes(wanted);
    this.desk.store.set({
      ...(exists && { view: wanted }),
      ...(place.curve && { curve: place.curve }),
      ...(place.tab && this.#allows(place.tab) && { tab: place.tab }),
    });
    const last = Math.max(0, opened.capacitySectors - 1);
    const sector = Math.min(last, Math.floor((place.offsetBytes ?? 0) / 512));
    if (place.offsetBytes !== undefined) {
      // A link to a byte leads to that byte, as the next change does.
      const hexOffsetBytes = Math.min(place.offsetBytes, opened.capacitySectors * 512 - 1);
      this.desk.store.set({ cursorSector: sector, fromSector: sector, hexOffsetBytes });
    }
    if (place.sectorsPerCell !== undefined) this.desk.store.set({ sectorsPerCell: place.sectorsPerCell });
    if (place.sectorsPerCell !== undefined) this.desk.map?.place(sector, place.sectorsPerCell);
  }

  choose(view: View): void {
    if (view === this.desk.store.state.view) return;
    this.desk.store.set({ view, scan: undefined, areas: undefined, byOwner: false, found: undefined });
    this.desk.startScan();
    this.desk.askTables();
  }

  showTab(tab: Tab): void {
    if (this.#allows(tab)) this.desk.store.set({ tab });
  }

  /** Looks at a byte of the disk, on the map and in the bytes alike. */
  goTo(offsetBytes: number): void {
    const cursorSector = Math.floor(offsetBytes / 512);
    this.desk.store.set({ cursorSector, hexOffsetBytes: offsetBytes, hexSource: "disk" });
    this.desk.map?.point(cursorSector);
  }

  showBytes(source: HexSource, offsetBytes: number): void {
    this.desk.store.set({ hexSource: source, hexOffsetBytes: offsetBytes });
    this.showTab("hex");
  }

  /** Goes to the next changed byte, or the one before. Each press is a step of its own, however fast they come. */
  next(backwards: boolean): void {
    const { opened, steps } = this.desk.store.state;
    if (!opened) return;
    this.desk.store.set({ steps: { waiting: steps.waiting + 1, message: "" } });
    const turn = this.#turn;
    this.#steps = this.#steps.then(async () => {
      if (turn === this.#turn && opened === this.desk.store.state.opened) await this.#step(backwards);
    });
  }

  /** Forgets the steps that are still to be made. */
  stopSteps(): void {
    if (this.desk.store.state.steps.waiting === 0) return;
    this.#turn++;
    this.desk.store.set({ steps: { waiting: 0, message: "stopped" } });
    this.desk.client.ask({ type: "stop-next" }).catch((error) => this.desk.fail(error));
  }

  async #step(backwards: boolean): Promise<void> {
    const turn = this.#turn;
    const { opened, view, cursorSector, hexSource, hexOffsetBytes } = this.desk.store.state;
    const isInSector = hexSource === "disk" && Math.floor(hexOffsetBytes / 512) === cursorSector;
    const fromBytes = isInSector ? hexOffsetBytes : cursorSector * 512;
    let message = "";
    try {
      const { offsetBytes } = await this.desk.client.ask({ type: "next", view, fromBytes, backwards });
      if (turn !== this.#turn || this.desk.store.state.opened !== opened) return;
      if (offsetBytes === undefined) message = backwards ? "no change before this" : "no further change";
      else this.goTo(offsetBytes);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.desk.fail(error);
    }
    const { waiting } = this.desk.store.state.steps;
    this.desk.store.set({ steps: { waiting: Math.max(0, waiting - 1), message } });
  }

  /** What places are said in terms of: of the disk that is shown, or of one link. */
  landmarks(of: View = this.desk.store.state.view): Landmarks {
    const { opened, areas } = this.desk.store.state;
    const link = linkOf(opened, of);
    const isMixed = typeof of !== "number" && (opened?.links.length ?? 0) > 1;
    return {
      capacityBytes: (opened?.capacitySectors ?? 0) * 512,
      grainBytes: link?.grainBytes,
      tables: isMixed || !link ? NO_TABLES.merged : tablesOf(link),
      partitions: partitionStarts(areas),
    };
  }

  #allows(tab: Tab): boolean {
    return tab === "map" || tab === "chain" || this.desk.store.state.opened?.mapOnly !== true;
  }
}

function partitionStarts(
  areas: { areas: readonly { kind: string; startBytes: number }[] } | undefined,
): number[] {
  return (areas?.areas ?? []).filter(({ kind }) => kind === "partition").map(({ startBytes }) => startBytes);
}
