/** The map of the disk that is shown, as the rest of the page knows it. */

/** A map on the page: there is one while its tab is shown. */
export interface DiskMap {
  /** Shows the disk from a sector on, with so many sectors in a cell, as a link says it. */
  place(fromSector: number, sectorsPerCell: number): void;
  /** Puts the cursor on a sector and brings it into sight. */
  point(sector: number): void;
  /** Shows a stretch of the disk as large as possible. */
  zoomTo(startSector: number, sectors: number): void;
  zoomBy(way: "in" | "out"): void;
  /** Shows the whole disk. */
  fit(): void;
  /** Pans by parts of what is in sight: 1 is all of it. */
  panBy(share: number): void;
  /** Asks again for what it shows, since more is known now. */
  refresh(): void;
  /** What it shows as a picture in PNG; null where the browser makes none. */
  toPng(): Promise<Blob | null>;
}
