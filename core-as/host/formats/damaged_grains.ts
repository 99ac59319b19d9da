/**
 * Grains that cannot be unpacked. No table says so: only a survey, which unpacks every one, finds them. It remembers
 * them here, and from then on every walk over the extent shows them as damaged.
 *
 * This module is browser compatible.
 */
import { type Core, DAMAGED_PLACE, type RunList } from "../wasm.ts";

/** A stretch of the extent, in sectors. */
export interface SectorStretch {
  readonly sector: number;
  readonly lengthSectors: number;
}

export class DamagedGrains {
  /** Ascending; neighbours are one. */
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];

  /** Forgets everything, for a survey that begins. */
  clear(): void {
    this.starts.length = 0;
    this.ends.length = 0;
  }

  get isEmpty(): boolean {
    return this.starts.length === 0;
  }

  /** Knows from now on what another one knows of the same extent, opened once more. */
  learn(other: DamagedGrains): void {
    this.clear();
    for (const start of other.starts) this.starts.push(start);
    for (const end of other.ends) this.ends.push(end);
  }

  /** Adds a stretch past all that are known. */
  add({ sector, lengthSectors }: SectorStretch): void {
    const last = this.ends.length - 1;
    if (last >= 0 && this.ends[last]! > sector) throw new Error("damaged grains come in ascending order");
    if (last >= 0 && this.ends[last] === sector) this.ends[last] = sector + lengthSectors;
    else {
      this.starts.push(sector);
      this.ends.push(sector + lengthSectors);
    }
  }

  /**
   * Turns what is known to be damaged in a list into damaged runs.
   *
   * @param window What the list covers, in sectors of the extent, and how it was opened.
   * @returns the stretches of the window that are damaged.
   */
  mask(
    core: Core,
    list: RunList,
    window: { readonly from: number; readonly to: number; readonly shift: number; readonly owner: number },
  ): SectorStretch[] {
    const stretches = this.within(window.from, window.to);
    if (stretches.length === 0) return stretches;
    const runs = Array.from({ length: list.count }, (_, i) => ({
      start: list.start(i) - window.shift,
      end: list.start(i) - window.shift + list.length(i),
      place: list.place(i),
    }));
    core.kernels.openList(list.address, window.from, window.to, window.shift, window.owner);
    let next = 0;
    for (const run of runs) {
      for (let at = run.start; at < run.end;) {
        while (next < stretches.length && endOf(stretches[next]!) <= at) next++;
        const stretch = stretches[next];
        const isDamaged = stretch !== undefined && stretch.sector <= at;
        const stop = Math.min(run.end, isDamaged ? endOf(stretch) : stretch?.sector ?? run.end);
        const place = run.place < 0 ? run.place : run.place + at - run.start;
        core.kernels.pushRun(at, stop - at, isDamaged ? DAMAGED_PLACE : place);
        at = stop;
      }
    }
    core.close(list);
    return stretches;
  }

  private within(from: number, to: number): SectorStretch[] {
    const stretches: SectorStretch[] = [];
    for (let i = this.firstEndingAfter(from); i < this.starts.length && this.starts[i]! < to; i++) {
      const sector = Math.max(from, this.starts[i]!);
      stretches.push({ sector, lengthSectors: Math.min(to, this.ends[i]!) - sector });
    }
    return stretches;
  }

  private firstEndingAfter(sector: number): number {
    let low = 0;
    let high = this.ends.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.ends[middle]! <= sector) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function endOf({ sector, lengthSectors }: SectorStretch): number {
  return sector + lengthSectors;
}
