/**
 * Everything about the formats and the algorithms, for the command line and the page alike.
 *
 * This module is browser compatible.
 *
 * @module
 */
export * from "./bounds.ts";
export { wantedParent } from "./disk/candidate.ts";
export * from "./disk/chain.ts";
export * from "./command_line.ts";
export * from "./disk/compare.ts";
export type { Context } from "./context.ts";
export * from "./formats/vmdk/descriptor.ts";
export * from "./disk/diff.ts";
export * from "./disk/disk.ts";
export * from "./disk/doubts.ts";
export * from "./formats/vmdk/encryption.ts";
export * from "./errors.ts";
export * from "./extent.ts";
export * from "./disk/findings.ts";
export * from "./files.ts";
export * from "./formats/format_choice.ts";
export * from "./formats/identity.ts";
export type { FormatRecord, OpenWay, WayIn } from "./formats/format.ts";
export { formatByName } from "./formats/formats.ts";
export * from "./formats/image_format.ts";
export type { ParentHint, Wanted } from "./formats/parent_hint.ts";
export { descriptorDespite, isDescriptorOfOwnExtent } from "./formats/vmdk/own_extent.ts";
export { descriptorOf, vmdkIdentity } from "./formats/vmdk/identity.ts";
export type { HeldDescriptor } from "./formats/vmdk/vmdk.ts";
export * from "./guest/mod.ts";
export type { Inflater, Unpackers } from "./inflate.ts";
export * from "./disk/held.ts";
export * from "./disk/judgement.ts";
export * from "./disk/target_size.ts";
export * from "./disk/link.ts";
export * from "./disk/open_link.ts";
export * from "./names.ts";
export * from "./disk/placed_runs.ts";
export * from "./disk/plan.ts";
export { readAtOnce } from "./disk/read_at_once.ts";
export { HEAD_BYTES } from "./formats/vmdk/descriptor_text.ts";
export * from "./printable.ts";
export { findDescriptorBeside } from "./formats/vmdk/descriptor_file.ts";
export * from "./formats/probe.ts";
export * from "./disk/resolve.ts";
export * from "./source.ts";
export * from "./disk/survey.ts";
export * from "./units.ts";
export * from "./disk/verdict.ts";
export * from "./vm_folder.ts";
export * from "./vmx.ts";
export * from "./wasm.ts";
export { wayInto } from "./formats/way_in.ts";
