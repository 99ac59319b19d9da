/**
 * What a backup repository is, byte by byte, and how it is read.
 *
 * This module is browser compatible.
 *
 * @module
 */
export * from "./description.ts";
export * from "./fields.ts";
export * from "./map_page.ts";
export * from "./names.ts";
export * from "./objects.ts";
export * from "./reader.ts";
export * from "./sealing.ts";
export * from "./snapshot.ts";
export * from "./snapshot_diff.ts";
export * from "./snapshot_source.ts";
export * from "./vm_snapshot.ts";
