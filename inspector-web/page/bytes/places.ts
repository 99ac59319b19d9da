/** Places that somebody typed: in the virtual disk, and in a file as it is. */
import { findPlace, formatOffset, type Found } from "../../shared/units.ts";
import type { Inspector } from "../actions/inspector.ts";

export function placeInDisk(inspector: Inspector, text: string): Found {
  return findPlace(text, inspector.navigation.landmarks());
}

/**
 * In a file an offset is a byte of the file; a table or a grain is where its entry stands.
 *
 * @throws {Refusal} What asking for the entry may.
 */
export async function placeInFile(inspector: Inspector, file: string, text: string): Promise<Found> {
  const { opened } = inspector.store.state;
  const links = opened?.links ?? [];
  const view = links.findIndex(({ files }) => files.some(({ name }) => name === file));
  const marks = inspector.navigation.landmarks(Math.max(0, view));
  if (!/^\s*(gt|table|grain)\b/i.test(text.replace(/\d/, " $&"))) {
    const sizeBytes = links[view]?.files.find(({ name }) => name === file)?.sizeBytes ?? 0;
    return findPlace(text, { ...marks, capacityBytes: sizeBytes, partitions: [] });
  }
  const inDisk = findPlace(text, marks);
  if ("reason" in inDisk) return inDisk;
  const sector = Math.floor(inDisk.offsetBytes / 512);
  const { entryFile, entryOffsetBytes } = await inspector.client.ask({ type: "describe", view, sector });
  if (entryFile === file && entryOffsetBytes !== undefined) return { offsetBytes: entryOffsetBytes };
  const place = formatOffset(inDisk.offsetBytes);
  return { reason: `${file} has no table for ${place} of the disk: its directory entry is empty` };
}
