/** Files in memory, for tests that need no disk of this machine. */
import { inflatePortable, inflateRawPortable } from "../../core-as/host/inflate.ts";
import * as kernels from "../../core-as/core.wasm";
import {
  baseName,
  Batch,
  type Context,
  Core,
  folderOf,
  joinPath,
  RegrainError,
  type Source,
} from "../../core-as/host/mod.ts";

/** The kernels of this thread. */
export const core = new Core(kernels);

/** A source over bytes. */
export function memorySource(path: string, bytes: Uint8Array): Source {
  return {
    path,
    sizeBytes: bytes.length,
    read(batch: Batch, buffer: Uint8Array) {
      for (let i = 0; i < batch.count; i++) {
        const from = batch.offsetBytes[i]!;
        const length = batch.lengthBytes[i]!;
        if (from + length > bytes.length) {
          throw new RegrainError("READ_SHORT", "the file ended", { path, offsetBytes: bytes.length });
        }
        buffer.set(bytes.subarray(from, from + length), batch.at[i]!);
      }
    },
    close() {},
  };
}

/** A context whose files are those given, by name. */
export function memoryContext(
  files: Readonly<Record<string, Uint8Array>>,
  changes: Partial<Context> = {},
): Context {
  const find = (path: string) => files[joinPath(".", path)];
  return {
    core,
    files: {
      open(path) {
        const bytes = find(path);
        if (!bytes) throw new RegrainError("NOT_FOUND", "there is no such file", { path });
        return memorySource(path, bytes);
      },
      exists: (path) => find(path) !== undefined,
      realPath: (path) => joinPath(".", path),
      list(folder) {
        const names = Object.keys(files).map((name) => joinPath(".", name));
        return names.filter((name) => folderOf(name) === joinPath(".", folder)).map(baseName);
      },
    },
    names: { search: [], allowOutside: false },
    inflate: inflatePortable,
    unpackers: { inflateRaw: inflateRawPortable },
    ignoreJournal: false,
    format: undefined,
    warn: () => {},
    ...changes,
  };
}

/** Reads a source whole, in transfers of an odd size. */
export async function readWhole(source: Source, stepBytes = 1_000_003): Promise<Uint8Array> {
  const bytes = new Uint8Array(source.sizeBytes);
  const batch = new Batch();
  for (let at = 0; at < bytes.length; at += stepBytes) {
    batch.clear();
    batch.add({ offsetBytes: at, lengthBytes: Math.min(stepBytes, bytes.length - at), at });
    await source.read(batch, bytes);
  }
  return bytes;
}
