/** Work of the worker that takes long and tells how far it is: searches, comparisons, the check of all chunks. */
import type { Checked, Searched } from "../../shared/protocol.ts";
import type { Desk } from "./desk.ts";
import type { Navigation } from "./navigation.ts";
import { EMPTY } from "../model/store.ts";
import { searchWords } from "../model/words.ts";

export class LongWork {
  constructor(private readonly desk: Desk, private readonly navigation: Navigation) {}

  /** Looks for bytes from the cursor on, or behind it when it stands on what was found last. */
  async search(patterns: readonly Uint8Array[]): Promise<void> {
    const { view, hexSource, hexOffsetBytes, found, opened } = this.desk.store.state;
    if (!opened || patterns.length === 0) return;
    const isAgain = hexSource === "disk" && found?.startBytes === hexOffsetBytes;
    const fromBytes = hexSource === "disk" ? hexOffsetBytes + (isAgain ? 1 : 0) : 0;
    this.desk.store.set({ search: { running: true, searched: undefined, message: "" } });
    try {
      const answer = await this.desk.client.ask({ type: "search", view, fromBytes, patterns });
      if (this.desk.store.state.opened !== opened) return;
      const { foundBytes, lengthBytes } = answer;
      if (foundBytes !== undefined) {
        this.navigation.goTo(foundBytes);
        this.desk.store.set({ found: { startBytes: foundBytes, lengthBytes } });
      }
      this.desk.store.set({ search: { running: false, searched: undefined, message: searchWords(answer) } });
    } catch (error) {
      if (this.desk.store.state.opened === opened) this.desk.store.set({ search: EMPTY.search });
      this.desk.fail(error);
    }
  }

  stopSearch(): void {
    this.desk.client.ask({ type: "stop-search" }).catch((error) => this.desk.fail(error));
  }

  async compare(): Promise<void> {
    try {
      this.desk.store.set({ compared: undefined });
      this.desk.store.set({ compared: await this.desk.client.ask({ type: "compare" }) });
    } catch (error) {
      this.desk.fail(error);
    }
  }

  /** Compares the snapshot that is shown with another one, or with nothing. */
  async compareWith(against: string | undefined): Promise<void> {
    const { opened } = this.desk.store.state;
    try {
      const found = await this.desk.client.ask({ type: "difference", against });
      if (this.desk.store.state.opened !== opened) return;
      this.desk.store.set({ difference: found });
      this.desk.map?.refresh();
    } catch (error) {
      this.desk.fail(error);
    }
  }

  async checkChunks(): Promise<void> {
    const { opened } = this.desk.store.state;
    this.desk.store.set({ checking: true, checked: undefined });
    try {
      const checked = await this.desk.client.ask({ type: "check-chunks" });
      if (this.desk.store.state.opened === opened) this.desk.store.set({ checked });
    } catch (error) {
      this.desk.fail(error);
    } finally {
      if (this.desk.store.state.opened === opened) this.desk.store.set({ checking: false });
    }
  }

  stopCheck(): void {
    this.desk.client.ask({ type: "stop-check" }).catch((error) => this.desk.fail(error));
  }

  showSearched(searched: Searched): void {
    const { search } = this.desk.store.state;
    if (search.running) this.desk.store.set({ search: { ...search, searched } });
  }

  showChecked(checked: Checked): void {
    if (this.desk.store.state.checking) this.desk.store.set({ checked });
  }
}
