/** Applying deltas, for programs that use regrain as a library. */
import type { ApplyPlan, Disk } from "../../core-as/host/mod.ts";
import { intentOf, type PreparedDeltas, prepareDeltas } from "../apply/prepare.ts";
import { requireLikelyBase } from "../apply/likely_base.ts";
import { runPrepared } from "../apply/run.ts";
import { discardMade } from "../target/made_target.ts";
import { prepareTarget } from "../target/prepare.ts";
import { asInputs, asParts, requireOnePurpose } from "../target/purposes.ts";
import { requireRoomBeside } from "../target/room_beside.ts";
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
  const deltas = await prepared(job, job);
  try {
    const { plan } = deltas;
    const need = { operation: "apply", undoBytes: plan.writeBytes + plan.zeroBytes } as const;
    for (const warning of requireRoomBeside(beside, need, io)) job.onNotice?.(warning);
    const request = { target: job.target, create, force: false, dryRun: false };
    const target = (await prepareTarget(request, intentOf(deltas.disk), { io, context }))!;
    try {
      requireOnePurpose(beside, asParts(target.target), io);
      const likely = await requireLikelyBase(deltas.disk, target, request);
      for (const warning of [...target.warnings, ...likely]) job.onNotice?.(warning);
      const { counts } = await runPrepared({ prepared: deltas, target, io }, {
        sparse: "auto",
        resume: false,
        ...beside,
        onProgress: ({ writtenBytes, zeroedBytes, sparedBytes, skippedBytes }) =>
          job.onProgress?.(writtenBytes + zeroedBytes + sparedBytes + skippedBytes),
      });
      const { writtenBytes, zeroedBytes, sparedBytes, skippedBytes } = counts;
      return { writtenBytes, zeroedBytes, sparedBytes, skippedBytes };
    } catch (error) {
      discardMade(target.target);
      throw error;
    } finally {
      target.target.close();
    }
  } finally {
    deltas.disk.close();
  }
}

function prepared(
  { deltas, target }: { deltas: readonly string[]; target: string },
  options: OpenOptions,
): Promise<PreparedDeltas> {
  const request = { deltas, target, chain: false, create: false, force: false, dryRun: false };
  return prepareDeltas(request, machine(options).context);
}
