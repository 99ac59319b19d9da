/** The scans of one opening: one for each view that was looked at, and only one of them runs. */
import type { ScanState, View } from "../../shared/protocol.ts";
import type { SectorRange } from "../disk/geometry.ts";
import type { Runs } from "../disk/runs.ts";
import { Scan } from "./scan.ts";

/** Views whose pyramids are kept: each may take 24 MiB. */
const MAX_SCANS = 6;

export class Scans {
  private readonly scans = new Map<View, Scan>();

  /** The scan of a view, if it was looked at. */
  known(view: View): Scan | undefined {
    return this.scans.get(view);
  }

  /**
   * The scan of a view, made when it is looked at first.
   *
   * @param damaged Where damage is known already.
   */
  of(view: View, runs: Runs, damaged: readonly SectorRange[]): Scan {
    const known = this.scans.get(view);
    const scan = known ?? new Scan(view, runs);
    if (!known) scan.damaged.push(...damaged);
    // The one used last goes to the end, and the first is the one to forget.
    this.scans.delete(view);
    this.scans.set(view, scan);
    if (this.scans.size > MAX_SCANS) {
      const [oldest] = this.scans;
      oldest![1].stop();
      this.scans.delete(oldest![0]);
    }
    return scan;
  }

  /** Runs a scan in place of the one that runs. */
  async run(scan: Scan, fromSector: number, tell: (state: ScanState) => void): Promise<void> {
    for (const other of this.scans.values()) if (other !== scan) other.stop();
    const isSector = Number.isSafeInteger(fromSector) && fromSector >= 0;
    await scan.run(isSector ? fromSector : 0, tell);
  }

  /** Shows sectors as damaged in every view. */
  markDamaged(range: SectorRange): void {
    for (const { damaged } of this.scans.values()) damaged.push(range);
  }

  /** Resolves when none of them runs. */
  async idle(): Promise<void> {
    for (let running = [...this.scans.values()]; running.length > 0;) {
      await Promise.all(running.map((scan) => scan.idle()));
      running = [...this.scans.values()].filter(({ isRunning }) => isRunning);
    }
  }

  stop(): void {
    for (const scan of this.scans.values()) scan.stop();
  }

  /** Forgets what was scanned, since more is known now than tables say. */
  forget(): void {
    this.stop();
    this.scans.clear();
  }
}
