/**
 * All that the page knows, in one place: panels read a snapshot and are told when there is a new one.
 */
import type { CurveName } from "../../shared/curve.ts";
import type { ThemeName } from "../../shared/palette.ts";
import { type Known, type Place, type Tab, writePlace } from "../../shared/permalink.ts";
import type {
  Answers,
  ByteRange,
  Checked,
  Compared,
  Difference,
  JudgementFacts,
  Opened,
  RepositoryFacts,
  ScanState,
  Searched,
  StructureNode,
  Surveyed,
  Trouble,
  View,
} from "../../shared/protocol.ts";

/** What the hex view shows: the disk that is looked at, or a file as it is. */
export type HexSource = "disk" | { readonly file: string };

/** A search as the page shows it. */
export interface SearchState {
  readonly running: boolean;
  readonly searched: Searched | undefined;
  /** How the last one ended. */
  readonly message: string;
}

/** Steps to the next change: how many are still to be made, and how the last one ended. */
export interface StepState {
  readonly waiting: number;
  readonly message: string;
}

export interface PageState {
  readonly opening: boolean;
  readonly opened: Opened | undefined;
  /** The repository that is open, with or without a snapshot of it. */
  readonly repository: RepositoryFacts | undefined;
  /** How the snapshot that is shown differs from another one. */
  readonly difference: Difference | undefined;
  readonly checked: Checked | undefined;
  readonly checking: boolean;
  readonly view: View;
  readonly tab: Tab;
  readonly scan: ScanState | undefined;
  readonly areas: Answers["areas"] | undefined;
  readonly findings: Answers["findings"] | undefined;
  readonly compared: Compared | undefined;
  /** When all tables were read; before that `opened` has what is known at once. */
  readonly judgement: JudgementFacts | undefined;
  /** How far the tables are read for it. */
  readonly surveyed: Surveyed | undefined;
  readonly structure: StructureNode | undefined;
  readonly structureFile: string | undefined;
  /** Newest first. */
  readonly troubles: readonly Trouble[];
  /** Says that a link was made for another file. */
  readonly warning: string | undefined;
  readonly curve: CurveName;
  readonly byOwner: boolean;
  /** A snapshot is coloured by what is new in it. */
  readonly byChange: boolean;
  /** What the user chose; undefined follows the system. */
  readonly theme: ThemeName | undefined;
  readonly fromSector: number;
  readonly sectorsPerCell: number;
  readonly visibleSectors: number;
  readonly cursorSector: number;
  readonly hexSource: HexSource;
  readonly hexOffsetBytes: number;
  readonly search: SearchState;
  readonly steps: StepState;
  /** What the last search found. */
  readonly found: ByteRange | undefined;
  readonly speedMbps: number;
}

export const EMPTY: PageState = {
  opening: false,
  opened: undefined,
  repository: undefined,
  difference: undefined,
  checked: undefined,
  checking: false,
  view: 0,
  tab: "map",
  scan: undefined,
  areas: undefined,
  findings: undefined,
  compared: undefined,
  judgement: undefined,
  surveyed: undefined,
  structure: undefined,
  structureFile: undefined,
  troubles: [],
  warning: undefined,
  curve: "rows",
  byOwner: false,
  byChange: true,
  theme: undefined,
  fromSector: 0,
  sectorsPerCell: 0,
  visibleSectors: 0,
  cursorSector: 0,
  hexSource: "disk",
  hexOffsetBytes: 0,
  steps: { waiting: 0, message: "" },
  search: { running: false, searched: undefined, message: "" },
  found: undefined,
  speedMbps: 200,
};

export class Store {
  readonly #listeners = new Set<() => void>();
  #state = EMPTY;

  get state(): PageState {
    return this.#state;
  }

  set(change: Partial<PageState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }

  /** @returns What ends the subscription. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** By what the newest link is known again. */
export function knownAs(opened: Opened): Known | undefined {
  const link = opened.links[0];
  return link && { name: link.name, sizeBytes: link.files[0]?.sizeBytes ?? 0, cid: link.cid };
}

/** The part of the address behind `#` for what is looked at; empty while nothing is open. */
export function hashOf(state: PageState): string {
  if (!state.opened) return "";
  const known = knownAs(state.opened);
  const place: Partial<Place> = {
    tab: state.tab,
    offsetBytes: state.tab === "hex" ? state.hexOffsetBytes : state.fromSector * 512,
    ...(state.sectorsPerCell > 0 && { sectorsPerCell: state.sectorsPerCell }),
    curve: state.curve,
    view: state.view,
    ...(known && { known }),
  };
  return writePlace(place);
}
