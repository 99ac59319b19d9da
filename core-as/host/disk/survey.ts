/**
 * The survey: everything a link's tables say, checked against the file and against each other, before any of it is
 * believed. `check` prints it, `info` sums it up, `apply` refuses to begin when it finds damage.
 *
 * This module is browser compatible.
 */
import { quotePath } from "../command_line.ts";
import { addRun, noRuns, type RunTotals } from "./disk.ts";
import { wayOf } from "./doubts.ts";
import { type ErrorCode, RegrainError } from "../errors.ts";
import type { Extent, Finding, Observer } from "../extent.ts";
import { Findings } from "./findings.ts";
import type { Link, PlacedExtent } from "./link.ts";
import { SECTOR_SIZE } from "../units.ts";
import { type Core, DAMAGE_KIND, HOLE_PLACE, type RunList, ZERO_PLACE } from "../wasm.ts";

/** Holes are places that no grain covers: they show the parent, or zeros where there is none. */
export interface LinkSurvey extends Readonly<RunTotals> {
  readonly link: Link;
  readonly findings: Findings;
}

/** What a file cut short has, and what proves that it was: a single wild entry has the first alone. */
const TRUNCATION_KINDS = new Set(["entry-past-end", "table-past-end"]);
const TRUNCATION_PROOFS = new Set(["table-past-end", "file-short"]);

/**
 * Surveys one link: each table, each entry, each overlap within a file.
 *
 * @param options `overlaps`: false leaves out the search for two entries that share a piece of the file. `onFinding`:
 *   is handed each finding as it comes, however many there are.
 */
export async function surveyLink(
  core: Core,
  link: Link,
  options: { overlaps: boolean; onFinding?: (finding: Finding) => void },
): Promise<LinkSurvey> {
  const findings = new Findings(options.onFinding);
  const totals = noRuns();
  for (const finding of link.findings) findings.add(finding);
  for (const placed of link.extents) {
    for (const finding of placed.extent.findings) findings.add(finding);
    const survey = new ExtentSurvey(core, placed, findings, totals);
    await survey.run(options.overlaps);
  }
  return { link, findings, ...totals };
}

/**
 * Throws when a survey found what makes an image unreadable, or readable in two ways.
 *
 * @param options `force` takes doubts as they come; damage is never taken. `check`: what says what is behind it, when
 *   that is not `regrain check` of the path.
 * @throws {RegrainError} `TRUNCATED`, `DAMAGED` with the first place and the number of places.
 */
export function requireSound(
  { link, findings }: LinkSurvey,
  options: { force: boolean; check?: string },
): void {
  const error = unsoundness({ path: link.path, findings, ...options });
  if (error && (findings.counts.damage > 0 || !options.force)) throw error;
}

/** What a survey found. */
interface Surveyed {
  readonly path: string;
  readonly findings: Findings;
  readonly check?: string;
}

/** The error for what a survey found: damage, else doubt; `undefined` when there is neither. */
export function unsoundness(of: Surveyed): RegrainError | undefined {
  const { damage, doubt } = of.findings.counts;
  if (damage > 0) return soundnessError(of, "damage", damage);
  return doubt > 0 ? soundnessError(of, "doubt", doubt) : undefined;
}

function soundnessError(
  of: Surveyed,
  severity: "damage" | "doubt",
  count: number,
): RegrainError {
  const first = of.findings.first(severity)!;
  const more = count > 1 ? ` (the first of ${count})` : "";
  const command = of.check ?? `regrain check ${quotePath(of.path)}`;
  const { path, offsetBytes } = first;
  return new RegrainError(codeOf(of.findings, severity), `${first.message}${more}`, {
    path,
    ...(offsetBytes === undefined ? {} : { offsetBytes }),
    hint: severity === "damage"
      ? `${command} says what is behind it; copy the file again, if that does not help the disk is damaged`
      : `${command} says what is behind it; ${wayOf(first).hint}`,
  });
}

function codeOf(findings: Findings, severity: "damage" | "doubt"): ErrorCode {
  if (severity === "doubt") return wayOf(findings.first(severity)!).code;
  const { groups } = findings;
  const kinds = groups.filter((group) => group.severity === severity).map(({ kind }) => kind);
  if (kinds.every((kind) => kind === "grain-damaged")) return "GRAIN_DAMAGED";
  const proven = groups.some(({ kind }) => TRUNCATION_PROOFS.has(kind));
  return proven && kinds.every((kind) => TRUNCATION_KINDS.has(kind)) ? "TRUNCATED" : "DAMAGED";
}

/** One extent under survey. A file larger than the seen map is walked once a window of it. */
class ExtentSurvey {
  private readonly extent: Extent;
  private firstPass = true;

  constructor(
    private readonly core: Core,
    private readonly placed: PlacedExtent,
    private readonly findings: Findings,
    private readonly totals: RunTotals,
  ) {
    this.extent = placed.extent;
  }

  async run(overlaps: boolean): Promise<void> {
    const { extent, core } = this;
    const hasTables = extent.grainSectors !== undefined;
    const fileSectors = Math.ceil((extent.file?.sizeBytes ?? 0) / SECTOR_SIZE);
    const span = core.kernels.seenSectors();
    extent.damagedGrains?.clear();
    for (let from = 0; this.firstPass || (overlaps && hasTables && from < fileSectors); from += span) {
      if (overlaps && hasTables) this.openSeen(from, Math.min(from + span, fileSectors));
      await this.pass(overlaps && hasTables);
      this.firstPass = false;
    }
    const missing = this.placed.lengthSectors - extent.capacitySectors;
    if (missing > 0) addRun(this.totals, { place: HOLE_PLACE, lengthBytes: missing * SECTOR_SIZE });
  }

