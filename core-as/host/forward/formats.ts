/**
 * The formats that can be read in one pass: one record each, beside those of `../formats/formats.ts`, so that the page,
 * which has no pipes, carries none of them.
 *
 * This module is browser compatible.
 */
import { formatOfLooks, type Probe } from "../formats/probe.ts";
import type { ForwardRecord } from "./disk.ts";
import { VMDK_FORWARD } from "./vmdk.ts";

const FORWARD_FORMATS: readonly ForwardRecord[] = [VMDK_FORWARD];

/** The record for what begins so; `undefined` where there is none. A pipe has no name, so the bytes decide. */
export function forwardFormatOf(seen: Probe): ForwardRecord | undefined {
  const looks = formatOfLooks(seen);
  return FORWARD_FORMATS.find(({ name }) => name === looks);
}
