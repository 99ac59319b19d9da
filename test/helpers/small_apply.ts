/** A small apply on a machine in memory, with all that makes it safe: every step of it is few bytes. */
import assert from "node:assert/strict";
import * as kernels from "../../core-as/core.wasm";
import { inflatePortable, inflateRawPortable } from "../../core-as/host/inflate.ts";
import { type Context, Core, RegrainError } from "../../core-as/host/mod.ts";
import { applyPipe } from "../../cli/apply/pipe.ts";
import { type ApplyRequest, intentOf, prepareDeltas } from "../../cli/apply/prepare.ts";
import { prepareTarget } from "../../cli/target/prepare.ts";
import { requireOwnTarget } from "../../cli/target/recognise.ts";
import { runPrepared, type RunResult } from "../../cli/apply/run.ts";
import { takeBack } from "../../cli/target/take_back.ts";
import { prepareDiff } from "../../cli/target/undo_file.ts";
import type { UndoState } from "../../cli/target/undo_name.ts";
import {
  baseDisk,
  baseFiles,
  buildCowd,
  deltaFiles,
  type Grain,
  type LinkSpec,
  overlay,
  Rng,
} from "../../fixtures/mod.ts";
import { Crash, CrashMachine } from "./crash_machine.ts";
import { core as wholeCore } from "./memory.ts";
import { MemoryScratch, pipeOf } from "./pipe.ts";

export const SECTORS = 600;
/** So small that even this disk takes many buffers. */
const BUFFER_BYTES = 16 * 1024;
const PIPE_WINDOW_BYTES = 64 * 1024;
const CHECKPOINT_BYTES = 40 * 1024;
export const TARGET = "vm.img";
export const UNDO = "vm.undo";
export const JOURNAL = "vm.journal";
export const SAFE: Safety = { undo: UNDO, journal: JOURNAL };

export const core = new Core(kernels);
Object.defineProperty(core, "buffer", { value: core.buffer.subarray(0, BUFFER_BYTES) });

function link(): LinkSpec {
  const rng = new Rng(5);
  const grains: Grain[] = [];
  for (let index = 0; index < SECTORS;) {
    const end = Math.min(SECTORS, index + 1 + rng.int(40));
    const kind = (["data", "zero", undefined] as const)[rng.int(3)];
    for (; index < end; index++) if (kind) grains.push({ index, kind });
  }
  return { capacitySectors: SECTORS, grainSectors: 1, seed: 9, grains };
}

export const LINK = link();
const DELTA = buildCowd(LINK).bytes;
/** A base with stretches of zeros, which an undo file holds as zeros. */
export const BEFORE = withZeros(baseDisk(SECTORS));
export const AFTER = overlay(BEFORE, LINK);

function withZeros(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  bytes.fill(0, 100 * 512, 180 * 512);
  bytes.fill(0, 400 * 512, 417 * 512);
  return bytes;
}

/** Sectors that the delta writes. */
export const WRITTEN: readonly number[] = LINK.grains.map(({ index }) => index);

/** A base that holds what the delta writes already, but in every `step`-th of the sectors that it writes. */
export function mostlyAlike(step: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(AFTER);
  for (const [i, sector] of WRITTEN.entries()) {
    if (i % step === 0) bytes.set(BEFORE.subarray(sector * 512, sector * 512 + 512), sector * 512);
  }
  return bytes;
}

export function machineWith(target: Uint8Array = BEFORE, crashAt = Infinity, inFlight = 1): CrashMachine {
  const delta = deltaFiles({ kind: "cowd", bytes: DELTA, capacitySectors: SECTORS });
  const files = { ...baseFiles({ capacitySectors: SECTORS }), ...delta, [TARGET]: target };
  return new CrashMachine(files, crashAt, inFlight);
}

export const REQUEST: ApplyRequest = {
  deltas: ["disk-000001.vmdk"],
  target: TARGET,
  chain: false,
  create: false,
  force: false,
  dryRun: false,
};

function contextOf(machine: CrashMachine): Context {
  const names = { search: [], allowOutside: false };
  return {
    core,
    files: machine.links,
    names,
    inflate: inflatePortable,
    unpackers: { inflateRaw: inflateRawPortable },
    ignoreJournal: false,
    format: undefined,
    warn: () => {},
  };
}

export interface Safety {
  readonly undo?: string;
  readonly journal?: string;
  readonly resume?: boolean;
  readonly force?: boolean;
}

export async function apply(machine: CrashMachine, safety: Safety): Promise<RunResult> {
  const context = contextOf(machine);
  const prepared = await prepareDeltas(REQUEST, context);
  const target = await prepareTarget(REQUEST, intentOf(prepared.disk), { io: machine.io, context });
  return await runPrepared({ prepared, target: target!, io: machine.io }, {
    sparse: "auto",
    resume: false,
    checkpointBytes: CHECKPOINT_BYTES,
    onProgress: () => {},
    ...safety,
  });
}

/** The same delta through a pipe. */
export async function applyFromPipe(machine: CrashMachine, undo: string): Promise<void> {
  await applyPipe({ ...REQUEST, inputs: [] }, {
    io: machine.io,
    // The window of a pipe has more in it than the buffer.
    context: { ...contextOf(machine), core: wholeCore },
    read: pipeOf(DELTA, 1000),
    scratch: new MemoryScratch(),
    undo,
    windowBytes: PIPE_WINDOW_BYTES,
    onOpen: () => undefined,
  }, { sparse: "auto" });
}

/** As `regrain apply UNDO TARGET` does it. */
export async function takeAllBack(machine: CrashMachine, options: { force?: boolean } = {}): Promise<void> {
  const prepared = await prepareDiff(machine.io.openSource(UNDO));
  const target = machine.io.openTarget(TARGET, { force: false });
  const { isReturned } = await requireOwnTarget(prepared, { target, force: options.force ?? false });
  if (!isReturned) await takeBack({ core, io: machine.io, prepared, target });
}

/** What the undo file says of itself; `undefined` when there is none that is whole. */
export async function stateOf(machine: CrashMachine): Promise<UndoState | undefined> {
  if (!machine.has(UNDO) || !(await isStarted(machine))) return undefined;
  return (await prepareDiff(machine.io.openSource(UNDO))).undo?.state;
}

/** An undo file of which not even the header is durable protects nothing, since nothing was overwritten. */
export async function isStarted(machine: CrashMachine): Promise<boolean> {
  try {
    await prepareDiff(machine.io.openSource(UNDO));
    return true;
  } catch (error) {
    if (error instanceof RegrainError && ["TRUNCATED", "NOT_A_DISK", "DAMAGED"].includes(error.code)) {
      return false;
    }
    throw error;
  }
}

/** True when the machine stopped on the way, false when the work went through. */
export async function crashes(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  }
}

/** Asserts that work is refused with a code, and changes nothing of the target. */
export async function assertRefused(
  machine: CrashMachine,
  { code, work }: { code: string; work: () => Promise<unknown> },
): Promise<RegrainError> {
  const before = machine.bytesOf(TARGET);
  let refusal: unknown;
  await assert.rejects(work(), (error) => (refusal = error) instanceof RegrainError);
  assert.equal((refusal as RegrainError).code, code, String(refusal));
  assert.deepEqual(machine.bytesOf(TARGET), before, "it was refused, and yet something was written");
  return refusal as RegrainError;
}
