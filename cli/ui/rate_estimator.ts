/**
 * How fast work goes, by what was done in the last seconds: after a stretch that was easy or hard, the estimate is that
 * of what goes on now.
 */

const WINDOW_MS = 8000;
/** Samples closer together than this say nothing new. */
const SAMPLE_EVERY_MS = 100;
/** A rate of less time than this is chance. */
const MIN_SPAN_MS = 1000;

export class RateEstimator {
  private samples: { atMs: number; bytes: number }[] = [];

  /** Takes the sum of what was done so far; sums may only grow. */
  add(sample: { atMs: number; bytes: number }): void {
    const { samples } = this;
    const last = samples.at(-1);
    // The newest sample moves along until it is far enough from the one before it.
    const before = samples.at(-2);
    if (last && before && last.atMs - before.atMs < SAMPLE_EVERY_MS) samples.pop();
    samples.push(sample);
    while (samples.length > 2 && sample.atMs - samples[1]!.atMs >= WINDOW_MS) samples.shift();
  }

  /** Undefined until enough time has passed, and while nothing gets done. */
  get bytesPerSecond(): number | undefined {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (!first || !last || last.atMs - first.atMs < MIN_SPAN_MS) return undefined;
    const rate = (last.bytes - first.bytes) * 1000 / (last.atMs - first.atMs);
    return rate > 0 ? rate : undefined;
  }
}
