/**
 * Flat extents, zero extents and raw files: no tables, the bytes are the disk.
 *
 * This module is browser compatible.
 */
import type { Extent, Finding } from "../../extent.ts";
import { Batch, type Medium, mediumOf, type Source } from "../../source.ts";
import { ceilDiv, MIB, SECTOR_SIZE } from "../../units.ts";
import { type Core, type RunList, ZERO_PLACE } from "../../wasm.ts";

/** Where a file knows its holes it is asked for this much at a time. */
const STEP_SECTORS = 1024 * MIB / SECTOR_SIZE;
/** Runs that one step takes of a file, so that the list has room for them and for the padding. */
const STEP_RUNS = 65_536;

/**
 * A flat extent. A file shorter than its line reads as zeros there: a copy that lost its zero tail, or one that was cut
 * short, which nothing can tell apart. So it is a doubt.
 *
 * @param file            The bytes.
 * @param capacitySectors Size by the extent line.
 * @param offsetSectors   Where the extent starts in the file.
 * @param wholeFile       The size is that of the file, which may end inside its last sector.
 */
export function openFlat(
  file: Source,
  at: { capacitySectors: number; offsetSectors: number; wholeFile?: boolean },
): Extent {
  const { capacitySectors, offsetSectors } = at;
  const present = Math.max(
    0,
    Math.min(capacitySectors, ceilDiv(file.sizeBytes, SECTOR_SIZE) - offsetSectors),
  );
  const findings: Finding[] = [];
  if (!at.wholeFile && file.sizeBytes < (offsetSectors + capacitySectors) * SECTOR_SIZE) {
    const endBytes = (offsetSectors + capacitySectors) * SECTOR_SIZE;
    findings.push({
      severity: "doubt",
      kind: "flat-short",
      path: file.path,
      offsetBytes: file.sizeBytes,
      message:
        `the file has ${file.sizeBytes} bytes, its extent line needs ${endBytes}: what is missing reads as zeros`,
    });
  }
  return {
    format: "flat",
    formatName: "flat",
    path: file.path,
    capacitySectors,
    grainSectors: undefined,
    file,
    data: file.sizeBytes % SECTOR_SIZE === 0 ? file : new WholeSectors(file),
    regions: [],
    facts: { offset: offsetSectors, fileBytes: file.sizeBytes },
    findings,
    async fill(core, list, window) {
      let reached = file.runs ? Math.min(window.to, window.from + STEP_SECTORS) : window.to;
      core.kernels.openList(list.address, window.from, reached, window.shift, window.owner);
      if (window.from < present) {
        const to = Math.min(reached, present);
        const pushed = await pushFile(core, file, { from: window.from, to, offsetSectors });
        if (pushed < to) reached = pushed;
      }
      if (reached > present) core.kernels.pushRun(present, reached - present, ZERO_PLACE);
      core.close(list);
      return reached;
    },
  };
}

/** A file that ends inside a sector, with zeros up to the end of that sector. */
class WholeSectors implements Source {
  readonly path: string;
  readonly sizeBytes: number;

  constructor(private readonly file: Source) {
    this.path = file.path;
    this.sizeBytes = ceilDiv(file.sizeBytes, SECTOR_SIZE) * SECTOR_SIZE;
  }

  get medium(): Medium {
    return mediumOf([this.file]);
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    const present = new Batch();
    for (let i = 0; i < batch.count; i++) {
      const offsetBytes = batch.offsetBytes[i]!;
      const at = batch.at[i]!;
      const end = at + batch.lengthBytes[i]!;
      const lengthBytes = Math.max(0, Math.min(batch.lengthBytes[i]!, this.file.sizeBytes - offsetBytes));
      if (lengthBytes > 0) present.add({ offsetBytes, lengthBytes, at });
      buffer.fill(0, at + lengthBytes, end);
    }
    await this.file.read(present, buffer);
  }

  close(): void {
    this.file.close();
  }
}

/** Pushes the file's own runs; its holes are zeros, since nothing lies below a flat extent. Returns how far it came. */
async function pushFile(
  core: Core,
  file: Source,
  at: { from: number; to: number; offsetSectors: number },
): Promise<number> {
  const { from, to, offsetSectors } = at;
  if (!file.runs) {
    core.kernels.pushRun(from, to - from, offsetSectors + from);
    return to;
  }
  // The last sector may go on past the end of the file, of which nothing may be asked.
  const endBytes = Math.min((offsetSectors + to) * SECTOR_SIZE, file.sizeBytes);
  const runs = await file.runs((offsetSectors + from) * SECTOR_SIZE, endBytes);
  let next = from;
  let count = 0;
  for (const run of runs) {
    // Zeros shrink to whole sectors, data grows: a sector that holds any data is data.
    const isData = run.kind === "data";
    const end = (run.start + run.length) / SECTOR_SIZE - offsetSectors;
    const stop = Math.min(to, isData ? ceilDiv(end, 1) : Math.floor(end));
    if (stop <= next) continue;
    if (count++ === STEP_RUNS) return next;
    core.kernels.pushRun(next, stop - next, isData ? offsetSectors + next : ZERO_PLACE);
    next = stop;
  }
  if (next < to) core.kernels.pushRun(next, to - next, offsetSectors + next);
  return to;
}

/** An extent without a file that reads as zeros: a ZERO line, or one that the guest may not access. */
export function openZero(
  at: { path: string; capacitySectors: number; findings: readonly Finding[] },
): Extent {
  return {
    format: "zero",
    formatName: "zero",
    path: at.path,
    capacitySectors: at.capacitySectors,
    grainSectors: undefined,
    file: undefined,
    data: undefined,
    regions: [],
    facts: {},
    findings: at.findings,
    fill(core: Core, list: RunList, window) {
      core.kernels.openList(list.address, window.from, window.to, window.shift, window.owner);
      core.kernels.pushRun(window.from, window.to - window.from, ZERO_PLACE);
      core.close(list);
      return Promise.resolve(window.to);
    },
  };
}
