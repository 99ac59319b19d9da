/**
 * What can be done on the page, whoever asks for it: a button, a key, or a link.
 */
import type { Notice } from "../../shared/protocol.ts";
import type { Client } from "../model/client.ts";
import { Desk } from "./desk.ts";
import { LongWork } from "./long_work.ts";
import { Navigation } from "./navigation.ts";
import { Opening, type UnpackZstd } from "./opening.ts";
import type { Store } from "../model/store.ts";
import { StructureLoader } from "./structure_loader.ts";

const DAMAGE_AFTER_MS = 100;

export class Inspector extends Desk {
  readonly navigation = new Navigation(this);
  readonly work = new LongWork(this, this.navigation);
  readonly structure = new StructureLoader(this);
  readonly opening: Opening;
  #damageTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(store: Store, client: Client, unpackZstd: UnpackZstd) {
    super(store, client);
    this.opening = new Opening(this, this.navigation, this.work, unpackZstd);
  }

  heard(notice: Notice): void {
    if (notice.notice === "trouble") this.showTrouble(notice.trouble);
    else if (notice.notice === "wanted") void this.opening.provide(notice.question, notice.wanted);
    else if (notice.notice === "damaged") this.#showDamage();
    else if (notice.notice === "checked") this.work.showChecked(notice.checked);
    else if (notice.notice === "compared") this.store.set({ compared: notice.compared });
    else if (notice.notice === "surveyed") this.store.set({ surveyed: notice.surveyed });
    else if (notice.notice === "searched") this.work.showSearched(notice.searched);
    else if (notice.notice === "scan" && notice.state.view === this.store.state.view) {
      this.store.set({ scan: notice.state });
      this.map?.refresh();
      if (notice.state.finished) this.askTables();
    }
  }

  /** Many chunks may be found damaged at once. */
  #showDamage(): void {
    if (this.#damageTimer !== undefined) return;
    this.#damageTimer = setTimeout(() => {
      this.#damageTimer = undefined;
      // Of a snapshot the scan goes on and marks what is found; of a disk it begins again.
      if (!this.store.state.opened?.snapshot) this.startScan();
      this.map?.refresh();
      this.askFindings();
    }, DAMAGE_AFTER_MS);
  }
}
