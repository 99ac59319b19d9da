/** A map saved by `regrain map --json`, opened where the disk itself is not: runs, and no bytes. */
import { type Observer, RegrainError, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import { DAMAGED, DATA, HOLE, type PlacedRun, type Runs, ZERO } from "./runs.ts";

/** Larger maps would not fit in memory as text. */
const MAX_MAP_BYTES = 256 * 1024 * 1024;
/** Runs handed on in one step. */
const STEP_RUNS = 65_536;

/** True when the first bytes of a file are those of a map. */
export function looksLikeMap(head: Uint8Array): boolean {
  return /^\s*\{\s*"version"\s*:\s*1\s*,\s*"image"/.test(new TextDecoder().decode(head));
}

/**
 * Reads a map.
 *
 * @throws {RegrainError} `NOT_A_DISK` when it is none, `LIMIT_EXCEEDED`.
 */
export function parseMap(bytes: Uint8Array, path: string): MapRuns {
  if (bytes.length > MAX_MAP_BYTES) {
    throw new RegrainError("LIMIT_EXCEEDED", `a map of ${bytes.length} bytes, at most 256 MiB are read`, {
      path,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new RegrainError("NOT_A_DISK", "the map is no JSON: it was cut short, or edited", { path, cause });
  }
  const fields = value as Partial<Record<"image" | "capacityBytes" | "runs" | "files", unknown>>;
  const { image, capacityBytes, runs, files } = fields;
  const isMap = typeof image === "string" && isSectors(capacityBytes) && Array.isArray(runs) &&
    Array.isArray(files) && files.every((file) => typeof file === "string");
  if (!isMap) throw notAMap(path, "a field of the map is missing");
  return new MapRuns({ name: image, capacitySectors: capacityBytes / SECTOR_SIZE, files }, runs, path);
}

function isSectors(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value % SECTOR_SIZE === 0;
}

function notAMap(path: string, message: string): RegrainError {
  return new RegrainError("NOT_A_DISK", message, { path, hint: "write it again: regrain map --json IMAGE" });
}

const KINDS = new Map<unknown, number>([["data", DATA], ["zero", ZERO], ["hole", HOLE], [
  "damaged",
  DAMAGED,
]]);

export class MapRuns implements Runs {
  readonly capacitySectors: number;
  readonly name: string;
  readonly files: readonly string[];
  private readonly runs: readonly PlacedRun[];

  constructor(
    disk: { readonly name: string; readonly capacitySectors: number; readonly files: readonly string[] },
    runs: readonly unknown[],
    path: string,
  ) {
    this.name = disk.name;
    this.capacitySectors = disk.capacitySectors;
    this.files = disk.files;
    let reached = 0;
    this.runs = runs.map((each, i) => {
      const run = parseRun(each, disk.files.length);
      if (run?.start !== reached) throw notAMap(path, `run ${i} of the map is not right`);
      reached += run.length;
      return run;
    });
    if (reached !== this.capacitySectors) throw notAMap(path, "the runs of the map do not cover the disk");
  }

  step(from: number, to: number, _observer: Observer, visit: (run: PlacedRun) => void): Promise<number> {
    const { runs } = this;
    let at = from;
    const first = this.indexOf(from);
    const last = Math.min(runs.length, first + STEP_RUNS);
    for (let i = first; i < last && at < to; i++) {
      const run = runs[i]!;
      const end = Math.min(to, run.start + run.length);
      visit({ ...run, start: at, length: end - at, place: run.place + at - run.start });
      at = end;
    }
    return Promise.resolve(at);
  }

  private indexOf(sector: number): number {
    let [low, high] = [0, this.runs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { start, length } = this.runs[middle]!;
      if (start + length <= sector) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function parseRun(value: unknown, fileCount: number): PlacedRun | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { start, length, kind, file, fileOffset } = value as Record<string, unknown>;
  const code = KINDS.get(kind);
  if (!isSectors(start) || !isSectors(length) || length === 0 || code === undefined) return undefined;
  const run = {
    start: start / SECTOR_SIZE,
    length: length / SECTOR_SIZE,
    kind: code,
    file: -1,
    place: NaN,
    link: -1,
  };
  if (code !== DATA) return run;
  if (typeof file !== "number" || !Number.isInteger(file) || file < 0 || file >= fileCount) return undefined;
  return { ...run, file, link: 0, place: isSectors(fileOffset) ? fileOffset / SECTOR_SIZE : NaN };
}
