/**
 * The size of files that are made of sectors: one that is no whole number of them had bytes inserted or taken out on
 * its way, as a transfer in text mode does, and everything behind that place is shifted.
 *
 * This module is browser compatible.
 */
import type { Finding } from "../../extent.ts";
import type { Source } from "../../source.ts";
import { SECTOR_SIZE } from "../../units.ts";

/** A doubt about a file of COWD or SESparse, whose parts are all whole sectors; none where its size is. */
export function oddSizeFindings({ path, sizeBytes }: Pick<Source, "path" | "sizeBytes">): Finding[] {
  if (sizeBytes % SECTOR_SIZE === 0) return [];
  const message = `the file has ${sizeBytes} bytes, no whole number of sectors of ${SECTOR_SIZE}: ` +
    "bytes were inserted or lost on its way, as a transfer in text mode does";
  return [{ severity: "doubt", kind: "size-odd", path, offsetBytes: sizeBytes, message }];
}
