/**
 * The scan of a view: all its tables, from where the page looks and then the rest, filling the pyramid and the totals.
 * It goes step by step, so that whatever the page asks meanwhile comes in between, and can be given up at every step.
 */
import type { ScanState, View } from "../../shared/protocol.ts";
import { DamageObserver } from "./damage.ts";
import type { SectorRange } from "../disk/geometry.ts";
import { breathe, rest } from "../disk/lock.ts";
import { Preview } from "./preview.ts";
import { Pyramid } from "./pyramid.ts";
import { DiskRuns, type SumTaker } from "../disk/disk_runs.ts";
import type { Runs } from "../disk/runs.ts";
import { Tally } from "./tally.ts";

/** Between two notices. */
const NOTICE_MS = 100;
/** Steps that need no reading are done this long before messages are let in. */
const SLICE_MS = 16;
/** After the map was moved, most of the time is left to it and to the browser for this long. */
const ATTENTION_MS = 150;
const REST_MS = 50;
/** Damaged stretches that are kept for the map; the list of findings has more. */
const MAX_DAMAGED = 10_000;

/** All that scanning has found of one view. */
export class Scan {
  readonly pyramid: Pyramid;
  readonly tally: Tally;
  readonly damaged: SectorRange[] = [];
  /** Read before the first table; a saved map has none. */
  preview: Preview | undefined;
  /** Where the page looks, which comes first. */
  private looked: SectorRange | undefined;
  private attendedMs = -Infinity;
  private readonly observer: DamageObserver;
  private readonly taker: SumTaker;
  private generation = 0;
  private runners = 0;
  /** The scan that runs, or ran last: the next one begins when it has ended. */
  private running: Promise<void> = Promise.resolve();

  constructor(readonly view: View, readonly runs: Runs) {
    this.pyramid = new Pyramid(runs.capacitySectors);
    this.tally = new Tally(runs.capacitySectors);
    this.observer = new DamageObserver(runs instanceof DiskRuns ? runs.disk.links : []);
    const { tally, pyramid } = this;
    const addPiece = pyramid.addToLeaves.bind(pyramid);
    this.taker = {
      leafShift: pyramid.leafShift,
      take(first, summed, last) {
        tally.addSummed(first, summed, last);
        summed.forEachPiece(addPiece);
      },
    };
  }

  get finished(): boolean {
    return this.tally.finished;
  }

  get isRunning(): boolean {
    return this.runners > 0;
  }

  state(): ScanState {
    const { doneSectors, finished } = this.tally;
    const totalSectors = this.runs.capacitySectors;
    return { view: this.view, doneSectors, totalSectors, finished, ...this.tally.report() };
  }

  /** Resolves when the scan that runs has ended, well or not. */
  idle(): Promise<void> {
    return this.running.catch(() => undefined);
  }

  /** Gives up the scan that runs; what it found stays. */
  stop(): void {
    this.generation++;
  }

  /** Tells that somebody moves the map: it goes first. */
  attend(): void {
    this.attendedMs = performance.now();
  }

  /** Tells what the page looks at: it is scanned next. */
  look(range: SectorRange): void {
    this.looked = range;
  }

  /** Scans what is not scanned yet, from a sector on; ends early when it is stopped or begun anew. */
  run(fromSector: number, tell: (state: ScanState) => void): Promise<void> {
    const generation = ++this.generation;
    const before = this.running;
    this.runners++;
    const goOn = () => generation === this.generation;
    this.running = (async () => {
      await before.catch(() => undefined);
      await this.scan(this.pyramid.leafStart(fromSector), goOn, tell);
    })().finally(() => this.runners--);
    return this.running;
  }

  private async scan(start: number, goOn: () => boolean, tell: (state: ScanState) => void): Promise<void> {
    let told = performance.now();
    let breathed = told;
    if (!this.preview && this.runs instanceof DiskRuns) {
      this.preview = await Preview.of(this.runs, this.pyramid);
      if (goOn()) tell(this.state());
    }
    for (let at = start; goOn();) {
      const gap = this.lookedGap() ?? this.tally.gapFrom(at);
      if (!gap) break;
      at = await this.step(gap);
      const now = performance.now();
      if (now - told >= NOTICE_MS && goOn()) {
        tell(this.state());
        told = now;
      }
      if (now - breathed >= SLICE_MS) {
        await (now - this.attendedMs < ATTENTION_MS ? rest(REST_MS) : breathe());
        breathed = performance.now();
      }
    }
    if (goOn()) tell(this.state());
  }

  /** What is not scanned yet of what the page looks at. */
  private lookedGap(): SectorRange | undefined {
    const { looked } = this;
    const gap = looked && this.tally.gapFrom(looked.from);
    if (looked && gap && gap.from >= looked.from && gap.from < looked.to) {
      return { from: gap.from, to: Math.min(gap.to, looked.to) };
    }
    this.looked = undefined;
    return undefined;
  }

  private async step(gap: SectorRange): Promise<number> {
    const { tally, pyramid } = this;
    tally.begin(gap.from);
    try {
      if (this.runs instanceof DiskRuns) {
        return await this.runs.sum(gap.from, gap.to, this.observer, this.taker);
      }
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
