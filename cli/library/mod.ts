/**
 * regrain as a library: what is exported here is public, described in docs/library.md, and keeps its meaning between
 * versions. Everything else is internal.
 *
 * @module
 */
export { type Applied, applyDeltas, type ApplyJob, openDeltas, type OpenedDeltas } from "./apply.ts";
export { openDisk, type OpenOptions } from "./disks.ts";
export { type OpenedSnapshot, openSnapshot, type SnapshotRequest } from "./snapshots.ts";
export {
  type ApplyPlan,
  Batch,
  compareDisks,
  type Comparison,
  Disk,
  type ErrorCode,
  ERRORS,
  type Operation,
  operations,
  readBytes,
  RegrainError,
  type Run,
  type RunKind,
  type Source,
} from "../../core-as/host/mod.ts";
