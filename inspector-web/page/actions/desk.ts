/** What all that is done on the page shares: what it knows, whom it asks, the map, and what it says when it fails. */
import { CLOSED, type Trouble } from "../../shared/protocol.ts";
import { type Client, troubleOf } from "../model/client.ts";
import type { DiskMap } from "./disk_map.ts";
import type { Store } from "../model/store.ts";

const MAX_TROUBLES = 5;

export class Desk {
  /** The map while it is mounted. */
  map: DiskMap | undefined;

  constructor(readonly store: Store, readonly client: Client) {}

  fail(error: unknown): void {
    const trouble = troubleOf(error);
    if (trouble.code !== CLOSED) this.showTrouble(trouble);
  }

  showTrouble(trouble: Trouble): void {
    const rest = this.store.state.troubles.filter(({ message }) => message !== trouble.message);
    this.store.set({ troubles: [trouble, ...rest].slice(0, MAX_TROUBLES) });
  }

  startScan(): void {
    const { view, fromSector } = this.store.state;
    this.client.ask({ type: "scan", view, fromSector }).catch((error) => this.fail(error));
  }

  /** Asks for what is told in tables; again at the end of a scan, since then it is exact. */
  askTables(): void {
    const { view } = this.store.state;
    this.client.ask({ type: "areas", view }).then((areas) => {
      if (this.store.state.view === view) this.store.set({ areas });
    }, (error) => this.fail(error));
    this.askFindings();
  }

  askJudgement(): void {
    const { opened } = this.store.state;
    this.client.ask({ type: "judgement" }).then((judgement) => {
      if (this.store.state.opened === opened) this.store.set({ judgement, surveyed: undefined });
    }, (error) => this.fail(error));
  }

  askFindings(): void {
    this.client.ask({ type: "findings" }).then(
      (findings) => this.store.set({ findings }),
      (error) => this.fail(error),
    );
  }
}
