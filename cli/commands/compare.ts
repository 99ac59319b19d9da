/** `regrain compare`: whether two disks read the same, and where they first do not. */
import {
  COMPARE_BLOCK_BYTES,
  compareDisks,
  type Comparison,
  type Disk,
  type FirstDifference,
  formatCount,
  formatSize,
  hexByte,
  type ImageFormat,
  plural,
} from "../../core-as/host/mod.ts";
import { imageOf } from "../places/place.ts";
import { type Console, formatDuration, Progress } from "../ui/mod.ts";
import { exactSize, findingLine } from "../ui/describe.ts";
import { type LongFlags, type Session, startSession } from "../session/session.ts";
import { type ChainFlags, openWholeDisk } from "../session/whole_disk.ts";
import { EXIT_DIFFERENT } from "../exit_status.ts";

export interface CompareFlags extends LongFlags, ChainFlags {
  readonly strict?: boolean | undefined;
  /** What the second disk is; without it what `--format` says of both. */
  readonly formatB?: ImageFormat | undefined;
}

const SIDES = [imageOf("compare", "A"), imageOf("compare", "B")];

/** What is told: the comparison, and what became of it. */
interface Outcome extends Comparison {
  readonly disks: readonly [Disk, Disk];
  readonly sameSize: boolean;
  readonly equal: boolean;
  readonly elapsedMs: number;
}

/**
 * @param images Two disks; a VMDK stands for its whole chain, since a delta alone is no disk.
 * @returns 0 when both read the same, 1 when they do not.
 */
export async function runCompare(images: readonly [string, string], flags: CompareFlags): Promise<number> {
  const session = startSession(flags);
  const [first, second] = images.map((name, i) => session.places.take(name, SIDES[i]!));
  const a = await openWhole(images[0], session, flags);
  try {
    const b = await openWhole(images[1], {
      ...session,
      context: { ...session.context, format: flags.formatB ?? flags.format },
    }, flags);
    try {
      if (session.places.isSame(first!, second!)) {
        session.console.warn(
          `${images[0]} and ${images[1]} are one and the same: that they are equal says nothing`,
        );
      }
      const outcome = await compareWithProgress([a, b], { console: session.console, flags });
      if (session.console.json) session.console.outJson(outcomeJson(outcome, images));
      else tellOutcome(outcome, { console: session.console, images });
      return outcome.equal ? 0 : EXIT_DIFFERENT;
    } finally {
      b.close();
    }
  } finally {
    a.close();
    session.console.flush();
  }
}

async function openWhole(path: string, session: Session, flags: CompareFlags): Promise<Disk> {
  const { console } = session;
  const disk = await openWholeDisk(path, session, flags);
  const findings = disk.links.flatMap((link) => [
    ...link.findings,
    ...link.extents.flatMap(({ extent }) => extent.findings),
  ]);
  for (const finding of findings) {
    if (finding.severity === "note") console.detail(findingLine(finding));
    else if (finding.severity === "damage") console.warn(findingLine(finding));
  }
  return disk;
}

async function compareWithProgress(
  disks: readonly [Disk, Disk],
  work: { console: Console; flags: CompareFlags },
): Promise<Outcome> {
  const [a, b] = disks;
  const totalBytes = Math.max(a.sizeBytes, b.sizeBytes);
  const progress = new Progress(work.console, work.flags.progress ?? "auto", totalBytes);
  try {
    const comparison = await compareDisks(a, b, {
      onProgress: ({ comparedBytes, readBytes }) =>
        progress.update({ doneBytes: comparedBytes, parts: { read: readBytes } }),
    });
    const sameSize = a.sizeBytes === b.sizeBytes;
    const equal = comparison.differingBytes === 0 && (sameSize || !work.flags.strict);
    return { ...comparison, disks, sameSize, equal, elapsedMs: progress.elapsedMs };
  } finally {
    progress.end();
  }
}

function outcomeJson(outcome: Outcome, images: readonly [string, string]): unknown {
  const { disks, equal, sameSize, first, comparedBytes, readBytes, differingBytes, differingBlocks } =
    outcome;
  return {
    images,
    sizesBytes: disks.map(({ sizeBytes }) => sizeBytes),
    equal,
    sameSize,
    sameContent: differingBytes === 0,
    first: first === undefined
      ? null
      : { offsetBytes: first.offsetBytes, values: firstValues(outcome, first) },
    differingBytes,
    differingBlocks,
    blockBytes: COMPARE_BLOCK_BYTES,
    comparedBytes,
    readBytes,
    elapsedMs: Math.round(outcome.elapsedMs),
  };
}

function tellOutcome(outcome: Outcome, to: { console: Console; images: readonly [string, string] }): void {
  const { console, images } = to;
  // The exit status says it all.
  if (console.quiet) return;
  const { disks: [a, b], sameSize, equal, first, comparedBytes, readBytes } = outcome;
  const sizes = `${images[0]} has ${exactSize(a.sizeBytes)}, ${images[1]} ${exactSize(b.sizeBytes)}`;
  if (first) {
    console.out(`different: the first at byte ${first.offsetBytes}`);
    firstValues(outcome, first).forEach((value, i) =>
      console.out(`  ${value ?? "nothing, where zeros are assumed,"} in ${images[i]}`)
    );
    console.out(
      `  ${plural(outcome.differingBytes, "byte")} in ${
        plural(outcome.differingBlocks, "block")
      } of 4 KiB differ`,
    );
    if (!sameSize) console.out(`  different size: ${sizes}`);
  } else if (!sameSize) {
    const word = equal ? "equal content, different size" : "different size";
    console.out(`${word}: ${sizes}, and what is behind the end of the smaller one is zeros`);
  } else console.out(`equal: ${exactSize(a.sizeBytes)}`);
  console.detail(
    `${formatSize(comparedBytes)} compared, ${formatCount(readBytes)} bytes where there is data; ${
      formatDuration(outcome.elapsedMs)
    }`,
  );
}

/** The two bytes that differ first, in hexadecimal digits; `null` of a disk that ended before. */
function firstValues({ disks }: Outcome, { offsetBytes, values }: FirstDifference): (string | null)[] {
  return values.map((value, i) => offsetBytes < disks[i]!.sizeBytes ? hexByte(value) : null);
}
