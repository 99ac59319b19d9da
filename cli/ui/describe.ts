/** Words and JSON for findings, verdicts and surveys, shared by the commands that show them. */
import {
  causesOf,
  type Context,
  descriptorOf,
  type Finding,
  type Findings,
  formatCid,
  formatSize,
  type Link,
  type LinkSurvey,
  newerBeside,
  plural,
  requireNoDoubt,
  SECTOR_SIZE,
  type Verdict,
} from "../../core-as/host/mod.ts";
import type { Console } from "./console.ts";

/** `path: message, at byte N`. */
export function findingLine(finding: Pick<Finding, "path" | "message" | "offsetBytes">): string {
  const at = finding.offsetBytes === undefined ? "" : `, at byte ${finding.offsetBytes}`;
  return `${finding.path}: ${finding.message}${at}`;
}

/** Warns of everything that is odd and not in the way; notes are no warnings, and `-q` leaves them out. */
export function warnNotes(
  console: Console,
  surveys: readonly LinkSurvey[],
  options: { force: boolean },
): void {
  for (const { findings } of surveys) {
    for (const cause of causesOf(findings)) {
      if (cause.severity === "doubt" && options.force) {
        console.warn(`taken by --force: ${findingLine(cause)}`);
      } else if (cause.severity === "note" && !console.quiet) console.warn(findingLine(cause));
    }
  }
}

/**
 * Refuses what is in doubt, and warns of what the user takes all the same.
 *
 * @throws {RegrainError} see {@link requireNoDoubt}.
 */
export function takeDoubts(
  console: Console,
  doubts: readonly Finding[],
  flags: { force?: boolean | undefined },
): void {
  for (const doubt of requireNoDoubt(doubts, { force: flags.force ?? false })) {
    console.warn(`taken by --force: ${findingLine(doubt)}`);
  }
}

/** Says that deltas stand on the newest link that is read: what the VM wrote last is in them. */
export async function warnNewer(
  { console, context }: { console: Console; context: Context },
  newest: Link,
): Promise<void> {
  if (newest.delta !== true) return;
  const newer = await newerBeside(newest, context);
  if (newer.length > 0) console.warn(`${newest.path}: ${newerLine(newer)}`);
}

/** `newer deltas stand beside it: vm-000002.vmdk`. */
export function newerLine(newer: readonly string[]): string {
  const what = newer.length === 1 ? "a newer delta stands" : "newer deltas stand";
  return `${what} beside it, with what the VM wrote since: ${newer.join(", ")}`;
}

/** `ok`, or what is wrong in counts. */
export function healthOf(findings: Findings): string {
  const { damage, doubt, note } = findings.counts;
  const parts = [
    damage > 0 ? `${plural(damage, "damage")}` : "",
    doubt > 0 ? `${plural(doubt, "doubt")}` : "",
    note > 0 ? `${plural(note, "note")}` : "",
  ].filter((part) => part !== "");
  if (parts.length === 0) return "ok";
  return damage > 0 || doubt > 0 ? `${parts.join(", ")}: not sound` : `ok, ${parts.join(", ")}`;
}

/** Formats of a link's extents, each once. */
export function formatOf(link: Link): string {
  return [...new Set(link.extents.map(({ extent }) => extent.formatName))].join(" + ");
}

export function verdictLine(verdict: Verdict): string {
  return `${verdict.state}: ${verdict.reasons.join("; ")}`;
}

/** Says what is known of two links: aloud where it is not that they match. */
export function tellVerdict(console: Console, verdict: Verdict): void {
  const line = `${verdict.child} on ${verdict.parent}: ${verdictLine(verdict)}`;
  if (verdict.refused) console.warn(`taken by --force: ${line}`);
  else if (verdict.state === "match") console.detail(line);
  else console.warn(line);
}

/** A link as `--json` shows it. */
export function linkJson(link: Link): Record<string, unknown> {
  const descriptor = descriptorOf(link);
  return {
    path: link.path,
    format: [...new Set(link.extents.map(({ extent }) => extent.format))],
    capacityBytes: link.capacitySectors * SECTOR_SIZE,
    delta: link.delta ?? null,
    descriptor: descriptor === undefined ? null : {
      version: descriptor.version,
      createType: descriptor.createType,
      cid: descriptor.cid === undefined ? null : formatCid(descriptor.cid),
      parentCid: descriptor.parentCid === undefined ? null : formatCid(descriptor.parentCid),
      parentFileNameHint: descriptor.parentFileNameHint ?? null,
      changeTrackPath: descriptor.changeTrackPath ?? null,
      ddb: Object.fromEntries(descriptor.ddb),
    },
    extents: link.extents.map(({ extent, startSector, lengthSectors }) => ({
      path: extent.path,
      format: extent.format,
      start: startSector * SECTOR_SIZE,
      length: lengthSectors * SECTOR_SIZE,
      grainBytes: extent.grainSectors === undefined ? null : extent.grainSectors * SECTOR_SIZE,
      header: extent.facts,
    })),
  };
}

/** A survey as `--json` shows it. */
export function surveyJson(survey: LinkSurvey): Record<string, unknown> {
  const { dataBytes, zeroBytes, holeBytes, damagedBytes, runCount, findings } = survey;
  return {
    dataBytes,
    zeroBytes,
    holeBytes,
    damagedBytes,
    runCount,
    sound: findings.counts.damage === 0 && findings.counts.doubt === 0,
    counts: findings.counts,
    causes: causesOf(findings),
    findings: findings.kept,
    truncated: findings.overflowed,
  };
}

/** A size with its exact bytes: `8.0 GiB (8589934592 bytes)`. */
export function exactSize(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${formatSize(bytes)} (${bytes} bytes)`;
}
