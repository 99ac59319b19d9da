/** What the worker tells: its answers under their numbers, troubles, and what nobody asked for. */
import type { Checked, Compared, ScanState, Searched, Surveyed } from "./progress.ts";

export type Told =
  | { readonly id: number; readonly ok: true; readonly answer: unknown }
  | { readonly id: number; readonly ok: false; readonly trouble: Trouble }
  | Notice;

/** An error in words, from a `RegrainError` or from the browser. */
export interface Trouble {
  readonly code: string;
  readonly message: string;
  readonly path: string | undefined;
  readonly offsetBytes: number | undefined;
  readonly hint: string | undefined;
}

/** Code of a trouble with something asked of a disk that is no longer open, or given up for something newer. */
export const CLOSED = "CLOSED";

/** What the worker tells unasked. */
export type Notice =
  | { readonly notice: "ready" }
  | { readonly notice: "scan"; readonly state: ScanState }
  | { readonly notice: "compared"; readonly compared: Compared }
  | { readonly notice: "searched"; readonly searched: Searched }
  | { readonly notice: "surveyed"; readonly surveyed: Surveyed }
  | { readonly notice: "checked"; readonly checked: Checked }
  /** A chunk was found damaged: the map and the findings have changed. */
  | { readonly notice: "damaged" }
  /** A question of the worker, which the page answers with a `Reply`. */
  | { readonly notice: "wanted"; readonly question: number; readonly wanted: Wanted }
  /** A file vanished or changed while it was open. */
  | { readonly notice: "trouble"; readonly trouble: Trouble };

/** What the worker wants of the folder: an object by its key, or all whose keys start so. */
export interface Wanted {
  /** Number of the folder, as the page gave it with the repository. */
  readonly folder: number;
  readonly what: "object" | "list";
  readonly key: string;
}
