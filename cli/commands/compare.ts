/** `regrain compare`: whether two disks read the same, and where they first do not. */
import { compareDisks, type Disk, type ImageFormat } from "../../core-as/host/mod.ts";
import { EXIT_DIFFERENT } from "../exit_status.ts";
import { imageOf } from "../places/place.ts";
import { compareReport } from "../report/compare.ts";
import { LongWork } from "../session/long_work.ts";
import { type LongFlags, startSession } from "../session/session.ts";
import { type ChainFlags, openWholeDisk } from "../session/whole_disk.ts";

export interface CompareFlags extends LongFlags, ChainFlags {
  readonly strict?: boolean | undefined;
  /** What the second disk is; without it what `--format` says of both. */
  readonly formatB?: ImageFormat | undefined;
}

const SIDES = [imageOf("compare", "A"), imageOf("compare", "B")];

/**
 * @param images Two disks; a VMDK stands for its whole chain, since a delta alone is no disk.
 * @returns 0 when both read the same, 1 when they do not.
 */
export async function runCompare(images: readonly [string, string], flags: CompareFlags): Promise<number> {
  const session = startSession(flags);
  const { console, context, places } = session;
  const report = compareReport(console);
  const [first, second] = images.map((name, i) => places.take(name, SIDES[i]!));
  const disks: Disk[] = [];
  try {
    for (const [i, format] of [flags.format, flags.formatB ?? flags.format].entries()) {
      const disk = await openWholeDisk(images[i]!, { console, context: { ...context, format } }, flags);
      disks.push(disk);
      report.opened(disk);
    }
    if (places.isSame(first!, second!)) report.oneAndTheSame(images);
    const [a, b] = disks as [Disk, Disk];
    using work = new LongWork(console, flags);
    work.beginReading(Math.max(a.sizeBytes, b.sizeBytes));
    const comparison = await compareDisks(a, b, {
      onProgress: ({ comparedBytes, readBytes }) =>
        work.update({ doneBytes: comparedBytes, parts: { read: readBytes } }),
    });
    work.end();
    const sameSize = a.sizeBytes === b.sizeBytes;
    const equal = comparison.differingBytes === 0 && (sameSize || !flags.strict);
    const { elapsedMs } = work;
    report.done({ ...comparison, images, disks: [a, b], sameSize, equal, elapsedMs });
    return equal ? 0 : EXIT_DIFFERENT;
  } finally {
    for (const disk of disks.toReversed()) disk.close();
    console.flush();
  }
}
