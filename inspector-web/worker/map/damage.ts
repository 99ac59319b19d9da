/** Which sectors of the disk a damaged table takes away, for the map. */
import type { Extent, Finding, Link, Observer, PlacedExtent } from "../../../core-as/host/mod.ts";
import { SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import { type Geometry, geometryOf, type SectorRange } from "../disk/geometry.ts";

type Table = Parameters<NonNullable<Observer["table"]>>[0];

/** Collects damage during one step of a walk, since only the tables of that step say what an entry is for. */
export class DamageObserver implements Observer {
  private findings: Finding[] = [];
  private tables: Table[] = [];
  private readonly geometries = new Map<Extent, Geometry | undefined>();

  constructor(private readonly links: readonly Link[]) {}

  finding(finding: Finding): void {
    if (finding.severity === "damage") this.findings.push(finding);
  }

  table(table: Table): void {
    this.tables.push(table);
  }

  /** The sectors that the step just made found damaged. */
  take(): SectorRange[] {
    const ranges = this.findings.flatMap((finding) => this.locate(finding) ?? []);
    this.findings = [];
    this.tables = [];
    return ranges;
  }

  private locate(finding: Finding): SectorRange | undefined {
    const { offsetBytes, path } = finding;
    const placed = this.links.flatMap(({ extents }) => extents).find(({ extent }) => extent.path === path);
    const geometry = placed && this.geometryOf(placed.extent);
    if (!placed || !geometry || offsetBytes === undefined) return undefined;
    const inDirectory = indexIn(geometry, offsetBytes);
    if (inDirectory !== undefined) return rangeOf(placed, geometry, { table: inDirectory });
    const tableBytes = geometry.entriesPerTable * geometry.entryBytes;
    const table = this.tables.find(({ sector }) => {
      const start = sector * SECTOR_SIZE;
      return offsetBytes >= start && offsetBytes < start + tableBytes;
    });
    const index = table && indexIn(geometry, table.entryOffsetBytes);
    if (!table || index === undefined) return undefined;
    const entry = Math.floor((offsetBytes - table.sector * SECTOR_SIZE) / geometry.entryBytes);
    return rangeOf(placed, geometry, { table: index, entry });
  }

  private geometryOf(extent: Extent): Geometry | undefined {
    if (!this.geometries.has(extent)) this.geometries.set(extent, geometryOf(extent));
    return this.geometries.get(extent);
  }
}

/** Which directory entry a byte of the file belongs to. */
function indexIn(geometry: Geometry, offsetBytes: number): number | undefined {
  const index = Math.floor((offsetBytes - geometry.directoryOffsetBytes) / geometry.directoryEntryBytes);
  return index >= 0 && index < geometry.directoryEntries ? index : undefined;
}

function rangeOf(
  { startSector, lengthSectors }: PlacedExtent,
  { entriesPerTable, grainSectors }: Geometry,
  at: { readonly table: number; readonly entry?: number },
): SectorRange {
  const span = at.entry === undefined ? entriesPerTable * grainSectors : grainSectors;
  const first = at.table * entriesPerTable * grainSectors + (at.entry ?? 0) * grainSectors;
  return { from: startSector + first, to: startSector + Math.min(lengthSectors, first + span) };
}
