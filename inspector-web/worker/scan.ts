/**
 * The scan of a view: all its tables, from where the page looks and then the rest, filling the pyramid and the totals.
 * It goes step by step, so that whatever the page asks meanwhile comes in between, and can be given up at every step.
 */
import type { ScanState, View } from "../shared/protocol.ts";
import { DamageObserver } from "./damage.ts";
import type { SectorRange } from "./geometry.ts";
import { breathe } from "./lock.ts";
import { Pyramid } from "./pyramid.ts";
import { DiskRuns, type Runs } from "./runs.ts";
import { Tally } from "./tally.ts";

/** Between two notices. */
const NOTICE_MS = 100;
/** Steps that need no reading are done this long before messages are let in. */
const SLICE_MS = 16;
/** Damaged stretches that are kept for the map; the list of findings has more. */
const MAX_DAMAGED = 10_000;

/** All that scanning has found of one view. */
export class Scan {
  readonly pyramid: Pyramid;
  readonly tally: Tally;
  readonly damaged: SectorRange[] = [];
  private readonly observer: DamageObserver;
  private generation = 0;
  /** The scan that runs, or ran last: the next one begins when it has ended. */
  private running: Promise<void> = Promise.resolve();

  constructor(readonly view: View, readonly runs: Runs) {
    this.pyramid = new Pyramid(runs.capacitySectors);
    this.tally = new Tally(runs.capacitySectors);
    this.observer = new DamageObserver(runs instanceof DiskRuns ? runs.disk.links : []);
  }

  get finished(): boolean {
    return this.tally.finished;
  }

  state(): ScanState {
    const { doneSectors, finished } = this.tally;
    const totalSectors = this.runs.capacitySectors;
    return { view: this.view, doneSectors, totalSectors, finished, ...this.tally.report() };
  }

  /** Gives up the scan that runs; what it found stays. */
  stop(): void {
    this.generation++;
  }

  /** Scans what is not scanned yet, from a sector on; ends early when it is stopped or begun anew. */
  run(fromSector: number, tell: (state: ScanState) => void): Promise<void> {
    const generation = ++this.generation;
    const before = this.running;
    const goOn = () => generation === this.generation;
    this.running = (async () => {
      await before;
      await this.scan(this.pyramid.leafStart(fromSector), goOn, tell);
    })().finally(() => this.running = Promise.resolve());
    return this.running;
  }

  private async scan(start: number, goOn: () => boolean, tell: (state: ScanState) => void): Promise<void> {
    let told = performance.now();
    let breathed = told;
    for (let at = start; goOn();) {
      const gap = this.tally.gapFrom(at);
      if (!gap) break;
      at = await this.step(gap);
      const now = performance.now();
      if (now - told >= NOTICE_MS && goOn()) {
        tell(this.state());
        told = now;
      }
      if (now - breathed >= SLICE_MS) {
        await breathe();
        breathed = performance.now();
      }
    }
    if (goOn()) tell(this.state());
  }

  private async step(gap: SectorRange): Promise<number> {
    const { tally, pyramid } = this;
    tally.begin(gap.from);
    try {
      return await this.runs.step(gap.from, gap.to, this.observer, (run) => {
        tally.add(run);
        pyramid.add(run);
      });
    } finally {
      tally.end();
      pyramid.settle();
      const room = MAX_DAMAGED - this.damaged.length;
      this.damaged.push(...this.observer.take().slice(0, room));
    }
  }
}