  private openSeen(from: number, to: number): void {
    this.core.kernels.seenOpen(from, to);
    for (const { label, sector, lengthSectors } of this.extent.regions) {
      if (sector >= to) continue;
      const conflict = this.core.kernels.seenClaim(sector, lengthSectors);
      if (conflict < 0) continue;
      this.add("region-shared", conflict * SECTOR_SIZE, `the ${label} overlaps another part of the header`);
    }
  }

  private async pass(overlaps: boolean): Promise<void> {
    const { extent, core, placed } = this;
    const list = core.lists[0];
    const to = Math.min(placed.lengthSectors, extent.capacitySectors);
    for (let from = 0; from < to;) {
      const window = { from, to, shift: 0, owner: 0 };
      from = await extent.fill(core, list, window, this.observer(overlaps));
      if (extent.verifyGrain) await this.verifyGrains(list, overlaps);
      else if (overlaps) await this.claimGrains(list);
      extent.damagedGrains?.mask(core, list, { ...window, to: from });
      if (this.firstPass) this.addTotals(list);
    }
  }

  /** A grain that overhangs the end of the disk has its whole place in the file, though nobody reads it all. */
  private async claimOverhang(list: RunList): Promise<void> {
    const { core, extent } = this;
    const last = list.count - 1;
    const rest = extent.capacitySectors % extent.grainSectors!;
    if (rest === 0 || list.end(0) !== extent.capacitySectors || list.place(last) < 0) return;
    const end = list.place(last) + list.length(last);
    if (core.kernels.seenClaim(end, extent.grainSectors! - rest) < 0) return;
    const offsetBytes = await extent.entryOffset?.(extent.capacitySectors - 1);
    this.add("grain-shared", offsetBytes ?? 0, "the last grain reaches into something else in the file");
  }

  private observer(overlaps: boolean): Observer {
    return {
      compareCopies: this.firstPass,
      unpacks: true,
      finding: (finding) => {
        if (this.firstPass) this.findings.add(finding);
      },
      table: ({ sector, lengthSectors, entryOffsetBytes }) => {
        if (!overlaps) return;
        const conflict = this.core.kernels.seenClaim(sector, lengthSectors);
        if (conflict < 0) return;
        const message = `a grain table at byte ${sector * SECTOR_SIZE} overlaps something else`;
        this.add("table-shared", entryOffsetBytes, message);
      },
    };
  }

  private addTotals(list: RunList): void {
    const { extent, totals } = this;
    let unannounced = 0;
    for (let i = 0; i < list.count; i++) {
      const place = list.place(i);
      addRun(totals, { place, lengthBytes: list.length(i) * SECTOR_SIZE });
      if (place === ZERO_PLACE) unannounced++;
    }
    if (unannounced === 0 || extent.announcesZeros !== false) return;
    if (this.findings.has("zero-unannounced", extent.path)) {
      return;
    }
    this.findings.add({
      severity: "note",
      kind: "zero-unannounced",
      path: extent.path,
      offsetBytes: 8,
      message:
        "tables hold zero grains though the header's flags do not announce them; they are taken as zeros",
    });
  }

  /** Claims the data of a list; what is claimed already is damage. */
  private async claimGrains(list: RunList): Promise<void> {
    const { core, extent } = this;
    for (const record of core.claimRuns(list)) {
      if (record.kind !== DAMAGE_KIND.shared) throw new Error(`a seen map reports damage ${record.kind}`);
      const offsetBytes = await extent.entryOffset?.(record.entry);
      const message =
        `the grain of sector ${record.entry} lies at file sector ${record.value}, which is in use already`;
      this.add("grain-shared", offsetBytes ?? 0, message);
    }
    await this.claimOverhang(list);
  }

  /** Unpacks every grain: how long it is, and whether it can be read at all, nothing else knows. */
  private async verifyGrains(list: RunList, overlaps: boolean): Promise<void> {
    const { core, extent } = this;
    const grain = extent.grainSectors!;
    for (let i = 0; i < list.count; i++) {
      if (list.place(i) < 0) continue;
      const end = list.start(i) + list.length(i);
      for (let sector = list.start(i); sector < end; sector += grain) {
        await this.verifyGrain(core, sector, overlaps);
      }
    }
  }

  private async verifyGrain(core: Core, sector: number, overlaps: boolean): Promise<void> {
    try {
      const region = await this.extent.verifyGrain!(sector);
      if (!overlaps || core.kernels.seenClaim(region.sector, region.lengthSectors) < 0) return;
      const offsetBytes = await this.extent.entryOffset?.(sector);
      this.add(
        "grain-shared",
        offsetBytes ?? 0,
        `the grain of sector ${sector} overlaps something else in the file`,
      );
    } catch (error) {
      if (!(error instanceof RegrainError) || error.code !== "GRAIN_DAMAGED") throw error;
      if (!this.firstPass) return;
      this.add("grain-damaged", error.offsetBytes ?? 0, error.reason);
      const { damagedGrains, grainSectors, capacitySectors } = this.extent;
      damagedGrains?.add({ sector, lengthSectors: Math.min(grainSectors!, capacitySectors - sector) });
    }
  }

  private add(kind: string, offsetBytes: number, message: string): void {
    this.findings.add({ severity: "damage", kind, path: this.extent.path, offsetBytes, message });
  }
}
