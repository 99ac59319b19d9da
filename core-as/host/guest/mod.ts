/**
 * What lies on a virtual disk: partitions, file systems, and how much of each changes.
 *
 * This module is browser compatible.
 *
 * @module
 */
export * from "./areas.ts";
export { checkContent, type ContentCheck } from "./content_check.ts";
export { FILE_SYSTEM_NAMES, type FileSystem, type FileSystemType } from "./file_system.ts";
export { recognise } from "./file_systems.ts";
export * from "./guest.ts";
export type { Partition, PartitionScheme, PartitionTable, PartitionType, Problem } from "./partition.ts";
export { readPartitions } from "./partitions.ts";
