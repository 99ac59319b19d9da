/**
 * Disks in files that pass by once, as through a pipe.
 *
 * This module is browser compatible.
 *
 * @module
 */
export * from "./disk.ts";
export * from "./input.ts";
export * from "./kept.ts";
export * from "./open.ts";
export * from "./sink.ts";
export type { Tools as ForwardTools } from "./tables.ts";
