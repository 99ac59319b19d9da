/**
 * What a survey found, and what is behind it: a file that was cut short is one cause, though each of its grains that
 * are missing is a finding of its own.
 *
 * This module is browser compatible.
 */
import type { Finding, Severity } from "../extent.ts";
import { formatCount, MIB, plural } from "../units.ts";

/** Findings kept; further ones are only counted. */
const MAX_KEPT = 10_000;
const SEVERITIES: readonly Severity[] = ["damage", "doubt", "note"];
/** What else may be between the grains of a file, so that a cut one lacks it too. */
const CUT_SLACK_BYTES = MIB;

/** Findings of one kind in one file. */
export interface FindingGroup {
  readonly severity: Severity;
  readonly kind: string;
  readonly path: string;
  readonly count: number;
  readonly first: Finding;
  /** How far the file would have to reach for all of them, and the bytes of what they name together. */
  readonly neededBytes: number;
  readonly missingBytes: number;
}

type OpenGroup = { -readonly [Key in keyof FindingGroup]: FindingGroup[Key] };

/** One reason for any number of findings. */
export interface Cause {
  readonly severity: Severity;
  readonly kind: string;
  readonly path: string;
  /** Findings that it explains. */
  readonly count: number;
  /** Of the first of them, where it has one. */
  readonly offsetBytes?: number;
  readonly message: string;
}

export class Findings {
  readonly kept: Finding[] = [];
  readonly counts: Record<Severity, number> = { damage: 0, doubt: 0, note: 0 };
  private readonly byKind = new Map<string, OpenGroup>();

  /** @param onFinding Is handed every one, also those that are not kept. */
  constructor(private readonly onFinding?: (finding: Finding) => void) {}

  add(finding: Finding): void {
    this.counts[finding.severity]++;
    if (this.kept.length < MAX_KEPT) this.kept.push(finding);
    this.addToGroup(finding);
    this.onFinding?.(finding);
  }

  /** Kinds in the order in which the first of each was found. */
  get groups(): readonly FindingGroup[] {
    return [...this.byKind.values()];
  }

  get total(): number {
    return this.counts.damage + this.counts.doubt + this.counts.note;
  }

  /** True when some were counted and not kept. */
  get overflowed(): boolean {
    return this.total > this.kept.length;
  }

  first(severity: Severity): Finding | undefined {
    return this.groups.find((group) => group.severity === severity)?.first;
  }

  has(kind: string, path: string): boolean {
    return this.groups.some((group) => group.kind === kind && group.path === path);
  }

  private addToGroup(finding: Finding): void {
    const { severity, kind, path, needs } = finding;
    const key = `${severity} ${kind} ${path}`;
    let group = this.byKind.get(key);
    if (!group) {
      group = { severity, kind, path, count: 0, first: finding, neededBytes: 0, missingBytes: 0 };
      this.byKind.set(key, group);
    }
    group.count++;
    if (!needs) return;
    group.neededBytes = Math.max(group.neededBytes, needs.untilByte);
    group.missingBytes += needs.lengthBytes;
  }
}

/** What is behind the findings: damage first, then doubts, then notes, each in the order in which they were found. */
export function causesOf(findings: Findings): Cause[] {
  const causes: Cause[] = [];
  for (const path of new Set(findings.groups.map(({ path }) => path))) {
    causes.push(...causesIn(findings.groups.filter((group) => group.path === path)));
  }
  return causes.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

/** Causes of the findings in one file. */
function causesIn(groups: readonly FindingGroup[]): Cause[] {
  const cut = cutShort(groups);
  if (!cut) return groups.map(causeOfGroup);
  return [cut.cause, ...groups.filter((group) => !cut.explains.includes(group)).map(causeOfGroup)];
}

/** A file that ends too early, by what its tables name beyond its end. */
function cutShort(
  groups: readonly FindingGroup[],
): { cause: Cause; explains: readonly FindingGroup[] } | undefined {
  const damage = groups.filter(({ kind }) => CUT_KINDS.has(kind));
  const said = groups.filter(({ kind }) => kind === "file-short");
  const first = damage[0]?.first;
  const fileBytes = first?.needs?.fileBytes;
  if (!first || fileBytes === undefined) return undefined;
  const neededBytes = Math.max(...damage.map((group) => group.neededBytes));
  const saidBytes = Math.max(0, ...said.map((group) => group.neededBytes));
  const earlyBytes = Math.max(neededBytes, saidBytes) - fileBytes;
  const missingBytes = damage.reduce((sum, group) => sum + group.missingBytes, 0);
  // A single wild entry names a place far behind the end, and nothing is missing up to there.
  if (saidBytes < neededBytes && earlyBytes > 2 * missingBytes + CUT_SLACK_BYTES) return undefined;
  const explains = [...damage, ...said];
  const what = damage.map(({ kind, count }) => plural(count, CUT_KINDS.get(kind)!)).join(", ");
  return {
    explains,
    cause: {
      severity: "damage",
      kind: "file-cut-short",
      path: first.path,
      count: explains.reduce((sum, { count }) => sum + count, 0),
      offsetBytes: fileBytes,
      message: `the file ends ${formatCount(earlyBytes)} bytes early: ${what}`,
    },
  };
}

/** What a cut file lacks, by the kind of the finding that says so. */
const CUT_KINDS = new Map([["entry-past-end", "grain"], ["table-past-end", "grain table"]]);

function causeOfGroup({ severity, kind, path, count, first }: FindingGroup): Cause {
  const { offsetBytes, message } = first;
  return {
    severity,
    kind,
    path,
    count,
    ...(offsetBytes === undefined ? {} : { offsetBytes }),
    message: count === 1 ? message : `${formatCount(count)} times, the first: ${message}`,
  };
}
