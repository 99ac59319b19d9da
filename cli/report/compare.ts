/** What `compare` says: whether two disks are equal, and where they first differ. */
import {
  COMPARE_BLOCK_BYTES,
  type Comparison,
  type Disk,
  type FirstDifference,
  formatCount,
  formatSize,
  hexByte,
  plural,
} from "../../core-as/host/mod.ts";
import { exactSize, findingLine } from "../ui/describe.ts";
import { type Console, formatDuration } from "../ui/mod.ts";

/** The comparison, and what became of it. */
export interface CompareOutcome extends Comparison {
  /** As they were named. */
  readonly images: readonly [string, string];
  readonly disks: readonly [Disk, Disk];
  readonly sameSize: boolean;
  readonly equal: boolean;
  readonly elapsedMs: number;
}

export abstract class CompareReport {
  constructor(protected readonly console: Console) {}

  /** What is odd about a disk, or damaged: it is compared all the same. */
  opened(disk: Disk): void {
    const findings = disk.links.flatMap((link) => [
      ...link.findings,
      ...link.extents.flatMap(({ extent }) => extent.findings),
    ]);
    for (const finding of findings) {
      if (finding.severity === "note") this.console.detail(findingLine(finding));
      else if (finding.severity === "damage") this.console.warn(findingLine(finding));
    }
  }

  oneAndTheSame([a, b]: readonly [string, string]): void {
    this.console.warn(`${a} and ${b} are one and the same: that they are equal says nothing`);
  }

  abstract done(outcome: CompareOutcome): void;
}

export function compareReport(console: Console): CompareReport {
  return console.json ? new JsonCompareReport(console) : new TextCompareReport(console);
}

class JsonCompareReport extends CompareReport {
  done(outcome: CompareOutcome): void {
    const { images, disks, equal, sameSize, first, differingBytes, differingBlocks } = outcome;
    this.console.outJson({
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
      comparedBytes: outcome.comparedBytes,
      readBytes: outcome.readBytes,
      elapsedMs: Math.round(outcome.elapsedMs),
    });
  }
}

class TextCompareReport extends CompareReport {
  done(outcome: CompareOutcome): void {
    const { console } = this;
    // The exit status says it all.
    if (console.quiet) return;
    const { images, disks: [a, b], sameSize, equal, first, comparedBytes, readBytes } = outcome;
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
}

/** The two bytes that differ first, in hexadecimal digits; `null` of a disk that ended before. */
function firstValues(
  { disks }: CompareOutcome,
  { offsetBytes, values }: FirstDifference,
): (string | null)[] {
  return values.map((value, i) => offsetBytes < disks[i]!.sizeBytes ? hexByte(value) : null);
}
