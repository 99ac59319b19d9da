/**
 * A second reader of rbd-diff version 1, as strict as the format's description: it shares no code with the program,
 * knows nothing of undo files, and stops at the end record as `rbd import-diff` does.
 */
const MAGIC = "rbd diff v1\n";
/** As much as Ceph's own tools read of a name. */
const MAX_NAME_BYTES = 255;

/** What a stream makes of an image. */
export interface Imported {
  readonly image: Uint8Array;
  readonly toSnapshot: string | undefined;
  readonly records: number;
  /** Bytes past the end record. */
  readonly restBytes: number;
}

/** Imports a stream onto an image of the size it names; throws on anything that the format does not have. */
export function importRbdDiff(stream: Uint8Array, onto: Uint8Array): Imported {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const text = (at: number, length: number) => new TextDecoder().decode(stream.subarray(at, at + length));
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  if (text(0, MAGIC.length) !== MAGIC) throw new Error("no rbd-diff stream");
  const image = onto.slice();
  let at = MAGIC.length;
  let records = 0;
  let sizeBytes: number | undefined;
  let toSnapshot: string | undefined;
  for (;;) {
    const tag = text(at++, 1);
    if (tag === "e") break;
    if (tag === "t" || tag === "f") {
      if (records > 0) throw new Error("metadata after data");
      const length = view.getUint32(at, true);
      if (length > MAX_NAME_BYTES) throw new Error(`a name of ${length} bytes`);
      if (tag === "t") toSnapshot = text(at + 4, length);
      if (/[@/]/.test(text(at + 4, length))) throw new Error("a name that no snapshot can have");
      at += 4 + length;
    } else if (tag === "s") {
      if (records > 0) throw new Error("metadata after data");
      sizeBytes = u64(at);
      at += 8;
    } else if (tag === "w" || tag === "z") {
      if (sizeBytes !== onto.length) throw new Error(`an image of ${sizeBytes} bytes`);
      const [offset, length] = [u64(at), u64(at + 8)];
      at += 16;
      if (offset + length > sizeBytes) throw new Error(`a record beyond the image: ${offset} + ${length}`);
      if (tag === "z") image.fill(0, offset, offset + length);
      else {
        if (at + length > stream.length) throw new Error("a record beyond the stream");
        image.set(stream.subarray(at, at + length), offset);
        at += length;
      }
      records++;
    } else throw new Error(`tag ${JSON.stringify(tag)} at byte ${at - 1}`);
  }
  return { image, toSnapshot, records, restBytes: stream.length - at };
}
