/** Applying deltas, for programs that use regrain as a library. */
import type { ApplyPlan, Disk } from "../../core-as/host/mod.ts";
import { applyDeltas as applyFiles } from "../apply/apply_deltas.ts";
import { type PreparedDeltas, prepareDeltas } from "../apply/prepare.ts";
import { doneBytesOf } from "../target/counts.ts";
import { asInputs, requireOnePurpose } from "../target/purposes.ts";
import { machine, type OpenOptions } from "./disks.ts";

/** Deltas that were opened and found sound. */
export interface OpenedDeltas {
  /** What they hold together; where none of them has something, it has a hole. Close it. */
  readonly disk: Disk;
  /** What an apply would write. */
  readonly plan: ApplyPlan;
}

/**
 * Opens deltas and reads every table of them.
 *
 * @param deltas Oldest first.
 * @throws {RegrainError} `DAMAGED`, `CHAIN_BROKEN` and all that opening may.
 */
export async function openDeltas(
  deltas: readonly string[],
  options: OpenOptions = {},
): Promise<OpenedDeltas> {
  return await prepared({ deltas, target: "" }, options);
}

export interface ApplyJob extends OpenOptions {
  /** Oldest first. */
  readonly deltas: readonly string[];
  /** Image file, block device, or descriptor of a flat VMDK. */
  readonly target: string;
  /** Makes a missing target; what no delta has reads as zeros. */
  readonly create?: boolean;
  /** File that saves what is overwritten: `regrain apply FILE TARGET` takes it back. */
  readonly undo?: string;
  /** Receives how many bytes of the disk are done. */
  readonly onProgress?: (doneBytes: number) => void;
}

/** What an apply did, in bytes; the four make up the disk. */
export interface Applied {
  readonly writtenBytes: number;
  readonly zeroedBytes: number;
  /** Were zeros, and became holes instead. */
  readonly sparedBytes: number;
  readonly skippedBytes: number;
}

/**
 * Applies deltas. Everything is checked before the first byte is written, and when this returns all is durable.
 *
 * @throws {RegrainError} `TARGET_*`, `SIZE_MISMATCH`, `WRONG_BASE` before anything was written; what reading and
 * writing may afterwards: then doing it again completes it.
 */
export async function applyDeltas(job: ApplyJob): Promise<Applied> {
  const { io, context } = machine(job);
  const { create = false, undo } = job;
  const beside = undo === undefined ? {} : { undo };
  requireOnePurpose(beside, [...asInputs(job.deltas), { what: "the target", path: job.target }], io);
  const warn = (sentence: string) => job.onNotice?.(sentence);
  const { target, deltas } = job;
  const outcome = await applyFiles(
    { deltas, target, chain: false, create, force: false, dryRun: false },
    {
      sparse: "auto",
      undo,
      journal: undefined,
      resume: false,
      verify: false,
      hash: false,
      secondLane: false,
    },
    { io, context },
    {
      warn,
      detail: () => undefined,
      planned: (planned) => planned.target?.warnings.forEach(warn),
      begin: (target) => target,
      progress: (counts) => job.onProgress?.(doneBytesOf(counts)),
      resumed: () => undefined,
      readBack: (work) => work.run(() => undefined),
    },
  );
  const { writtenBytes, zeroedBytes, sparedBytes, skippedBytes } = outcome!.result.counts;
  return { writtenBytes, zeroedBytes, sparedBytes, skippedBytes };
}

function prepared(
  { deltas, target }: { deltas: readonly string[]; target: string },
  options: OpenOptions,
): Promise<PreparedDeltas> {
  const request = { deltas, target, chain: false, create: false, force: false, dryRun: false };
  return prepareDeltas(request, machine(options).context);
}
