/**
 * What the tables said of a stretch of the disk, remembered for the next read.
 *
 * Whoever reads a disk piece by piece asks for piece after piece of what one table tells, and every look at a table is
 * a call of its own at the medium. So what was found last is kept, and a read that goes on where the last one ended
 * looks further ahead each time, up to what one step of the walk takes. Any other read looks at its own stretch alone.
 * A read at or before the place of the one before begins anew: by then the file may have data where it had a hole.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import type { RunList } from "../wasm.ts";

/** Runs of a stretch of the disk, in sectors, sorted and gap-free. */
export interface LookedUp {
  readonly fromSector: number;
  readonly toSector: number;
  readonly list: RunList;
}

export class Lookups {
  private last: LookedUp | undefined;
  /** Of the read before. */
  private lastSector = -1;

  /** @param step Looks up `[from, to)`, or the first part of it; its list is valid until the next step. */
  constructor(
    private readonly step: (from: number, to: number) => Promise<LookedUp>,
    private readonly capacitySectors: number,
  ) {}

  /** What holds `sector`; it may end before `toSector`, and begin before `sector`. */
  async at(sector: number, toSector: number): Promise<LookedUp> {
    const last = sector > this.lastSector ? this.last : undefined;
    this.lastSector = sector;
    if (last && sector >= last.fromSector && sector < last.toSector) return last;
    const goesOn = last !== undefined && sector === last.toSector;
    const found = goesOn ? await this.ahead(last, toSector) : await this.step(sector, toSector);
    return this.last = { ...found, list: found.list.copy() };
  }

  /** Damage beyond the stretch that is read is for those who read it. */
  private async ahead({ fromSector, toSector: sector }: LookedUp, toSector: number): Promise<LookedUp> {
    const aheadSector = Math.min(this.capacitySectors, sector + 2 * (sector - fromSector));
    if (aheadSector <= toSector) return await this.step(sector, toSector);
    try {
      return await this.step(sector, aheadSector);
    } catch (error) {
      if (!(error instanceof RegrainError)) throw error;
      return await this.step(sector, toSector);
    }
  }
}

/** The run that holds a sector of what was looked up. */
export function runAt({ list }: LookedUp, sector: number): number {
  let low = 0;
  for (let high = list.count; high - low > 1;) {
    const middle = (low + high) >> 1;
    if (list.start(middle) <= sector) low = middle;
    else high = middle;
  }
  return low;
}
