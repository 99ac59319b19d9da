/** Disks of this machine, for programs that use regrain as a library. */
import {
  type Context,
  Disk,
  doubtsOfDisk,
  judgeChain,
  openChain,
  refusalOf,
  requireNoDoubt,
} from "../../core-as/host/mod.ts";
import { createContext, type OpenFlags } from "../context.ts";
import { type Io, pickIo } from "../io/mod.ts";

export interface OpenOptions extends OpenFlags {
  /** Receives a sentence about each thing that was guessed, passed over, or is odd. */
  readonly onNotice?: (sentence: string) => void;
}

/** The files of this machine, and what opening needs beside them. */
export function machine(options: OpenOptions): { io: Io; context: Context } {
  const io = pickIo();
  return { io, context: createContext(io, options, options.onNotice) };
}

/**
 * Opens a raw image, a block device, or a VMDK with all deltas below it and its base.
 *
 * @returns A disk that reads as its guest would read it. Close it.
 * @throws {RegrainError} What cannot be read for certain is refused, as every command refuses it.
 */
export async function openDisk(path: string, options: OpenOptions = {}): Promise<Disk> {
  const { context } = machine(options);
  const disk = new Disk(context.core, await openChain(path, context));
  try {
    for (const verdict of judgeChain(disk.links)) {
      const refusal = refusalOf(verdict);
      if (refusal !== undefined) throw refusal;
      if (verdict.state !== "match") options.onNotice?.(`${verdict.child}: ${verdict.reasons.join("; ")}`);
    }
    requireNoDoubt(doubtsOfDisk(disk.links), { force: false });
    return disk;
  } catch (error) {
    disk.close();
    throw error;
  }
}
