/**
 * Internal snapshots: states of the disk before, in the same file. They are named and not read.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../../errors.ts";
import type { Finding } from "../../extent.ts";
import { readBytes, type Source } from "../../source.ts";
import { plural, roundUp, toSafe } from "../../units.ts";
import type { Qcow2Header } from "./header.ts";

const ENTRY_BYTES = 40;
const MAX_NAMED = 16;
/** Fixed part, extra data, id and name; what is said of more is left unread. */
const MAX_EXTRA_BYTES = 1024;

/**
 * What is said of internal snapshots.
 *
 * @throws {RegrainError} `TRUNCATED`, `LIMIT_EXCEEDED`.
 */
export async function snapshotFindings(file: Source, header: Qcow2Header): Promise<Finding[]> {
  const { snapshotCount, snapshotsOffsetBytes } = header;
  if (snapshotCount === 0) return [];
  const names: string[] = [];
  let at = snapshotsOffsetBytes;
  for (let i = 0; i < Math.min(snapshotCount, MAX_NAMED); i++) {
    const { name, lengthBytes } = await readSnapshotEntry(file, at);
    names.push(name);
    at += lengthBytes;
  }
  const more = snapshotCount > names.length ? ` and ${snapshotCount - names.length} more` : "";
  return [{
    severity: "note",
    kind: "internal-snapshots",
    path: file.path,
    offsetBytes: snapshotsOffsetBytes,
    message:
      `${plural(snapshotCount, "internal snapshot")} (${
        names.join(", ")
      }${more}): the current state is read, ` +
      "they are not (qemu-img convert -l NAME makes an image of one)",
  }];
}

/** An entry of the table of internal snapshots. */
export interface SnapshotEntry {
  readonly name: string;
  readonly lengthBytes: number;
  /** Where its L1 table is, as the entry says it. */
  readonly l1: { readonly offsetBytes: number; readonly entries: number };
}

export async function readSnapshotEntry(file: Source, at: number): Promise<SnapshotEntry> {
  const fixed = await entryBytes(file, at, ENTRY_BYTES);
  const view = new DataView(fixed.buffer);
  const [idBytes, nameBytes, extraBytes] = [view.getUint16(12), view.getUint16(14), view.getUint32(36)];
  if (extraBytes > MAX_EXTRA_BYTES) {
    const message =
      `an internal snapshot with ${extraBytes} bytes of extra data, ${MAX_EXTRA_BYTES} are believed`;
    throw new RegrainError("LIMIT_EXCEEDED", message, { path: file.path, offsetBytes: at + 36 });
  }
  const texts = await entryBytes(file, at + ENTRY_BYTES + extraBytes, idBytes + nameBytes);
  const text = (from: number, to: number) => new TextDecoder().decode(texts.subarray(from, to));
  const name = `${JSON.stringify(text(idBytes, idBytes + nameBytes))}, id ${text(0, idBytes)}`;
  const l1 = { offsetBytes: toSafe(view.getBigUint64(0)) ?? Infinity, entries: view.getUint32(8) };
  return { name, l1, lengthBytes: roundUp(ENTRY_BYTES + extraBytes + idBytes + nameBytes, 8) };
}

async function entryBytes(file: Source, at: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (at + lengthBytes <= file.sizeBytes) return await readBytes(file, at, lengthBytes);
  throw new RegrainError("TRUNCATED", "the table of internal snapshots reaches past the end of the file", {
    path: file.path,
    offsetBytes: at,
  });
}
