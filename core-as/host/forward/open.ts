/**
 * A disk in a file that passes by once, front to back: what can be told at its start, and the way through it.
 *
 * This module is browser compatible.
 */
import { notADisk, probeHead } from "../formats/probe.ts";
import { HEAD_BYTES } from "../formats/vmdk/descriptor_text.ts";
import { RegrainError } from "../errors.ts";
import { SECTOR_SIZE } from "../units.ts";
import type { Core } from "../wasm.ts";
import type { ForwardDisk, ForwardOptions } from "./disk.ts";
import { forwardFormatOf } from "./formats.ts";
import { type ForwardInput, FrontSource, MAX_SLACK_BYTES, PIPE_NAME } from "./input.ts";
import { LOOSE_BYTES } from "./passage.ts";
import type { Tools } from "./tables.ts";

/** The part of the kernels' buffer that an input takes for its window. */
export function forwardWindow(core: Core): Uint8Array {
  return core.buffer.subarray(0, core.buffer.length - LOOSE_BYTES);
}

/**
 * Looks at the start of a file.
 *
 * @throws {RegrainError} `NOT_A_DISK`, and all that opening the same file by its name may.
 */
export async function openForward(tools: Tools, options: ForwardOptions): Promise<ForwardDisk> {
  const { input } = tools;
  await input.fillFront();
  await input.require(SECTOR_SIZE);
  const headBytes = Math.min(input.availableBytes, HEAD_BYTES);
  const seen = probeHead(input.bytes(headBytes).slice());
  const format = forwardFormatOf(seen);
  if (headBytes === 0) {
    throw new RegrainError("NOT_A_DISK", "the pipe is empty: whatever was to write the delta wrote nothing", {
      path: PIPE_NAME,
      offsetBytes: 0,
      hint: "look at the message of the other end; set -o pipefail makes the shell tell",
    });
  }
  if (!format) throw notADisk({ path: PIPE_NAME, sizeBytes: headBytes }, seen);
  return await format.readForward({ front: new FrontSource(input), seen }, tools, options);
}

/** What came behind the last byte that means anything. */
export interface Slack {
  readonly slackBytes: number;
  /** True when there was more than anybody should send, and its end was not waited for. */
  readonly isLeft: boolean;
  /** Byte of the stream at which another disk begins. */
  readonly nextDiskAt: number | undefined;
}

/** Passes what comes behind the disk, so that whoever sends it can end in peace. */
export async function passSlack(input: ForwardInput): Promise<Slack> {
  const from = input.position;
  await input.drain(MAX_SLACK_BYTES, SECTOR_SIZE);
  if (input.ended) await input.drain(0, 0);
  return { slackBytes: input.position - from, isLeft: !input.ended, nextDiskAt: input.stray.at };
}
