/**
 * Everything about the formats and the algorithms, for the command line and the page alike.
 *
 * This module is browser compatible.
 *
 * @module
 */
export * from "./bounds.ts";
export { wantedParent } from "./candidate.ts";
export * from "./chain.ts";
export * from "./command_line.ts";
export * from "./compare.ts";
export type { Context } from "./context.ts";
export * from "./descriptor.ts";
export * from "./diff.ts";
export * from "./disk.ts";
export * from "./doubts.ts";
export * from "./encryption.ts";
export * from "./errors.ts";
export * from "./extent.ts";
export * from "./findings.ts";
export * from "./files.ts";
export * from "./format_choice.ts";
export * from "./guest/mod.ts";
export type { Inflater } from "./inflate.ts";
export * from "./held.ts";
export * from "./judgement.ts";
export * from "./target_size.ts";
export * from "./link.ts";
export * from "./names.ts";
export * from "./plan.ts";
export { HEAD_BYTES } from "./descriptor_text.ts";
export * from "./printable.ts";
export { findDescriptorBeside } from "./descriptor_file.ts";
export * from "./probe.ts";
export * from "./resolve.ts";
export * from "./source.ts";
export * from "./survey.ts";
export * from "./units.ts";
export * from "./verdict.ts";
export * from "./vm_folder.ts";
export * from "./vmx.ts";
export * from "./wasm.ts";
export { type WayIn, wayInto } from "./way_in.ts";
