/**
 * The headers of VMDKs, field by field, under the names that their descriptions give them.
 *
 * This module is browser compatible.
 */
import type { HeaderField } from "../../extent.ts";

/** Fields one after the other, from a byte on. */
function fields(at: number, ...named: readonly (readonly [string, number])[]): HeaderField[] {
  let next = at;
  return named.map(([name, lengthBytes]) => {
    const field = { name, at: next, lengthBytes };
    next += lengthBytes;
    return field;
  });
}

/** VMware Virtual Disk Format 5.0, "Hosted Sparse Extents": SparseExtentHeader. */
export const HOSTED_FIELDS: readonly HeaderField[] = [
  ...fields(0, ["magicNumber", 4], ["version", 4], ["flags", 4], ["capacity", 8], ["grainSize", 8]),
  ...fields(28, ["descriptorOffset", 8], ["descriptorSize", 8], ["numGTEsPerGT", 4], ["rgdOffset", 8]),
  ...fields(56, ["gdOffset", 8], ["overHead", 8], ["uncleanShutdown", 1], ["singleEndLineChar", 1]),
  ...fields(74, ["nonEndLineChar", 1], ["doubleEndLineChar1", 1], ["doubleEndLineChar2", 1]),
  ...fields(77, ["compressAlgorithm", 2]),
];

/** The same, "ESX Server Sparse Extents": COWDisk_Header. */
export const COWD_FIELDS: readonly HeaderField[] = [
  ...fields(0, ["magicNumber", 4], ["version", 4], ["flags", 4], ["numSectors", 4], ["grainSize", 4]),
  ...fields(20, ["gdOffset", 4], ["numGDEntries", 4], ["freeSector", 4], ["parentFileName", 1024]),
  ...fields(1056, ["parentGeneration", 4], ["generation", 4], ["name", 60], ["description", 512]),
  ...fields(1636, ["savedGeneration", 4], ["reserved", 8], ["uncleanShutdown", 4]),
];

/** No description is published; the names are those of qemu's reader (commit 98eb9733f). */
export const SESPARSE_FIELDS: readonly HeaderField[] = [
  ...fields(0, ["magic", 8], ["version", 8], ["capacity", 8], ["grain_size", 8], ["grain_table_size", 8]),
  ...fields(40, ["flags", 8], ["reserved1", 8], ["reserved2", 8], ["reserved3", 8], ["reserved4", 8]),
  ...fields(80, ["volatile_header_offset", 8], ["volatile_header_size", 8], ["journal_header_offset", 8]),
  ...fields(104, ["journal_header_size", 8], ["journal_offset", 8], ["journal_size", 8]),
  ...fields(128, ["grain_dir_offset", 8], ["grain_dir_size", 8], ["grain_tables_offset", 8]),
  ...fields(152, ["grain_tables_size", 8], ["free_bitmap_offset", 8], ["free_bitmap_size", 8]),
  ...fields(176, ["backmap_offset", 8], ["backmap_size", 8], ["grains_offset", 8], ["grains_size", 8]),
];
